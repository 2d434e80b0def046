"""Specifications of fields: what a YAML file may say, and what is said of one that makes no sense."""

from __future__ import annotations

import json

import pytest

from pipelines.fields.field_spec import MAX_BYTES, FieldSpec, parse_record_spec
from pipelines.fields.value_types import Conventions


def test_a_specification_has_fields_and_what_is_known_of_all_documents() -> None:
    spec = parse_record_spec(
        b"""
date_order: DMY
region: DE
fields:
  - name: company
    keys: [Company name, Firma, Raison sociale]
    required: true
  - name: amounts
    keys: "Amount"
    type: amount
    many: true
    section: Products and prices
""",
        "spec.yaml",
    )
    assert spec.fields == (
        FieldSpec("company", ("Company name", "Firma", "Raison sociale"), required=True),
        FieldSpec("amounts", ("Amount",), "amount", many=True, section="Products and prices"),
    )
    assert spec.conventions == Conventions(date_order="DMY", region="DE")
    assert json.loads(json.dumps(spec.as_json()))["fields"][0]["keys"] == ["Company name", "Firma", "Raison sociale"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no fields"),
        ("- a\n- b", "has no fields"),
        ("fields: []", "has no fields"),
        ("fields: {a: b}", "has no fields"),
        ("fields:\n  - total", "line 2: a field should have a name and keys"),
        ("fields:\n  - keys: [a]", "line 2: a field has no name"),
        ("fields:\n  - {name: a b, keys: [a]}", "line 2: name 'a b' cannot be that of a column"),
        ("fields:\n  - {name: no, keys: [a]}", "line 2: name False cannot be that of a column"),
        ("fields:\n  - name: a\n    keys: [a]\n    kind: date", "line 4: field a: unknown option 'kind'"),
        ("fields:\n  - name: a\n    keys: [a]\n    keys: [b]", "line 4: field a: keys stands there twice"),
        ("fields:\n  - {name: a, keys: []}", "line 2: field a: keys is missing"),
        ("fields:\n  - {name: a}", "line 2: field a: keys is missing"),
        ("fields:\n  - {name: a, keys: [12]}", "line 2: field a: key 12 is not text; put it in quotes"),
        ("fields:\n  - {name: a, keys: ['::']}", "line 2: field a: key '::' has no letters or digits"),
        ("fields:\n  - {name: a, keys: [a], type: money}", "field a: type is 'money'; it must be one of date, amount"),
        ("fields:\n  - {name: a, keys: [a], type: [date]}", "field a: type is ['date']"),
        ("fields:\n  - {name: a, keys: [a], many: 2}", "field a: many is 2; it must be true or false"),
        ("fields:\n  - {name: a, keys: [a], section: 3}", "field a: section is 3"),
        (
            "fields:\n  - {name: a, keys: [a]}\n  - {name: A, keys: [b]}",
            "line 3: field A: its column A is also that of the field a",
        ),
        (
            "fields:\n  - {name: t, keys: [a], type: amount}\n  - {name: t_currency, keys: [b]}",
            "line 3: field t_currency: its column t_currency is also that of the field t",
        ),
        ("fields:\n  - {name: uri, keys: [a]}", "its column uri is also a column of every record"),
        ("date_order: YMD\nfields:\n  - {name: a, keys: [a]}", "date_order is 'YMD'; it must be DMY or MDY"),
        (
            "region: UK\nfields:\n  - {name: a, keys: [a]}",
            "region is 'UK'; it must be an ISO 3166 code such as DE; that of",
        ),
        ("region: no\nfields:\n  - {name: a, keys: [a]}", "region is False; it must be an ISO 3166 code"),
        ("colour: red\nfields:\n  - {name: a, keys: [a]}", "line 1: unknown option 'colour'"),
        ("fields: [", "is not YAML"),
        ("fields: !!python/object/apply:os.system [ls]", "is not YAML"),
        ("a: 2026-99-99", "is not YAML"),
        ("[" * 5000, "nested too deeply"),
        ("#" * (MAX_BYTES + 1), "at most"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line_and_field(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_record_spec(text.encode(), "spec.yaml")
    assert str(error.value).startswith("spec.yaml") and reason in str(error.value)


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not YAML"):
        parse_record_spec(b"\x80\x81", "spec.yaml")


def test_aliases_that_would_multiply_cost_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(ValueError, match="unknown option 'a0'"):
        parse_record_spec("\n".join(lines).encode(), "spec.yaml")
