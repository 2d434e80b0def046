"""Numbers and amounts as a language writes them: its decimal sign, its groups of thousands, its currencies."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Random = random.Random


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written.

    Attributes:
        decimal: the decimal sign.
        thousands: the signs between groups of thousands, one for a number or a document; empty for none.
        currencies: the ways to write an amount; `{}` is the number.
        places: decimal places of the currency.
        scale: the typical amount relative to one in euros, a hundred for yen.
    """

    decimal: str
    thousands: tuple[str, ...]
    currencies: tuple[str, ...]
    places: int = 2
    scale: float = 1.0

    def written(self, value: float, places: int, thousands: str) -> str:
        """The number with so many decimal places."""
        return f"{value:,.{places}f}".translate({ord(","): thousands, ord("."): self.decimal})


def numeral_values(form: NumberForm) -> dict[str, Callable[[Random], str]]:
    """How values of the numeric kinds are made."""

    def money(rng: Random) -> str:
        return amounts(form, rng)(rng)

    def figure(rng: Random) -> str:
        value = form.scale * 10 ** rng.uniform(0.5, 6)
        text = form.written(value, 0 if rng.random() < 0.7 else form.places, rng.choice(form.thousands))
        chance = rng.random()
        return f"({text})" if chance < 0.04 else "-" if chance < 0.08 else text

    def number(rng: Random) -> str:
        value = int(10 ** rng.uniform(0, 5.5))
        return rng.choice(
            (form.written(value, 0, rng.choice(form.thousands)), str(value), str(value % 1000), str(value % 100))
        )

    def decimal(rng: Random) -> str:
        return form.written(10 ** rng.uniform(-2, 3), rng.choice((1, 1, 2, 2, 3)), "")

    def percent(rng: Random) -> str:
        value = form.written(rng.uniform(0, 100), rng.choice((0, 0, 1, 2)), "")
        return rng.choice((f"{value} %", f"{value}%", value))

    def small_amount(rng: Random) -> str:
        text = form.written(form.scale * rng.uniform(0.5, 90), form.places, rng.choice(form.thousands))
        return rng.choice((text, text, rng.choice(form.currencies).format(text)))

    return {
        "money": money,
        "amount": money,
        "figure": figure,
        "number": number,
        "decimal": decimal,
        "percent": percent,
        "small_amount": small_amount,
    }


def amounts(form: NumberForm, rng: Random) -> Callable[[Random], str]:
    """A way to write amounts, the same for all amounts of a document."""
    currency, thousands = _choice(rng, (*form.currencies, "{}")), rng.choice(form.thousands)
    most = rng.choice((2.5, 3.5, 5.0))
    places = form.places if rng.random() < 0.85 else 0

    def written(rng: Random) -> str:
        return currency.format(form.written(form.scale * 10 ** rng.uniform(0.8, most), places, thousands))

    return written


def _choice(rng: Random, texts: Sequence[str]) -> str:
    return texts[rng.randrange(len(texts))]
