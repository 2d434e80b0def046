"""Telephone numbers, read by phonenumbers, and e-mail addresses."""

from __future__ import annotations

import re

MAX_PHONE_CHARACTERS = 40
MAX_EMAIL_CHARACTERS = 254

_PHONE = re.compile(r"(\+|00)?[ (]{0,2}[0-9][0-9 ()./-]{4,28}[0-9](?: ?(?:x|ext\.?) ?[0-9]{1,6})?")
_AREA_CODE = re.compile(r"\([0-9]{3}\) ?[0-9]{3}[ -][0-9]{4}")
_PRICE = re.compile(r"[0-9]+[.,][0-9]{2}")
_PHONE_KEY = re.compile(
    r"\b(?:(?:tele)?phones?|tel|fax|telefax|mobile|cell|telefon\w*|téléphone|portable|mobil|handy|teléfono|móvil|"
    r"telefone|celular|telefono|cellulare|telefoon|puhelin)\b|电话|電話|手机|携帯|传真|ファックス"
)
_EMAIL = re.compile(r"(?:mailto:)?([^@\s<>\"(),:;]{1,64})@((?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,63})")


def is_phone_key(key: str) -> bool:
    """Whether a key asks for a telephone or fax number."""
    return _PHONE_KEY.search(key.casefold()) is not None


def read_phone(text: str, region: str | None = None) -> str | None:
    """The telephone number that a text is, in E.164; None if it is none, or where its country is not known.

    Args:
        region: ISO 3166 code of the country of numbers without a country code.
    """
    if not looks_like_phone(text):
        return None
    import phonenumbers

    international = "+" + text[2:] if text.startswith("00") else text
    if region is None and not international.startswith("+"):
        return None
    try:
        number = phonenumbers.parse(international, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:  # such as one without its area code
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def looks_like_phone(text: str) -> bool:
    """Whether a text has the characters and the length of a telephone number, and nothing else."""
    if len(text) > MAX_PHONE_CHARACTERS or _PHONE.fullmatch(text) is None:
        return False
    return 6 <= sum(character.isdigit() for character in text) <= 21


def is_phone(text: str, key: str, region: str | None) -> bool:
    """Whether a value is a telephone number: its key, its country code, or its written form says so."""
    if not looks_like_phone(text):
        return False
    if _AREA_CODE.fullmatch(text) is not None or (is_phone_key(key) and _may_be_local(text)):
        return True
    if text.startswith("+"):
        return read_phone(text, region) is not None
    return region is not None and any(mark in text for mark in "-/(") and _is_valid(text, region)


def _may_be_local(text: str) -> bool:
    """Whether a key is enough: the text is no price of the telephone, and long enough."""
    return sum(character.isdigit() for character in text) >= 7 and _PRICE.fullmatch(text) is None


def _is_valid(text: str, region: str) -> bool:
    """Whether the country has numbers such as this."""
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def read_email(text: str) -> str | None:
    """The e-mail address that a text is, with its domain in small letters; None if it is none."""
    found = _EMAIL.fullmatch(text) if len(text) <= MAX_EMAIL_CHARACTERS else None
    return None if found is None else f"{found[1]}@{found[2].lower()}"
