"""Records by a JSON schema: whether a schema can be used, how a record is compared, what is wrong with its form, and its regular expression.

    leaves(schema, {"code": "C61", "side": None})  ->  {"code": ("text", "c61")}

Read of a schema: objects with `properties`, arrays with `items`, strings, integers, numbers, booleans, null, `enum`, `format` (`date`, `partial-date`),
`uniqueItems` (the order does not matter), `required`, local `$ref`s, and `anyOf` of one type and null. What only describes is let be.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reasoner.errors import Unparseable
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Schema = dict[str, Any]
Leaf = tuple[str, Any]
"""What stands at a place of a record, as it is compared: its type and its value."""

MAX_DEPTH = 5
MAX_PATTERN_CHARS = 20_000
MAX_ITEMS = 20
SCALARS = ("string", "integer", "number", "boolean")
_PARTIAL = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$#&~-])")
_TEXT = r'"(?:[^"\\\n\r\t]|\\["\\/bfnrt]){0,400}"'
_NUMBERS = {"integer": r"-?(?:0|[1-9][0-9]{0,14})", "number": r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?"}


def plain_schema(schema: Any, *, within: Mapping[str, Any] | None = None, depth: int = 0) -> Schema:
    """Return a schema without references and alternatives: each node has a `type`, and `nullable` where null is allowed.

    Raises:
        ValueError: it cannot be used; the message says what of it.
    """
    if not isinstance(schema, dict):
        raise ValueError(f"{shorten(repr(schema), 60)} is no JSON schema")  # noqa: TRY004 - one fault of one text
    if depth > MAX_DEPTH:
        raise ValueError(f"the schema nests deeper than {MAX_DEPTH}")
    within = schema if within is None else within
    node, nullable = _resolved(schema, within)
    told = node.get("type")
    kinds = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    nullable = nullable or "null" in kinds or (isinstance(node.get("enum"), list) and None in node["enum"])
    kinds = [kind for kind in kinds if kind != "null"] or (["object"] if "properties" in node else ["string"] if "enum" in node else [])
    if len(kinds) != 1 or kinds[0] not in {*SCALARS, "object", "array"}:
        raise ValueError(f"the type {shorten(repr(told), 60)} cannot be compared; one of {', '.join(SCALARS)}, object and array is needed")
    made: Schema = {"type": kinds[0]} | ({"nullable": True} if nullable else {})
    made |= {name: node[name] for name in ("description", "format") if isinstance(node.get(name), str)}
    if kinds[0] == "object":
        properties = node.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise ValueError("an object of the schema has no properties")
        made["properties"] = {str(name): plain_schema(each, within=within, depth=depth + 1) for name, each in properties.items()}
        required = node.get("required", [])
        made["required"] = [name for name in properties if isinstance(required, list) and name in required]
    elif kinds[0] == "array":
        made["items"] = plain_schema(node.get("items"), within=within, depth=depth + 1)
        made |= {"uniqueItems": True} if node.get("uniqueItems") is True else {}
    elif isinstance(node.get("enum"), list):
        made["enum"] = [value for value in node["enum"] if value is not None]
    return made


def _resolved(schema: Mapping[str, Any], within: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Follow references and the alternative of null; (node, whether null is allowed)."""
    node, nullable = schema, False
    for _ in range(2 * MAX_DEPTH):
        if isinstance(reference := node.get("$ref"), str):
            place: Any = within
            for part in reference.removeprefix("#/").split("/"):
                place = place.get(part) if isinstance(place, dict) else None
            if not reference.startswith("#/") or not isinstance(place, dict):
                raise ValueError(f"the reference {shorten(reference, 60)!r} leads nowhere in the schema")
            node = {**place, **{name: value for name, value in node.items() if name != "$ref"}}
        elif isinstance(several := node.get("anyOf", node.get("oneOf")), list):
            others = [each for each in several if isinstance(each, dict) and each.get("type") != "null"]
            if len(others) != 1 or len(several) > 2:
                raise ValueError("alternatives (anyOf, oneOf) can be compared only where they are one type and null")
            rest = {name: value for name, value in node.items() if name not in {"anyOf", "oneOf"}}
            node, nullable = {**others[0], **rest}, nullable or len(several) > 1
        elif "allOf" in node or "patternProperties" in node:
            raise ValueError("allOf and patternProperties cannot be compared")
        else:
            return node, nullable
    raise ValueError("the references of the schema lead in a circle")


def load_record(text: str) -> dict[str, Any]:
    """Read one JSON object with exact numbers; a key that stands twice is refused.

    Raises:
        Unparseable: it is none.
    """
    try:
        made = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refused, object_pairs_hook=_once)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Unparseable(f"the record is no JSON: {shorten(str(error), 80)}") from error
    if not isinstance(made, dict):
        raise Unparseable("the record is no JSON object")
    return made


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in it")
    return made


def exact(value: Any) -> Any:
    """Return a JSON value as `load_record` would have read it: numbers as decimals."""
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [exact(each) for each in value]
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def leaves(schema: Schema, value: Any) -> dict[str, Leaf]:
    """Return what a record says, place by place; null says nothing, and neither does what is not there."""
    return dict(_leaves(schema, value, ""))


def _leaves(schema: Schema, value: Any, at: str) -> Iterator[tuple[str, Leaf]]:
    if value is None:
        return
    kind = schema["type"]
    if kind == "object" and isinstance(value, dict):
        for name, each in value.items():
            place = f"{at}.{name}" if at else name
            if name in schema["properties"]:
                yield from _leaves(schema["properties"][name], each, place)
            else:
                yield f"{place} (not asked for)", ("other", "")
    elif kind == "array" and isinstance(value, list):
        items = schema["items"]
        if schema.get("uniqueItems") and items["type"] in SCALARS:
            seen: Counter[Leaf] = Counter()
            for each in value:
                for _, leaf in _leaves(items, each, at):
                    seen[leaf] += 1
                    yield f"{at}[{leaf[1]}]" + "+" * (seen[leaf] - 1), leaf
            return
        for n, each in enumerate(value):
            yield from _leaves(items, each, f"{at}[{n}]") if each is not None else [(f"{at}[{n}]", ("null", ""))]
    else:
        yield at, _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Leaf:
    if kind == "string" and isinstance(value, str):
        return "text", " ".join(unicodedata.normalize("NFC", value).casefold().split())
    if kind in {"integer", "number"} and isinstance(value, Decimal):
        return "number", value
    if kind == "boolean" and isinstance(value, bool):
        return "truth", value
    return "other", shorten(_written(value), 200)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, Decimal) else str(value)


def faults(schema: Schema, value: Any, at: str = "the record") -> Iterator[str]:
    """Yield what is wrong with the form of a record, whatever it says."""
    kind = schema["type"]
    if value is None:
        if not schema.get("nullable"):
            yield f"{at} is null, and should be {_named(kind)}"
    elif kind == "object" and isinstance(value, dict):
        known = schema["properties"]
        inside = "" if at == "the record" else f"{at}."
        for name in value:
            if name not in known:
                yield f"{inside}{shorten(name, 40)} is not asked for"
        for name, each in known.items():
            if name in value:
                yield from faults(each, value[name], inside + name)
            elif name in schema["required"]:
                yield f"{inside}{name} is not there"
    elif kind == "array" and isinstance(value, list):
        for n, each in enumerate(value):
            yield from faults(schema["items"], each, f"{at}[{n}]")
    elif _scalar(kind, value)[0] == "other" or (kind == "integer" and value != value.to_integral_value()):
        yield f"{at} is {shorten(_written(value), 40)}, and should be {_named(kind)}"
    elif "enum" in schema and _scalar(kind, value) not in [_scalar(kind, exact(each)) for each in schema["enum"]]:
        yield f"{at} is {shorten(_written(value), 40)}, which is none of {shorten(', '.join(map(str, schema['enum'])), 100)}"
    elif kind == "string" and not _is_date(value, schema.get("format", "")):
        yield f"{at} is {shorten(_written(value), 40)}, and should be a date such as 2024-05-31"


def _is_date(text: str, form: str) -> bool:
    """Tell whether a text keeps to the format of a date, where it has one."""
    if form not in {"date", "partial-date"}:
        return True
    if not _PARTIAL.fullmatch(text) or (form == "date" and len(text) < 10):
        return False
    try:
        date.fromisoformat(text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text)
    except ValueError:
        return False
    return True


def _named(kind: str) -> str:
    return {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list"}.get(
        kind, "an object"
    )


def pattern(schema: Schema) -> str | None:
    """Return the regular expression of a record on one line, its keys in the schema's order; None where it would grow too long."""
    made = _pattern(schema)
    return made if len(made) <= MAX_PATTERN_CHARS else None


def _pattern(schema: Schema) -> str:
    kind = schema["type"]
    if kind == "object":
        made = r"\{" + ", ".join(f"{escaped(json.dumps(name))}: {_pattern(each)}" for name, each in schema["properties"].items()) + r"\}"
    elif kind == "array":
        each = _pattern(schema["items"])
        made = rf"\[(?:{each}(?:, {each}){{0,{MAX_ITEMS - 1}}})?\]"
    elif "enum" in schema:
        made = "|".join(escaped(json.dumps(each, ensure_ascii=False)) for each in schema["enum"])
    elif kind == "boolean":
        made = "true|false"
    elif kind in _NUMBERS:
        made = _NUMBERS[kind]
    elif schema.get("format") in {"date", "partial-date"}:
        made = '"[0-9]{4}-[0-9]{2}-[0-9]{2}"' if schema["format"] == "date" else '"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"'
    else:
        made = _TEXT
    return f"(?:null|{made})" if schema.get("nullable") else f"(?:{made})"


def escaped(text: str) -> str:
    """Return a text as a regular expression of it."""
    return _SPECIAL.sub(r"\\\1", text)


def ordered(schema: Schema, value: Any) -> Any:
    """Return a record with its keys in the schema's order, null where one is not there."""
    if schema["type"] == "object" and isinstance(value, dict):
        known = schema["properties"]
        made = {name: ordered(each, value.get(name)) for name, each in known.items()}
        return made | {name: each for name, each in value.items() if name not in known}
    if schema["type"] == "array" and isinstance(value, list | tuple):
        return [ordered(schema["items"], each) for each in value]
    return value
