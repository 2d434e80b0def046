"""A language's words from its YAML file in `languages`, and the texts of forms that are made of them."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import resources
from typing import Any

import yaml

from pipelines.datasets.synthetic_forms.grammar import Values, blanks, filled
from pipelines.datasets.synthetic_forms.language import FormLanguage
from pipelines.datasets.synthetic_forms.numerals import NumberForm, amounts, numeral_values
from pipelines.datasets.synthetic_forms.vocabulary import split

Random = random.Random
Kinds = tuple[tuple[str, str], ...]

AMOUNTS = frozenset({"money", "amount", "number", "measure", "percent", "weight", "length", "area", "reading"})
"""Kinds of values that are numbers, with or without a unit."""

REMARKED = frozenset({"phrase", "company", "name", "yes", "date"})
"""Kinds of values that have a remark behind them now and then."""


def read_language(code: str) -> FormLanguage:
    """The language of the file `languages/CODE.yaml`; the package's README describes the file.

    Raises:
        ValueError: a text or key names a kind of values that the file does not have.
    """
    file = resources.files("pipelines.datasets.synthetic_forms.languages") / f"{code}.yaml"
    content = file.read_text("utf-8")
    # The base loader reads every scalar as text: `No` and `12` are words here.
    data: dict[str, Any] = yaml.load(content, Loader=yaml.BaseLoader)
    numbers = data["numbers"]
    form = NumberForm(
        decimal=numbers["decimal"],
        thousands=tuple(numbers["thousands"]),
        currencies=tuple(numbers["currencies"]),
        places=int(numbers["places"]),
        scale=float(numbers["scale"]),
    )
    space = " " if data["words"] == "spaced" else ""
    texts, captions = ({name: split(text) for name, text in data[part].items()} for part in ("texts", "captions"))
    values: dict[str, Callable[[Random], str]] = numeral_values(form)
    values |= {name: partial(_text, values, alternatives) for name, alternatives in texts.items()}
    paragraph = partial(_paragraph, values, space)
    values["sentence"] = partial(paragraph, least=1, most=2)
    keys = {domain: _kinds(kinds) for domain, kinds in data["keys"].items()}
    listed = {name: _kinds(data[name]) for name in ("heads", "listed", "invoice", "receipt", "signed on", "dated")}
    _check(code, (*texts.values(), *captions.values()), values, (*keys.values(), *listed.values()))
    yes, no = split(data["yes and no"])
    return FormLanguage(
        code=code,
        tesseract=data["tesseract"],
        spaced=bool(space),
        domains=(split(data["office domains"]), split(data["trade domains"])),
        values=values,
        captions={
            **texts,
            **captions,
            "memo separators": tuple(data["separators"]),
            "copies separators": tuple(data["colons"]),
        },
        heads=listed["heads"],
        listed_keys=listed["listed"],
        row_groups=tuple((group, split(rows)) for group, rows in data["row groups"].items()),
        document_data=listed["invoice"],
        receipt_data=listed["receipt"],
        signed_on=listed["signed on"],
        dated=listed["dated"],
        yes_no=(yes, no),
        answer_columns=tuple(split(columns) for columns in data["answer columns"]),
        key=partial(_key, keys, captions["key tail"], space),
        amount_keys=partial(_amount_keys, keys, captions["row"]),
        value=partial(_value, values, space),
        options=lambda rng, domain, count: rng.sample(captions["option"], count),
        title=partial(_title, {domain: split(text) for domain, text in data["titles"].items()}),
        section_title=partial(_title, {domain: split(text) for domain, text in data["sections"].items()}),
        long_title=lambda rng, text: f"{text}{rng.choice((' - ', ' / ', ' '))}{values['title addition'](rng)}",
        long_section_title=lambda rng, text: f"{text}{rng.choice((' - ', ' / '))}{values['phrase'](rng)}",
        statement=lambda rng, domain: values["statement"](rng),
        question=values["question"],
        qualified=lambda rng, text, kind: f"{text}{space}{values['head tail'](rng)}" if kind == "money" else text,
        joined_keys=lambda rng, text, domain: (
            f"{text}{space}{rng.choice(captions['key joiner'])}{space}{rng.choice(keys[domain])[0]}"
        ),
        expand=lambda rng, text: filled(rng, text, values),
        paragraph=paragraph,
        amounts=partial(amounts, form),
        separators=tuple(data["separators"]),
        listed=data["list separator"],
        clause_numbers=tuple(data["clause numbers"]),
        step_numbers=tuple(data["step numbers"]),
        bullets=tuple(data["bullets"]),
        apart=tuple(data["apart"]),
        cell=str.strip,
        larger=int(data["larger"]),
        key_capitals=float(data["key capitals"]),
        fitted=True,
        families=data["fonts"],
        characters="".join(sorted({*content, *string.ascii_letters, *string.digits} - set("\n {}|"))),
        annotators=False,
    )


def _kinds(kinds: Mapping[str, str]) -> Kinds:
    """Each text with the kind under which it is listed."""
    return tuple((text, kind) for kind, listed in kinds.items() for text in split(listed))


def _check(code: str, texts: Iterable[Iterable[str]], values: Values, keys: Iterable[Kinds]) -> None:
    named = {blank for alternatives in texts for text in alternatives for blank in blanks(text)}
    named |= {kind for kinds in keys for _, kind in kinds}
    if unknown := sorted(named - set(values)):
        raise ValueError(f"the words of the language {code} name kinds of values that it has not: {unknown}")


def _text(values: Values, alternatives: tuple[str, ...], rng: Random) -> str:
    return filled(rng, rng.choice(alternatives), values)


def _paragraph(values: Values, space: str, rng: Random, least: int, most: int) -> str:
    return space.join(values["one sentence"](rng) for _ in range(rng.randint(least, most)))


def _value(values: Values, space: str, rng: Random, kind: str) -> str:
    text = values[kind](rng)
    if kind in REMARKED and rng.random() < 0.06:
        text = f"{text}{space}{values['remark'](rng)}"
    return text


def _key(keys: Mapping[str, Kinds], tails: tuple[str, ...], space: str, rng: Random, domain: str) -> tuple[str, str]:
    known = keys[domain if domain in keys and rng.random() < 0.9 else rng.choice(tuple(keys))]
    text, kind = rng.choice(known)
    if rng.random() < 0.07:
        text = f"{text}{space}{rng.choice(tails)}"
    return text, kind


def _amount_keys(keys: Mapping[str, Kinds], rows: tuple[str, ...], rng: Random, domain: str, count: int) -> list[str]:
    known = [text for text, kind in keys[domain] if kind in AMOUNTS]
    return rng.sample([*known, *rng.sample(rows, count)], count)


def _title(titles: Mapping[str, tuple[str, ...]], rng: Random, domain: str) -> str:
    """A title of the domain, or now and then one that any form may have."""
    return rng.choice(titles[domain if domain in titles and rng.random() < 0.75 else "any"])
