"""Types of values and their normalised forms, told from the values, their keys and the rest of the document."""

from __future__ import annotations

import random
import time

import pytest

from pipelines.fields.value_types import Conventions, TypedValue, ValueReader, ValueType, learn_conventions

READER = ValueReader()
UNKNOWN = Conventions()


def typed(value: str, key: str = "", conventions: Conventions = UNKNOWN) -> tuple[str, str | None]:
    found = READER.infer(value, key, conventions)
    return found.type, found.normalized


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("04/17/1998", "1998-04-17"),
        ("17.4.98", "1998-04-17"),
        ("2026-11-29", "2026-11-29"),
        ("2026-11-29T14:05:00Z", "2026-11-29"),
        ("11/29/2026 2:05 pm", "2026-11-29"),
        ("11/11/2026", "2026-11-11"),
        ("29 November 2026", "2026-11-29"),
        ("Nov. 29th, 2026", "2026-11-29"),
        ("3. März 2026", "2026-03-03"),
        ("1er mars 2026", "2026-03-01"),
        ("3 de enero de 2026", "2026-01-03"),
        ("12-Nov-2026", "2026-11-12"),
        ("2026年11月29日", "2026-11-29"),
    ],
)
def test_a_date_that_can_be_read_in_one_way_is_normalised_to_iso_8601(value: str, date: str) -> None:
    assert typed(value) == ("date", date)


def test_a_date_of_which_the_order_is_not_known_has_no_normalised_form() -> None:
    assert typed("03/04/2026") == ("date", None)


def test_the_order_of_day_and_month_is_that_of_the_documents_other_dates() -> None:
    for other, expected in (("04/17/1998", "2026-03-04"), ("17/04/1998", "2026-04-03")):
        conventions = learn_conventions([("Founded", other), ("Signed", "03/04/2026")], UNKNOWN)
        assert typed("03/04/2026", conventions=conventions) == ("date", expected)


def test_dates_that_contradict_each_other_tell_no_order() -> None:
    conventions = learn_conventions([(None, "04/17/1998"), (None, "17/04/1998")], UNKNOWN)
    assert typed("03/04/2026", conventions=conventions) == ("date", None)


def test_a_key_that_asks_for_an_order_tells_it() -> None:
    assert typed("03/04/2026", "Date (MM/DD/YYYY)") == ("date", "2026-03-04")
    assert typed("03.04.2026", "Datum (TT.MM.JJJJ)") == ("date", "2026-04-03")


@pytest.mark.parametrize("value", ["12-34-56", "Net 45 days", "HC-1020", "13/13/2026", "12 Main Street 2020", "12:30"])
def test_what_only_resembles_a_date_is_text(value: str) -> None:
    assert typed(value) == ("text", None)


@pytest.mark.parametrize(
    ("value", "key", "amount"),
    [
        ("$1,234.50", "", "1234.50 $"),
        ("US$ 1,234.50", "", "1234.50 USD"),
        ("1.234,50 €", "", "1234.50 EUR"),
        ("CHF 12'345.60", "", "12345.60 CHF"),
        ("₹1,00,000", "", "100000 INR"),
        ("-£5.00", "", "-5.00 GBP"),
        ("(1,234.50)", "", "-1234.50"),
        ("26,524.00", "", "26524.00"),
        ("2,289.12", "Total due (USD)", "2289.12 USD"),
        ("12.40", "Unit price", "12.40"),
        ("500", "Preis in EUR", "500 EUR"),
    ],
)
def test_an_amount_has_its_currency_where_it_or_its_key_has_one(value: str, key: str, amount: str) -> None:
    assert typed(value, key) == ("amount", amount)


def test_a_sign_of_several_currencies_is_that_of_the_only_one_that_the_document_names() -> None:
    conventions = learn_conventions([("Currency", "CAD"), ("Price ($)", "12.40")], UNKNOWN)
    assert typed("12.40", "Price ($)", conventions) == ("amount", "12.40 CAD")
    assert typed("£12.40", "", conventions) == ("amount", "12.40 GBP")
    several = learn_conventions([("Price (USD)", "12.40"), ("Price (CAD)", "14.00")], UNKNOWN)
    assert typed("$12.40", "", several) == ("amount", "12.40 $")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("86", "86"),
        ("1,000", "1000"),
        ("0.125", "0.125"),
        ("-3,5", "-3.5"),
        ("1 234 567", "1234567"),
        ("12.40", "12.40"),
    ],
)
def test_a_number_without_a_sign_of_money_is_a_number(value: str, number: str) -> None:
    assert typed(value, "Quantity") == ("number", number)


def test_a_number_is_read_with_the_documents_decimal_separator() -> None:
    german = learn_conventions([("Summe", "1.234,50 €")], UNKNOWN)
    assert typed("1.234", conventions=german) == ("number", "1234")
    assert typed("1,234", conventions=german) == ("number", "1.234")
    english = learn_conventions([("Sum", "3,100.00")], UNKNOWN)
    assert typed("1.234", conventions=english) == ("number", "1.234")
    assert typed("1,234", conventions=english) == ("number", "1234")


@pytest.mark.parametrize("value", ["12.125", "1.000", "3,875"])
def test_a_number_of_which_the_separator_is_not_known_has_no_normalised_form(value: str) -> None:
    assert typed(value, "Width") == ("number", None)
    assert READER.read_as("number", value, "Width", UNKNOWN) is None
    assert typed(value, "Width", Conventions(decimal_separator=".")) == ("number", value.replace(",", ""))


@pytest.mark.parametrize(
    ("value", "expected"), [("3.875%", "3.875"), ("% 3.875", "3.875"), ("3,875 %", None), ("3,5 %", "3.5")]
)
def test_a_percentage_with_a_point_has_decimals(value: str, expected: str | None) -> None:
    assert typed(value) == ("percent", expected)


def test_an_amount_with_one_separator_before_three_digits_has_thousands() -> None:
    assert (typed("$1,234"), typed("1.234 €")) == (("amount", "1234 $"), ("amount", "1234 EUR"))
    assert READER.read_as("amount", "1,234", "Total", UNKNOWN) == "1234"


def test_versions_and_times_do_not_count_beside_amounts() -> None:
    pairs = [("Version", "2.1"), ("Uhrzeit", "10.30"), ("Summe", "1.234,00")]
    assert learn_conventions(pairs, UNKNOWN).decimal_separator == ","
    assert learn_conventions(pairs[:2], UNKNOWN).decimal_separator == "."
    assert learn_conventions([*pairs[:2], ("Preis", "3,50 €")], UNKNOWN).decimal_separator == ","


@pytest.mark.parametrize("value", ["(1)", "(1", "1)", "(555)", "1.10.100"])
def test_marks_of_lists_and_sections_are_no_numbers(value: str) -> None:
    assert typed(value) == ("text", None)


@pytest.mark.parametrize(("value", "expected"), [("(1.50)", "-1.50"), ("(1 234 567)", "-1234567")])
def test_a_number_in_brackets_is_negative(value: str, expected: str) -> None:
    assert typed(value) == ("number", expected)
    assert typed("($5)") == ("amount", "-5 $")


def test_the_number_of_a_section_does_not_tell_the_order_of_dates() -> None:
    for value, order in (("25.1.20", None), ("25.01.20", "DMY"), ("25.1.2020", "DMY"), ("4/17/98", "MDY")):
        assert learn_conventions([("Section", value)], UNKNOWN).date_order == order


@pytest.mark.parametrize(
    ("value", "date"), [("5 May 60", "1960-05-05"), ("5 May 49", "2049-05-05"), ("29 Feb 96", "1996-02-29")]
)
def test_a_year_of_two_digits_has_the_same_century_beside_a_months_name(value: str, date: str) -> None:
    assert typed(value) == ("date", date)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("Phone charges", "1234.50", ("number", "1234.50")),
        ("Phone charges", "12345.50", ("number", "12345.50")),
        ("Fax date", "12/05/2024", ("date", None)),
        ("Fax date", "30.05.2024", ("date", "2024-05-30")),
        ("Fax pages", "123456", ("number", "123456")),
    ],
)
def test_dates_and_prices_are_no_telephone_numbers(key: str, value: str, expected: tuple[str, str | None]) -> None:
    assert typed(value, key) == expected


def test_a_number_as_a_known_country_has_them_needs_no_key() -> None:
    in_america = Conventions(region="US")
    assert typed("212-555-0140", "Contact", in_america) == ("phone", "+12125550140")
    assert typed("112-555-0140", "Contact", in_america)[0] == "text"
    assert typed("2125550140", "Reference", in_america)[0] == "number"


def test_brackets_around_nothing_are_no_check_box() -> None:
    assert typed("Total ()") == ("text", None)
    assert (typed("( )"), typed("(x)")) == (("check_box", "unchecked"), ("check_box", "checked"))


@pytest.mark.parametrize("value", ["02139", "7710 0455 83", "41-5550128", "12345678901234567890", "A4 80g", "1e5"])
def test_an_identifier_is_text(value: str) -> None:
    assert typed(value) == ("text", None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12.5 %", ("percent", "12.5")),
        ("7,25%", ("percent", "7.25")),
        ("Ingrid@Halvorsen.EXAMPLE", ("email", "Ingrid@halvorsen.example")),
        ("a@b", ("text", None)),
        ("+49 30 123456", ("phone", "+4930123456")),
        ("(415) 555-2671", ("phone", None)),
        ("Halvorsen Castings LLC", ("text", None)),
        ("", ("text", None)),
    ],
)
def test_percentages_addresses_and_telephone_numbers_are_told(value: str, expected: tuple[str, str | None]) -> None:
    assert typed(value) == expected


def test_a_number_under_the_key_of_a_telephone_is_one_and_its_country_may_be_given() -> None:
    assert typed("555-0140", "Direct telephone") == ("phone", None)
    assert typed("415 555 2671", "Fax:", Conventions(region="US")) == ("phone", "+14155552671")
    assert typed("555-0140", "Direct telephone", Conventions(region="US")) == ("phone", None)
    assert typed("415 555 2671", "Part no.")[0] == "text"


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        *((value, "checked") for value in ("☒", "☑", "✓", "X", "[x]", "( X )", "☒ Yes", "Yes [x]")),
        *((value, "unchecked") for value in ("☐", "[ ]", "[] No", "☐ Distributor")),
    ],
)
def test_a_check_box_is_told_from_its_mark(value: str, mark: str) -> None:
    assert typed(value) == ("check_box", mark)


def test_several_check_boxes_in_one_value_are_text() -> None:
    assert typed("☐ Yes ☒ No") == ("text", None)


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("date", "Duluth, 02/20/2025", "2025-02-20"),
        ("date", "20250220", "2025-02-20"),
        ("date", "soon", None),
        ("amount", "500", "500"),
        ("amount", "five hundred", None),
        ("percent", "19", "19"),
        ("number", "1,000", "1000"),
        ("check_box", "Ja", "checked"),
        ("check_box", "no", "unchecked"),
        ("check_box", "perhaps", None),
        ("phone", "+1 415 555 2671", "+14155552671"),
        ("text", "two\n lines", "two lines"),
        ("text", "", None),
    ],
)
def test_a_value_of_a_known_type_is_read_as_that(wanted: ValueType, value: str, expected: str | None) -> None:
    assert READER.read_as(wanted, value, None, UNKNOWN) == expected


def test_a_value_that_is_very_long_is_text_and_costs_nothing() -> None:
    for value in ("1" * 10_000_000, "12 may " * 1_000_000, "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 200):
        assert READER.infer(value, value, UNKNOWN) == TypedValue("text", None)


def test_hostile_values_take_no_more_than_milliseconds() -> None:
    """The bound tells milliseconds a value from seconds: an attack is the point."""
    chance = random.Random(7)
    letters = "0123456789  ./-,'()+:%$€@xXmaynovdecjanT[]☒年月日"
    values = ["".join(chance.choices(letters, k=chance.randint(1, 200))) for _ in range(2_000)]
    values += ["1 " * 20 + "may", "(" * 40, "+" * 40, "1.1." * 10, "a@" + "b." * 100, "9" * 40 + "%", "1/" * 20]
    started = time.monotonic()
    for value in values:
        READER.infer(value, "Date (MM", UNKNOWN)
        for wanted in ("date", "amount", "phone", "email"):
            READER.read_as(wanted, value, None, UNKNOWN)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("value", "key", "kind", "normalized"),
    [
        ("2026年11月29日", "日期：", "date", "2026-11-29"),
        ("２０２６年１１月２９日", "日付", "date", "2026-11-29"),
        ("昭和60年4月12日", "生年月日", "date", "1985-04-12"),
        ("令和元年5月1日", "日付", "date", "2019-05-01"),
        ("2026년 11월 29일", "날짜", "date", "2026-11-29"),
        ("2026年13月29日", "日期", "text", None),
        ("31.12.2026", "Datum:", "date", "2026-12-31"),
        ("１２３", "数量：", "number", "123"),
        ("12,300円", "金額", "amount", "12300 JPY"),
        ("12,300원", "금액:", "amount", "12300 KRW"),
        ("12.300,50 €", "Betrag:", "amount", "12300.50 EUR"),
    ],
)
def test_values_of_other_scripts_are_read(value: str, key: str, kind: str, normalized: str | None) -> None:
    found = ValueReader().infer(value, key, Conventions())
    assert (found.type, found.normalized) == (kind, normalized)
