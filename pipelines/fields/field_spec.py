"""The fields that someone wants of every document: names of columns, spellings of keys, types. Read from YAML."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.fields.key_matching import normalise_key
from pipelines.fields.value_types import VALUE_TYPES, Conventions, ValueType

MAX_BYTES = 256 * 1024
"""Of a specification."""

RESERVED_NAMES = frozenset(("document_id", "uri", "needs_review", "review_reasons"))
"""Columns that every record has."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TYPES = ", ".join(VALUE_TYPES)


@dataclass(frozen=True)
class FieldSpec:
    """A field that is wanted of every document.

    Attributes:
        name: of its column.
        keys: spellings of its key, in any languages; a key need only resemble one of them.
        type: its values are read as that.
        many: whether it has a list of values, in the order of the document, instead of the best one.
        required: whether a document without it is to be reviewed.
        section: it counts only under a heading that resembles this; None for anywhere.
    """

    name: str
    keys: tuple[str, ...]
    type: ValueType = "text"
    many: bool = False
    required: bool = False
    section: str | None = None


@dataclass(frozen=True)
class RecordSpec:
    """What a record is made of.

    Attributes:
        fields: in the order of the columns.
        conventions: what is known of the values of all documents.
    """

    fields: tuple[FieldSpec, ...]
    conventions: Conventions = field(default_factory=Conventions)

    def as_json(self) -> dict[str, Any]:
        """The specification as it is written into the record of a run."""
        return {**asdict(self), "fields": [{**asdict(wanted), "keys": list(wanted.keys)} for wanted in self.fields]}


def parse_record_spec(text: bytes, source: str) -> RecordSpec:
    """The specification in a YAML file.

    Args:
        source: the file's name, for errors.

    Raises:
        ValueError: it is no valid specification; the message names the line and the field.
    """
    import yaml

    if len(text) > MAX_BYTES:
        raise ValueError(f"{source} has {len(text)} bytes; a specification of fields has at most {MAX_BYTES}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ValueError(f"{source} is not a specification of fields: it is nested too deeply") from None
    if not isinstance(node, yaml.MappingNode) or not isinstance(content, dict):
        raise ValueError(f"{source} has no fields; it should begin with a line that says fields:")
    _check_names(source, node, ("fields", "date_order", "decimal_separator", "currency", "region"), "")
    nodes = next((value for key, value in node.value if key.value == "fields"), None)
    if not isinstance(nodes, yaml.SequenceNode) or not nodes.value:
        raise ValueError(f"{source} has no fields; under fields: it should list them, each with a name and keys")
    fields = [
        _parse_field(f"{source}, line {item.start_mark.line + 1}", item, values)
        for item, values in zip(nodes.value, content["fields"], strict=True)
    ]
    _check_columns(
        source, [(item.start_mark.line + 1, wanted) for item, wanted in zip(nodes.value, fields, strict=True)]
    )
    return RecordSpec(tuple(fields), _parse_conventions(source, content))


def _check_names(source: str, node: Any, known: tuple[str, ...], where: str) -> None:
    """Refuse unknown and repeated options of a mapping."""
    seen = set[str]()
    for key, _ in node.value:
        line = f"{source}, line {key.start_mark.line + 1}: {where}"
        if key.value not in known:
            raise ValueError(f"{line}unknown option {str(key.value)!r}; the options are {', '.join(known)}")
        if key.value in seen:
            raise ValueError(f"{line}{key.value} stands there twice")
        seen.add(key.value)


def _parse_field(where: str, node: Any, values: Any) -> FieldSpec:
    if not isinstance(values, dict):
        raise ValueError(f"{where}: a field should have a name and keys, as in: {{name: total, keys: [Total due]}}")
    name = values.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        said = "a field has no name" if name is None else f"name {name!r} cannot be that of a column"
        raise ValueError(f"{where}: {said}; it must be up to 63 letters (a to z), digits and _, no digit first")
    of_field = f"field {name}: "
    _check_names(where.rpartition(", line ")[0], node, tuple(FieldSpec.__dataclass_fields__), of_field)
    where = f"{where}: {of_field}"
    keys = values.get("keys")
    keys = [keys] if isinstance(keys, str) else keys
    if not isinstance(keys, list) or not keys:
        raise ValueError(f"{where}keys is missing; it should list the spellings of its key")
    for key in keys:
        if not isinstance(key, str):
            raise ValueError(f"{where}key {key!r} is not text; put it in quotes")
        if not normalise_key(key):
            raise ValueError(f"{where}key {key[:40]!r} has no letters or digits, or over 200 characters")
    kind = values.get("type", "text")
    if kind not in VALUE_TYPES:
        raise ValueError(f"{where}type is {kind!r}; it must be one of {_TYPES}")
    for option in ("many", "required"):
        if not isinstance(values.get(option, False), bool):
            raise ValueError(f"{where}{option} is {values[option]!r}; it must be true or false")
    section = values.get("section")
    if section is not None and (not isinstance(section, str) or not normalise_key(section)):
        raise ValueError(f"{where}section is {section!r}; it must be the text of a heading")
    return FieldSpec(name, tuple(keys), kind, values.get("many", False), values.get("required", False), section)


def _check_columns(source: str, fields: list[tuple[int, FieldSpec]]) -> None:
    """Refuse fields that would have a column of the same name; capitals make no difference, as in most databases."""
    seen = dict.fromkeys(RESERVED_NAMES, "a column of every record")
    for line, wanted in fields:
        columns = [wanted.name, f"{wanted.name}_currency"] if wanted.type == "amount" else [wanted.name]
        for column in columns:
            if column.lower() in seen:
                raise ValueError(
                    f"{source}, line {line}: field {wanted.name}: its column {column} is also {seen[column.lower()]}"
                )
            seen[column.lower()] = f"that of the field {wanted.name}"


def _is_region(value: str) -> bool:
    from phonenumbers import SUPPORTED_REGIONS

    return value in SUPPORTED_REGIONS


def _parse_conventions(source: str, content: dict[str, Any]) -> Conventions:
    checks: dict[str, tuple[Callable[[str], bool], str]] = {
        "date_order": (lambda value: value in ("DMY", "MDY"), "DMY or MDY"),
        "decimal_separator": (lambda value: value in (".", ","), 'a point or a comma in quotes: "." or ","'),
        "currency": (lambda value: re.fullmatch("[A-Z]{3}", value) is not None, "an ISO 4217 code such as EUR"),
        "region": (_is_region, "an ISO 3166 code such as DE; that of the United Kingdom is GB"),
    }
    for name, (is_valid, expected) in checks.items():
        value = content.get(name)
        if value is not None and not (isinstance(value, str) and is_valid(value)):
            raise ValueError(f"{source}: {name} is {value!r}; it must be {expected}")
    return Conventions(**{name: content.get(name) for name in checks})
