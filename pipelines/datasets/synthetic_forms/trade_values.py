"""Values of forms of other trades: dates and amounts as several countries write them, identifiers, readings, doses."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from pipelines.datasets.synthetic_forms.names import FIRST_NAMES, LAST_NAMES, MONTHS, PHRASE_NOUNS

Random = random.Random

COUNTRIES = (
    "Germany", "France", "United Kingdom", "USA", "Netherlands", "Italy", "Spain", "Poland", "Japan", "China", "India",
    "Canada", "Mexico", "Brazil", "Sweden", "Switzerland", "Austria", "Belgium", "Kenya", "South Africa", "Australia",
)  # fmt: skip
PORTS = ("Rotterdam", "Hamburg", "Antwerp", "Shanghai", "Singapore", "Felixstowe", "Le Havre", "Newark", "Long Beach",
         "Genoa", "Valencia", "Busan", "Santos", "Durban", "Gdansk")  # fmt: skip
DRUGS = ("Ibuprofen", "Amoxicillin", "Metformin", "Lisinopril", "Atorvastatin", "Omeprazole", "Paracetamol", "Insulin",
         "Salbutamol", "Aspirin", "Prednisone", "Levothyroxine")  # fmt: skip
BODY = ("left knee", "lower back", "right shoulder", "chest", "abdomen", "left wrist", "neck", "right foot", "head")
COMPLAINTS = ("pain", "fracture", "sprain", "swelling", "infection", "burn", "strain", "fever", "cough", "rash")
GOODS = ("spare parts", "cotton shirts", "frozen fish", "ceramic tiles", "furniture", "steel pipes", "pumps",
         "medical devices", "toys", "coffee", "machine tools", "glassware", "paper rolls", "LED lamps")  # fmt: skip


def day(rng: Random) -> str:
    """A date of this century, in the order of day and month of one of several countries."""
    year, month, number = rng.randint(2001, 2026), rng.randint(1, 12), rng.randint(1, 28)
    long = MONTHS[month - 1]
    return rng.choice(
        (
            f"{year}-{month:02d}-{number:02d}",
            f"{number:02d}.{month:02d}.{year}",
            f"{number}.{month}.{year}",
            f"{number:02d}/{month:02d}/{year}",
            f"{month:02d}/{number:02d}/{year}",
            f"{month}/{number}/{year % 100:02d}",
            f"{number} {long} {year}",
            f"{long} {number}, {year}",
            f"{number:02d}-{long[:3].upper()}-{year}",
            f"{long[:3]} {number}, {year}",
        )
    )


def amount(rng: Random) -> str:
    """An amount with or without a currency."""
    return amounts(rng)(rng)


def amounts(rng: Random) -> Callable[[Random], str]:
    """A way to write amounts, the same for all amounts of a document."""
    before, after, comma, thousands = rng.choice(
        (("$", "", ".", ","), ("$", "", ".", ","), ("", "", ".", ","), ("USD ", "", ".", ","), ("EUR ", "", ",", "."),
         ("", " €", ",", "."), ("£", "", ".", ","), ("", " CHF", ".", "'"), ("", "", ",", " "), ("", "", ",", "."))
    )  # fmt: skip
    most = rng.choice((2.5, 3.5, 5.0))

    def written(rng: Random) -> str:
        text = f"{10 ** rng.uniform(0.8, most):,.2f}".translate({ord(","): thousands, ord("."): comma})
        return f"{before}{text}{after}"

    return written


def terms_of_payment(rng: Random) -> str:
    return rng.choice(("Net 30", "14 days net", "Due on receipt", "2% 10, net 30", "Prepaid", "COD", "30 days"))


def small_amount(rng: Random) -> str:
    """An amount of a few units, as on receipts."""
    text = f"{rng.uniform(0.5, 90):.2f}"
    return rng.choice((text, text, text, f"${text}", text.replace(".", ",")))


def email(rng: Random) -> str:
    first, last = rng.choice(FIRST_NAMES).lower(), rng.choice(LAST_NAMES).lower().replace(" ", "").replace("'", "")
    host = rng.choice(PHRASE_NOUNS) + rng.choice((".com", ".org", ".net", ".example"))
    return f"{rng.choice((first, first[0]))}{rng.choice(('.', '', '_'))}{last}@{host}"


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _letters(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def bank_account(rng: Random) -> str:
    country = rng.choice(("DE", "FR", "GB", "NL", "ES", "IT", "CH"))
    number = country + _digits(rng, 20)
    spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    return rng.choice((spaced, number, _digits(rng, 9), f"{_digits(rng, 3)}-{_digits(rng, 6)}-{_digits(rng, 1)}"))


def identifier(rng: Random) -> str:
    """The number of a policy, patient, claim, customer or document."""
    return rng.choice(
        (
            f"{_letters(rng, 3)}-{_digits(rng, 7)}",
            f"{_letters(rng, 2)}{_digits(rng, 8)}",
            f"{_digits(rng, 4)}/{_digits(rng, 5)}",
            _digits(rng, rng.randint(5, 11)),
            f"{_digits(rng, 3)}-{_digits(rng, 2)}-{_digits(rng, 4)}",
            f"{rng.randint(2005, 2026)}-{_digits(rng, 5)}",
            f"{_letters(rng, 1)} {_digits(rng, 3)} {_digits(rng, 3)}",
        )
    )


def tax_number(rng: Random) -> str:
    return rng.choice(
        (
            f"{_digits(rng, 2)}-{_digits(rng, 7)}",
            f"DE{_digits(rng, 9)}",
            f"GB {_digits(rng, 3)} {_digits(rng, 4)} {_digits(rng, 2)}",
            f"{_digits(rng, 3)}/{_digits(rng, 3)}/{_digits(rng, 5)}",
            f"***-**-{_digits(rng, 4)}",
        )
    )


def plate(rng: Random) -> str:
    return rng.choice(
        (f"{_letters(rng, 3)} {_digits(rng, 4)}", f"{_letters(rng, 2)}{_digits(rng, 2)} {_letters(rng, 3)}")
    )


def vehicle(rng: Random) -> str:
    make = rng.choice(("Ford Focus", "VW Golf", "Toyota Corolla", "Fiat Panda", "Honda Civic", "Volvo V70"))
    return f"{make} {rng.randint(1998, 2025)}"


def reading(rng: Random) -> str:
    """A meter's reading or a consumption."""
    return f"{rng.randint(20, 99999):,} {rng.choice(('kWh', 'kWh', 'm3', 'gal', 'therms', 'CCF', ''))}".strip()


def dose(rng: Random) -> str:
    often = rng.choice(("daily", "twice daily", "as needed", "at night", "1-0-1"))
    return f"{rng.choice(DRUGS)} {rng.choice((5, 10, 20, 100, 250, 500))} mg {often}"


def complaint(rng: Random) -> str:
    return f"{rng.choice(COMPLAINTS).capitalize()} {rng.choice(('of the', 'in the', '-'))} {rng.choice(BODY)}"


def vital(rng: Random) -> str:
    return rng.choice(
        (
            f"{rng.randint(95, 170)}/{rng.randint(60, 100)}",
            f"{rng.uniform(36, 40):.1f} °C",
            f"{rng.randint(55, 110)} bpm",
            f"{rng.randint(48, 120)} kg",
            f"{rng.randint(150, 199)} cm",
        )
    )


def tariff(rng: Random) -> str:
    return f"{rng.randint(1, 97):02d}{rng.randint(1, 99):02d}.{rng.randint(10, 99)}{rng.choice(('', '.00', '.90', ''))}"


def container(rng: Random) -> str:
    return f"{_letters(rng, 3)}U {_digits(rng, 6)}-{_digits(rng, 1)}"


def goods(rng: Random) -> str:
    return f"{rng.randint(1, 90)} {rng.choice(('cartons', 'pallets', 'pcs.', 'boxes', 'drums'))} {rng.choice(GOODS)}"


TRADE_VALUES: dict[str, Callable[[Random], str]] = {
    "day": day,
    "amount": amount,
    "small_amount": small_amount,
    "email": email,
    "bank_account": bank_account,
    "identifier": identifier,
    "tax_number": tax_number,
    "plate": plate,
    "vehicle": vehicle,
    "reading": reading,
    "dose": dose,
    "complaint": complaint,
    "vital": vital,
    "tariff": tariff,
    "container": container,
    "goods": goods,
    "country": lambda rng: rng.choice(COUNTRIES),
    "port": lambda rng: rng.choice(PORTS),
}
