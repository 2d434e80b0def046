"""Currencies by their codes and signs."""

from __future__ import annotations

import re

CODES = frozenset(
    (
        "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR",
        "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KRW", "MXN", "MYR", "NGN", "NOK",
        "NZD", "PEN", "PHP", "PKR", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH",
        "USD", "VND", "ZAR",
    )
)  # fmt: skip
"""ISO 4217."""

_OF_SIGN = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS",
    "₫": "VND", "₴": "UAH", "฿": "THB", "₱": "PHP", "₦": "NGN", "zł": "PLN", "kč": "CZK", "ft": "HUF", "lei": "RON",
    "us$": "USD", "ca$": "CAD", "c$": "CAD", "au$": "AUD", "a$": "AUD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD",
    "r$": "BRL", "mx$": "MXN", "nt$": "TWD", "cn¥": "CNY", "rmb": "CNY", "円": "JPY", "元": "CNY", "원": "KRW",
    "sfr": "CHF",
}  # fmt: skip

_SHARED_SIGNS = {
    "$": frozenset(("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN", "TWD", "ARS", "CLP", "COP")),
    "¥": frozenset(("JPY", "CNY")),
    "kr": frozenset(("SEK", "NOK", "DKK", "ISK")),
    "Rs": frozenset(("INR", "PKR")),
}
"""Signs that several currencies share."""

_CODE = re.compile(r"(?<![^\W\d_])[A-Z]{3}(?![^\W\d_])")
_SIGN = re.compile("|".join(re.escape(sign) for sign in sorted(_OF_SIGN, key=len, reverse=True) if not sign.isalpha()))


def read_currency(token: str) -> str | None:
    """The currency that a word or sign stands for: an ISO code, or a sign that several share; None for other words."""
    token = token.strip(" .")
    if token.upper() in CODES and (token.isupper() or token == "eur"):
        return token.upper()
    for sign in _SHARED_SIGNS:
        if token.casefold() == sign.casefold():
            return sign
    return _OF_SIGN.get(token.casefold())


def find_currency(text: str) -> str | None:
    """The currency that a text names beside other words, as "Total due (USD)" does; None if it names none."""
    codes = {code for code in _CODE.findall(text) if code in CODES}
    if len(codes) == 1:
        return codes.pop()
    found = _SIGN.search(text.casefold())
    if found is not None:
        return _OF_SIGN[found[0]]
    return next((sign for sign in ("$", "¥") if sign in text), None)


def resolve_currency(currency: str | None, document_currency: str | None) -> str | None:
    """The code of a currency that a document leaves open: that of the document, where it fits the sign.

    Args:
        currency: as `read_currency` returns it.
        document_currency: the only code that the document names.
    """
    if currency is None:
        return document_currency
    if document_currency in _SHARED_SIGNS.get(currency, ()):
        return document_currency
    return currency
