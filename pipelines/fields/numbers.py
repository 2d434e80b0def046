"""Numbers, percentages and amounts of money in values, read by price-parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pipelines.fields.currencies import find_currency, read_currency, resolve_currency

DecimalSeparator = Literal[".", ","]

MAX_CHARACTERS = 40
MAX_DIGITS = 15
"""Longer numbers are identifiers; float64 holds as many digits exactly."""

_GROUPED = r"[0-9]{1,3}([ .'])[0-9]{3}(?:\1[0-9]{3})*|[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}"
"""Groups of three, or after commas of two in India."""
_NUMBER = re.compile(rf"(?:{_GROUPED}|[0-9]+)(?:[.,][0-9]+)?")
_LEADING_ZERO = re.compile(r"0[0-9]")
_TOKEN = r"[^\s0-9()+-][^0-9()+-]{0,9}?"
_AMOUNT = re.compile(
    rf"(?P<open>\()? ?(?P<sign>[+-])? ?(?P<before>{_TOKEN})? ?(?P<inner>[+-])? ?"
    rf"(?P<number>[0-9](?:[0-9 .,']*[0-9])?)(?:[.,]-)? ?(?P<after>{_TOKEN})? ?(?P<trailing>-)? ?(?P<close>\))?"
)
_PLAIN = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"}
)
_CENTS = re.compile(r"[.,][0-9]{2}$")
_SEPARATOR = re.compile(r"[ .,']")
_MONEY_WORD = re.compile(
    r"\b(?:amount|total|subtotal|price|cost|fee|balance|payment|paid|due|charge|salary|wage|income|betrag|summe|preis|"
    r"gesamt|netto|brutto|montant|prix|solde|importe|precio|saldo|importo|prezzo|totale|valor|preço|bedrag|prijs|"
    r"totaal|kwota|cena|belopp|summa|pris)\b|金額|金额|合計|合计|总计|料金|价格"
)


@dataclass(frozen=True)
class Amount:
    """An amount of money.

    Attributes:
        value: with its sign and as many decimals as are written.
        currency: ISO 4217 code; a sign that several currencies share, such as $, where nothing tells which; or None.
        is_money: whether a currency stands beside it or in its key, or it looks like money.
    """

    value: Decimal
    currency: str | None
    is_money: bool

    def __str__(self) -> str:
        return f"{self.value:f}" if self.currency is None else f"{self.value:f} {self.currency}"


def has_sure_separator(text: str) -> bool:
    """Whether a number with a decimal separator is one for certain, and no version or time such as 2.1 or 10.30.

    It is one with a currency, or with separators of groups too.
    """
    found = _match(text)
    if found is None:
        return False
    named = [token for token in (found["before"], found["after"]) if token]
    is_money = bool(named) and all(read_currency(token) is not None for token in named)
    return is_money or len(_SEPARATOR.findall(found["number"])) > 1


def is_ambiguous_number(text: str) -> bool:
    """Whether a text is a number such as 1,234, of which it does not tell what its separator is."""
    found = _match(text)
    if found is None or found["before"] or found["after"] or bool(found["open"]) != bool(found["close"]):
        return False
    return _NUMBER.fullmatch(found["number"]) is not None and _is_ambiguous(found["number"])


def decimal_separator_in(text: str) -> DecimalSeparator | None:
    """The decimal separator that a number can only have, as in 1.234,50 or 12,5; None if it tells nothing."""
    found = _match(text.rstrip("% "))
    if found is None or _NUMBER.fullmatch(found["number"]) is None or _is_ambiguous(found["number"]):
        return None
    number = found["number"]
    last: DecimalSeparator
    other: DecimalSeparator
    last, other = (".", ",") if number.rfind(".") > number.rfind(",") else (",", ".")
    if last not in number:
        return None
    return other if number.count(last) > 1 else last


def read_number(text: str, separator: DecimalSeparator | None = None) -> Decimal | None:
    """The number that a text is; None if it is none, or an identifier: with a leading zero, or too long.

    Args:
        separator: the document's decimal separator, for numbers such as 1.234, which are None without it. 1,000 is a
            thousand: three decimals are seldom nought.
    """
    found = _match(text)
    if found is None or found["before"] or found["after"]:
        return None
    return _signed(found, separator)


def read_percent(text: str, separator: DecimalSeparator | None = None) -> Decimal | None:
    """The number before or after a percent sign; None if the text is something else."""
    if not text.endswith("%") and not text.startswith("%"):
        return None
    number = text.removesuffix("%").rstrip() if text.endswith("%") else text[1:].lstrip()
    if separator is None and "." in number:  # 3.875%: rates have three decimals more often than thousands
        separator = "."
    return read_number(number, separator)


def read_amount(
    text: str, key: str = "", separator: DecimalSeparator | None = None, document_currency: str | None = None
) -> Amount | None:
    """The amount that a text is: a number with or without a currency, and nothing else.

    Args:
        key: its currency is taken where the text has none.
        separator: see `read_number`. Without it $1,234 has thousands: few amounts have three decimals.
        document_currency: the only currency that the document names.
    """
    found = _match(text)
    value = None if found is None else _signed(found, separator, is_amount=True)
    if found is None or value is None:
        return None
    named = [read_currency(token) for token in (found["before"], found["after"]) if token]
    if None in named:  # a word that is no currency
        return None
    codes = [currency for currency in named if currency is not None]
    currency = max(codes, key=len, default=None)  # of "$ 5 USD" the code
    if currency is None or len(currency) != 3:
        currency = resolve_currency(currency, find_currency(key))
    has_cents = _CENTS.search(found["number"]) is not None
    is_grouped = has_cents and len(_SEPARATOR.findall(found["number"])) > 1
    has_money_key = has_cents and _MONEY_WORD.search(key.casefold()) is not None
    is_money = currency is not None or is_grouped or has_money_key
    return Amount(value, resolve_currency(currency, document_currency), is_money)


def _match(text: str) -> re.Match[str] | None:
    return _AMOUNT.fullmatch(text.translate(_PLAIN)) if len(text) <= MAX_CHARACTERS else None


def _signed(found: re.Match[str], separator: DecimalSeparator | None, is_amount: bool = False) -> Decimal | None:
    number = found["number"]
    if separator is None and _is_ambiguous(number):
        if not is_amount and not number.endswith(",000"):
            return None
        separator = "." if "," in number else ","
    value = _read_digits(number, separator)
    if value is None or bool(found["open"]) != bool(found["close"]):
        return None
    if found["open"] and number.isdigit() and not found["before"] and not found["after"]:  # (1) is a mark, (1.00) -1.00
        return None
    signs = (found["sign"], found["inner"], found["trailing"])
    return -value if found["open"] or "-" in signs else value


def _read_digits(number: str, separator: DecimalSeparator | None) -> Decimal | None:
    if _NUMBER.fullmatch(number) is None or _LEADING_ZERO.match(number) is not None:
        return None
    if sum(character.isdigit() for character in number) > MAX_DIGITS:
        return None
    if number.isdigit():
        return Decimal(number)
    from price_parser.parser import parse_number

    # The library takes 0.125 for 125.
    decimal = separator if _is_ambiguous(number) else number[1] if number[0] == "0" else None
    return parse_number(re.sub("[ ']", "", number), decimal)


def _is_ambiguous(number: str) -> bool:
    """Whether a number has one separator, which may be that of thousands or the decimal one."""
    separators = [character for character in number if character in ".,"]
    return len(separators) == 1 and " " not in number and number[-4:-3] in (".", ",") and number[0] != "0"
