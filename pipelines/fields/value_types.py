"""From a value's text to its type and its normalised form.

Values are given as `value_text.clean_text` returns them, so that none is long; each reading has a limit of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from pipelines.fields.check_marks import read_check_box, read_yes_or_no
from pipelines.fields.contacts import is_phone, read_email, read_phone
from pipelines.fields.currencies import CODES, find_currency
from pipelines.fields.dates import DateOrder, DateReader, order_in_key, order_in_value
from pipelines.fields.numbers import (
    DecimalSeparator,
    decimal_separator_in,
    has_sure_separator,
    is_ambiguous_number,
    read_amount,
    read_number,
    read_percent,
)
from pipelines.fields.value_text import clean_text

Found = TypeVar("Found", bound=str)

ValueType = Literal["date", "amount", "number", "percent", "phone", "email", "check_box", "text"]
VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)


@dataclass(frozen=True)
class Conventions:
    """How a document writes its values; None where nothing tells.

    Attributes:
        date_order: of day and month in dates such as 03/04/2026.
        decimal_separator: of numbers such as 1,234.
        currency: ISO 4217 code of amounts without one.
        region: ISO 3166 code of the country of telephone numbers without a country code.
    """

    date_order: DateOrder | None = None
    decimal_separator: DecimalSeparator | None = None
    currency: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class TypedValue:
    """The type of a value, and its normalised form.

    Attributes:
        type: one of `VALUE_TYPES`; None for a value that was not looked at.
        normalized: of a date ISO 8601; of an amount a decimal number and its currency, as "1234.50 USD"; of a number
            or a percentage a decimal number; of a telephone number E.164; of an e-mail address the address; of a check
            box "checked" or "unchecked". None for text, and where the value can be read in several ways.
    """

    type: ValueType | None
    normalized: str | None


def learn_conventions(pairs: Iterable[tuple[str | None, str | None]], given: Conventions) -> Conventions:
    """What the values of a document that can be read in one way only tell of the others.

    A convention is that of the document only if all values that tell it agree.

    Args:
        pairs: keys and values.
        given: what is known already; it is kept.
    """
    orders, currencies = set[DateOrder](), set[str]()
    separators, unsure_separators = set[DecimalSeparator](), set[DecimalSeparator]()
    for key, value in pairs:
        key, value = clean_text(key), clean_text(value)
        if any(character.isdigit() for character in value):
            orders |= {order for order in (order_in_value(value), order_in_key(key)) if order is not None}
            separator = decimal_separator_in(value)
            if separator is not None:
                (separators if has_sure_separator(value) else unsure_separators).add(separator)
        currencies |= {code for code in (find_currency(key), find_currency(value)) if code in CODES}
    return Conventions(
        given.date_order or _only(orders),
        given.decimal_separator or _only(separators or unsure_separators),
        given.currency or _only(currencies),
        given.region,
    )


class ValueReader:
    """Tells types and reads values. Keeps nothing of the values that it has read."""

    def __init__(self) -> None:
        self._dates = DateReader()

    def infer(self, value: str | None, key: str | None, conventions: Conventions) -> TypedValue:
        """The type of a value, told from itself and from its key, and its normalised form."""
        text, key = clean_text(value), clean_text(key)
        checked = read_check_box(text)
        if checked is not None:
            return TypedValue("check_box", "checked" if checked else "unchecked")
        email = read_email(text) if "@" in text else None
        if email is not None:
            return TypedValue("email", email)
        if not any(character.isdigit() for character in text):
            return TypedValue("text", None)
        is_date, date = self._dates.read(text, order_in_key(key) or conventions.date_order)
        if is_date:
            return TypedValue("date", None if date is None else date.isoformat())
        if is_phone(text, key, conventions.region):
            return TypedValue("phone", read_phone(text, conventions.region))
        percent = read_percent(text, conventions.decimal_separator)
        if percent is not None:
            return TypedValue("percent", f"{percent:f}")
        if "%" in text and is_ambiguous_number(text.strip("% ")):
            return TypedValue("percent", None)
        amount = read_amount(text, key, conventions.decimal_separator, conventions.currency)
        if amount is not None and amount.is_money:
            return TypedValue("amount", str(amount))
        number = read_number(text, conventions.decimal_separator)
        if number is None:
            return TypedValue("number" if is_ambiguous_number(text) else "text", None)
        return TypedValue("number", f"{number:f}")

    def read_as(self, wanted: ValueType, value: str | None, key: str | None, conventions: Conventions) -> str | None:
        """The normalised form of a value that is known to be of a type; None if it cannot be read as that.

        Text is normalised to its form NFKC with single spaces.
        """
        text, key = clean_text(value), clean_text(key)
        separator = conventions.decimal_separator
        if wanted == "date":
            date = self._dates.find(text, order_in_key(key) or conventions.date_order)
            return None if date is None else date.isoformat()
        if wanted == "amount":
            amount = read_amount(text, key, separator, conventions.currency)
            return None if amount is None else str(amount)
        if wanted == "number":
            number = read_number(text, separator)
            return None if number is None else f"{number:f}"
        if wanted == "percent":
            percent = read_percent(text, separator)
            percent = read_number(text, separator) if percent is None else percent
            return None if percent is None else f"{percent:f}"
        if wanted == "phone":
            return read_phone(text, conventions.region)
        if wanted == "email":
            return read_email(text)
        if wanted == "check_box":
            checked = read_yes_or_no(text)
            return None if checked is None else "checked" if checked else "unchecked"
        return text or None


def _only(found: set[Found]) -> Found | None:
    return next(iter(found)) if len(found) == 1 else None
