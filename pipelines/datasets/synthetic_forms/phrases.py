"""Values, sentences, titles and keys for drawn forms: each function takes a generator and gives text."""

from __future__ import annotations

import random
from collections.abc import Callable

from pipelines.datasets.synthetic_forms import vocabulary as words
from pipelines.datasets.synthetic_forms import vocabulary_trades as trades
from pipelines.datasets.synthetic_forms.names import (
    CITIES,
    COMPANY_FIRST,
    COMPANY_LAST,
    DEPARTMENTS,
    FIRST_NAMES,
    LAST_NAMES,
    MONTHS,
    OBJECTS,
    PHRASE_ADJECTIVES,
    PHRASE_NOUNS,
    PHRASE_TAILS,
    POSITIONS,
    SENTENCE_ENDS,
    SENTENCE_STARTS,
    SHORT_REMARKS,
    STREETS,
    VERBS,
)
from pipelines.datasets.synthetic_forms.trade_values import TRADE_VALUES

Random = random.Random


def name(rng: Random) -> str:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    letter = rng.choice("ABCDEFGHJKLMNPRSTW")
    form = rng.random()
    if form < 0.3:
        return f"{first} {last}"
    if form < 0.5:
        return f"{first[0]}. {letter}. {last}"
    if form < 0.65:
        return f"{first} {letter}. {last}"
    if form < 0.75:
        return f"{rng.choice(('Mr.', 'Ms.', 'Dr.', 'Mrs.', 'Dr.'))} {first[0]}. {last}"
    if form < 0.83:
        return f"{last}, {first}"
    if form < 0.9:
        return f"{first[0]}. {last}"
    if form < 0.95:
        return last
    return f"{first} {last}, {rng.choice(('Ph.D.', 'Esq.', 'M.D.', 'Director', 'Jr.', 'Manager'))}"


def company(rng: Random) -> str:
    if rng.random() < 0.15:
        return f"{rng.choice(LAST_NAMES)} & {rng.choice(LAST_NAMES)}"
    return f"{rng.choice(COMPANY_FIRST)} {rng.choice(COMPANY_LAST)}" + rng.choice(
        ("", "", "", " Inc.", " Co.", ", Inc.", " Corp.", " Ltd.", " Company")
    )


def department(rng: Random) -> str:
    return rng.choice(DEPARTMENTS)


def date(rng: Random) -> str:
    month, day, year = rng.randint(1, 12), rng.randint(1, 28), rng.randint(62, 104)
    long = MONTHS[month - 1]
    short, full = f"{year % 100:02d}", str(1900 + year)
    return rng.choice(
        (
            f"{month}/{day}/{short}",
            f"{month}/{day}/{short}",
            f"{month:02d}/{day:02d}/{short}",
            f"{month}-{day}-{short}",
            f"{month:02d}/{day:02d}/{full}",
            f"{long} {day}, {full}",
            f"{long} {day}, {full}",
            f"{long} {day}, {full}",
            f"{day} {long[:3]} {full}",
            f"{long[:3]}. {day}, {full}",
            f"{long} {full}",
            f"{long[:3].upper()} {day:02d} {full}",
            f"{month}/{day}",
            f"{day}-{long[:3]}-{short}",
            full,
        )
    )


def time(rng: Random) -> str:
    hour, minute = rng.randint(1, 12), rng.randint(0, 59)
    return rng.choice(
        (f"{hour}:{minute:02d} {rng.choice(('am', 'PM', 'p.m.', 'A.M.'))}", f"{hour + 8}:{minute:02d}", f"{hour}:00")
    )


def phone(rng: Random) -> str:
    area, first, last = rng.randint(201, 989), rng.randint(200, 999), rng.randint(0, 9999)
    return rng.choice(
        (
            f"({area}) {first}-{last:04d}",
            f"({area}) {first}-{last:04d}",
            f"{area}-{first}-{last:04d}",
            f"{area}/{first}-{last:04d}",
            f"{first}-{last:04d}",
            f"1-{area}-{first}-{last:04d}",
            f"({area}){first}-{last:04d}",
            f"{area}.{first}.{last:04d}",
            f"{first}-{last:04d} Ext. {rng.randint(10, 999)}",
        )
    )


def money(rng: Random) -> str:
    amount = round(10 ** rng.uniform(0.7, 6.2), 2)
    sign = rng.choice(("$", "$", "$", "", "$ "))
    return sign + (f"{amount:,.0f}" if amount > 300 and rng.random() < 0.6 else f"{amount:,.2f}")


def figure(rng: Random) -> str:
    """An amount in a table, mostly without a sign."""
    amount = 10 ** rng.uniform(0.5, 6)
    text = f"{amount:,.0f}" if rng.random() < 0.7 else f"{amount:,.2f}"
    form = rng.random()
    return f"${text}" if form < 0.2 else f"({text})" if form < 0.25 else "-" if form < 0.28 else text


def number(rng: Random) -> str:
    value = int(10 ** rng.uniform(0, 5.5))
    return rng.choice((f"{value:,}", f"{value:,}", str(value), str(value % 1000), str(value % 100)))


def small(rng: Random) -> str:
    return rng.choice((str(rng.randint(1, 30)), str(rng.randint(1, 9)), f"0{rng.randint(1, 9)}", "2 (incl. cover)"))


def decimal(rng: Random) -> str:
    value = 10 ** rng.uniform(-2, 3)
    places = rng.choice((1, 1, 2, 2, 3))
    form = rng.random()
    text = f"{value:.{places}f}"
    if form < 0.05:
        return f"< {text}"
    if form < 0.09:
        return f"{text} ± {value / 20:.{places}f}"
    if form < 0.12:
        return rng.choice(("N.D.", "-", "n/a", "--", "N.A.", "trace"))
    return text


def percent(rng: Random) -> str:
    value = rng.uniform(0, 100)
    return rng.choice((f"{value:.0f}%", f"{value:.1f}%", f"{value:.0f}", f"{value:.1f}", f"{value:.0f} %"))


def measure(rng: Random) -> str:
    value = 10 ** rng.uniform(-1, 3)
    text = f"{value:.{rng.choice((0, 1, 1, 2))}f}"
    unit = rng.choice(
        ("mm", "mg", "lbs.", "g", "ml", "in.", "kg", "oz.", "mg/kg", "ppm", "cm", "min.", "hours", "psi", "°C", "cc")
    )
    return rng.choice((f"{text} {unit}", f"{text} {unit}", f"{text}{unit}", text, f"{text} x {value * 1.4:.0f} {unit}"))


def code(rng: Random) -> str:
    letters = "".join(rng.choices("ABCDEFGHKLMNPRSTWX", k=rng.randint(1, 3)))
    return rng.choice(
        (
            f"{letters}-{rng.randint(1, 9999)}",
            f"{rng.randint(100, 99999)}",
            f"{rng.randint(1960, 2003)}-{rng.randint(1, 999)}",
            f"{rng.randint(10, 99)}-{rng.randint(100, 9999)}-{rng.randint(1, 99):02d}",
            f"{letters}{rng.randint(10, 9999)}",
            f"{rng.randint(1, 999):03d}-{letters}",
            f"{rng.randint(1, 99)}",
            f"# {rng.randint(1, 9999)}",
            f"{letters} {rng.randint(1, 99)}-{rng.randint(1, 99)}",
        )
    )


def phrase(rng: Random) -> str:
    form = rng.random()
    noun = rng.choice(PHRASE_NOUNS)
    if form < 0.12:
        text = noun
    elif form < 0.5:
        text = f"{rng.choice(PHRASE_ADJECTIVES)} {noun}"
    elif form < 0.75:
        text = f"{rng.choice(PHRASE_ADJECTIVES)} {noun} {rng.choice(PHRASE_TAILS)}"
    elif form < 0.85:
        text = f"{noun} {rng.choice(('and', '&', '/', '-', 'for', 'or'))} {rng.choice(PHRASE_NOUNS)}"
    elif form < 0.93:
        text = rng.choice(SHORT_REMARKS)
    else:
        text = rng.choice(POSITIONS)
    if rng.random() < 0.4:
        text = f"{text} {rng.choice(('and', '/', '-', ',', 'with', 'for'))} {rng.choice(PHRASE_NOUNS)}"
    return rng.choice((text.upper(), text.title(), text.title(), text, text.capitalize()))


def yes(rng: Random) -> str:
    return rng.choice(("Yes", "No", "YES", "NO", "X", "Y", "N", "yes", "no", "None", "N/A", "Not applicable"))


def place(rng: Random) -> str:
    city, state = rng.choice(CITIES)
    return rng.choice((f"{city}, {state}", f"{city}, {state} {rng.randint(10000, 98999)}", city, f"{city} {state}"))


def street(rng: Random) -> str:
    return rng.choice((f"{rng.randint(1, 9900)} {rng.choice(STREETS)}", f"P.O. Box {rng.randint(10, 9999)}"))


def address(rng: Random) -> str:
    return f"{street(rng)}, {place(rng)}"


def sentence(rng: Random) -> str:
    """One sentence of about eight to twenty words."""
    form = rng.random()
    subject = f"{rng.choice(OBJECTS)} {rng.choice(VERBS)}"
    if form < 0.35:
        return f"{rng.choice(SENTENCE_STARTS)} {subject} {rng.choice(SENTENCE_ENDS)}."
    if form < 0.6:
        return f"{subject[0].upper()}{subject[1:]} {rng.choice(SENTENCE_ENDS)}."
    if form < 0.8:
        detail = rng.choice(
            (f"on {date(rng)}", f"by {name(rng)}", f"at {measure(rng)}", f"for {money(rng)}", f"to {company(rng)}")
        )
        return f"{subject[0].upper()}{subject[1:]} {detail} {rng.choice(SENTENCE_ENDS)}."
    if form < 0.9:
        return f"{rng.choice(SHORT_REMARKS).capitalize()}."
    return (
        f"{rng.choice(PHRASE_ADJECTIVES).capitalize()} {rng.choice(PHRASE_NOUNS)} "
        f"{rng.choice(PHRASE_TAILS)}; {subject} {rng.choice(SENTENCE_ENDS)}."
    )


def paragraph(rng: Random, least: int = 1, most: int = 4) -> str:
    return " ".join(sentence(rng) for _ in range(rng.randint(least, most)))


VALUES: dict[str, Callable[[Random], str]] = {
    "name": name,
    "company": company,
    "department": department,
    "date": date,
    "time": time,
    "phone": phone,
    "money": money,
    "figure": figure,
    "number": number,
    "small": small,
    "decimal": decimal,
    "percent": percent,
    "measure": measure,
    "code": code,
    "phrase": phrase,
    "yes": yes,
    "place": place,
    "address": address,
    "sentence": lambda rng: paragraph(rng, 1, 2),
    **TRADE_VALUES,
}


def value(rng: Random, kind: str) -> str:
    """A value of the kind, now and then with a remark after it."""
    text = VALUES[kind](rng)
    if kind not in ("sentence", "address", "small") and rng.random() < 0.1:
        text = f"{text} ({rng.choice(SHORT_REMARKS)})"
    return text


def key(rng: Random, domain: str) -> tuple[str, str]:
    """A key of the domain without its separator, and the kind of its value."""
    form = rng.random()
    known = trades.KEYS if domain in trades.KEYS else words.KEYS
    if form < (0.75 if known is words.KEYS else 0.9):
        text, kind = rng.choice(known[domain])
    elif form < 0.83 or known is trades.KEYS:
        text, kind = rng.choice(known[rng.choice(tuple(known))])
    elif form < 0.93:
        noun, kind = rng.choice(words.NOUNS)
        text = f"{rng.choice(words.ADJECTIVES)} {noun}"
    else:
        noun, kind = rng.choice(words.NOUNS)
        text = f"{rng.choice(PHRASE_NOUNS).title()} {noun}"
    tail = rng.random()
    if tail < 0.09:
        text = f"{text} {rng.choice(words.KEY_TAILS)}"
    elif tail < 0.24:
        noun = rng.choice(words.NOUNS)[0]
        text = f"{text} {rng.choice(('of', 'for', 'and', '/', 'or'))} {rng.choice(words.ADJECTIVES)} {noun}"
    elif tail < 0.34:
        text = f"{rng.choice(words.ADJECTIVES)} {text}"
    return text, kind


def options(rng: Random, domain: str, count: int) -> list[str]:
    """Distinct labels of check boxes."""
    return rng.sample(trades.CHECK_LABELS if domain in trades.KEYS else words.CHECK_LABELS, count)


def title(rng: Random, domain: str = "") -> str:
    """A title of a form; of the domain's forms where the domain is a trade."""
    form = rng.random()
    if domain in trades.TITLES and form < 0.8:
        return rng.choice(trades.TITLES[domain])
    if form < 0.25:
        return rng.choice(words.TITLES)
    parts = [rng.choice(words.TITLE_FIRST), rng.choice(words.TITLE_LAST)]
    if rng.random() < 0.55:
        parts.insert(1, rng.choice(words.TITLE_MIDDLE))
    if rng.random() < 0.12:
        parts.insert(
            0, rng.choice(("Request for", "Application for", "Report on", "1989", "1994", "Proposed", "Final"))
        )
    return " ".join(parts)


def section_title(rng: Random, domain: str = "") -> str:
    """A title of a section; of the domain's forms where the domain is a trade."""
    known = trades.SECTION_TITLES.get(domain, ())
    text = rng.choice(known if known and rng.random() < 0.75 else words.SECTION_TITLES)
    form = rng.random()
    if form < 0.08:
        return f"{rng.choice(('A.', 'B.', 'C.', 'I.', 'II.', 'III.', '1.', '2.', '3.'))} {text}"
    if form < 0.12:
        return f"{text} ({rng.choice(('continued', 'check one', 'if applicable', 'in thousands', 'attach'))})"
    return text
