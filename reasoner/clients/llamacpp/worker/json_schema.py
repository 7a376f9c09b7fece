"""From a JSON schema to what llguidance is given: keywords it would pass over are refused, those it gets wrong are written in another way.

Knows JSON schema (draft 2020-12, and how older drafts said the same); knows no tokens. A keyword that llguidance does not know is an
annotation to it, so each assertion of any draft that it does not serve is looked for here.

    plain_schema('{"type": "array", "uniqueItems": false, "items": {"format": "date"}}')
        -> {"type": "array", "items": {"format": "date", "pattern": "^(?:...)$"}}
    plain_schema('{"properties": {"a": {"not": {}}}}') -> Unserved at #/properties/a: ...

Source: https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from reasoner.text import clean, shorten

MAX_DEPTH = 60
"""Schemas within schemas. llguidance reads JSON 128 levels deep; a schema takes two levels for each of its own."""
MAX_TRIALS = 300
"""Parts of a schema that are compiled by themselves to find which one is at fault."""

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems")
_UNSERVED = (
    "not", "if", "contains", "uniqueItems", "dependentRequired", "dependentSchemas", "dependencies", "propertyNames",
    "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "divisibleBy", "disallow", "extends",
)  # fmt: skip
_IDLE_WITHOUT = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
_NAMED_ESCAPES = "\b\t\n\f\r"
_ROOT = "__root__"

_LEAP = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_YEAR = r"(?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])"
_DATE = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP}-02-29)"
)
_PATTERNS = {"date": f"^{_DATE}$", "date-time": rf"^{_DATE}[Tt]\d\d:\d\d:[0-5]\d", "time": r"^\d\d:\d\d:[0-5]\d"}
"""What llguidance's own formats leave open: 29 February of any year, the year 0 (Python has none), and a leap second at any minute."""


class Unserved(Exception):
    """A part of a schema that cannot be kept as a constraint: `path` is a JSON pointer, `reason` one line."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"at {path}: {reason}")
        self.path = path
        self.reason = reason


def plain_schema(text: str) -> dict[str, Any]:
    """Return the schema as llguidance is to be given it.

    Raises:
        Unserved: it holds an assertion that cannot be kept.
        ValueError: it is no JSON.
    """
    schema = _plain(json.loads(text, parse_constant=_no_constant), "#", 0)
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise Unserved("#", "no value fits it" if schema is False else "a schema is an object or a truth value")
    if needs_unicode_escapes(schema) and any(_is_open(node) for node in _nodes(schema)):
        raise Unserved("#", "a literal holds a control character; this needs additionalProperties: false in every object")
    return schema


def needs_unicode_escapes(schema: dict[str, Any]) -> bool:
    r"""Tell whether a literal of the schema can only be written with an escape such as `\u0001`.

    Where they can be avoided, they must be: llguidance takes `"\u0061"` for another name than `"a"`.
    """
    return any(_has_control(text) for node in _nodes(schema) for text in _literals(node))


def first_fault(schema: dict[str, Any], fault_of: Callable[[dict[str, Any]], str]) -> Unserved:
    """Find the deepest part of a schema that has a fault by itself; `fault_of` tells what is wrong with a schema, empty for nothing."""
    moved = _moved(schema)
    trials = 0

    def fault_at(pointer: str) -> str:
        nonlocal trials
        trials += 1
        return fault_of({"$defs": {_ROOT: moved}, "$ref": f"#/$defs/{_ROOT}{pointer}"}) if trials <= MAX_TRIALS else ""

    path, node, reason = "", schema, fault_of(schema)
    descends = True
    while descends:
        descends = False
        for step, inner in _parts(node):
            if isinstance(inner, dict) and not step.startswith(("/$defs", "/definitions")) and (fault := fault_at(path + step)):
                path, node, reason, descends = path + step, inner, fault, True
                break
    return Unserved("#" + path, shorten(clean(reason.partition("\n<state>")[0]).replace("\n", " "), 200))


def _plain(node: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unserved(shorten(path, 120), f"more than {MAX_DEPTH} schemas are within each other")
    if isinstance(node, bool):
        return node
    if not isinstance(node, dict):
        raise Unserved(path, "a schema is an object or a truth value")
    found = {key: value for key, value in node.items() if key != "x-guidance" and _IDLE_WITHOUT.get(key, key) in node}
    _check_assertions(found, path)
    if isinstance(found.get("items"), list):
        # As older drafts said it; where the list stood, so that paths and order stay.
        rest = found.pop("additionalItems", True)
        found = {("prefixItems" if key == "items" else key): value for key, value in found.items()} | {"items": rest}
    result: dict[str, Any] = {}
    for key, value in found.items():
        here = f"{path}/{_escaped(key)}"
        if key in _MAPS and isinstance(value, dict):
            result[key] = {name: _plain(inner, f"{here}/{_escaped(name)}", depth + 1) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [_plain(inner, f"{here}/{index}", depth + 1) for index, inner in enumerate(value)]
        elif key in _SINGLES:
            result[key] = _plain(value, here, depth + 1)
        else:
            result[key] = value
    return _spelt_out(result)


def _spelt_out(node: dict[str, Any]) -> dict[str, Any]:
    """Say in another way what llguidance would keep too narrowly or too widely."""
    extra: list[dict[str, Any]] = []
    if (pattern := _PATTERNS.get(str(node.get("format")))) is not None:
        extra.append({"pattern": pattern})
    if len(multiples := _multiples(node.get("multipleOf"))) > 1:
        node = {key: value for key, value in node.items() if key != "multipleOf"}
        extra.append({"anyOf": [{"multipleOf": multiple} for multiple in multiples]})
    return {**node, "allOf": [*node.get("allOf", []), *extra]} if extra else node


def _multiples(value: Any) -> list[float]:
    """Return the numbers whose multiples, each written with as many decimals as the number has, are those of `value` in every length.

    llguidance reads a multiple of 0.25 only with two decimals or none; 8.5 is one of 0.5.
    """
    if not isinstance(value, float) or not 0 < value < math.inf:
        return []
    n_decimals = -int(Decimal(repr(value)).normalize().as_tuple().exponent)
    whole = int(Decimal(repr(value)).scaleb(n_decimals))
    return [math.lcm(whole, 10 ** (n_decimals - n)) / 10**n_decimals for n in range(1, n_decimals + 1)] if n_decimals > 1 else []


def _check_assertions(node: dict[str, Any], path: str) -> None:
    """Take out of a node what does not bind, and refuse what binds and cannot be kept."""
    for key in _UNSERVED:
        if key in node and not _is_idle(key, node):
            raise Unserved(path, f"{key!r} cannot be kept by a constraint")
        node.pop(key, None)
    for key in ("then", "else"):
        node.pop(key, None)
    ref = node.get("$ref")
    if ref is not None and not (isinstance(ref, str) and ref.startswith("#")):
        raise Unserved(path, f"the $ref {shorten(str(ref), 80)!r} points outside of the schema")
    least = node.get("minProperties")
    required = node.get("required")
    n_required = len(required) if isinstance(required, list) else 0
    if (
        isinstance(least, int)
        and least > n_required + 1
        and (node.get("additionalProperties") is not False or node.get("patternProperties"))
    ):
        raise Unserved(path, "'minProperties' counts names that are not required, and these may be written twice")


def _is_idle(key: str, node: dict[str, Any]) -> bool:
    value: object = node[key]
    if key in {"uniqueItems", "not"}:
        return value is False
    if key == "if":
        return "then" not in node and "else" not in node
    if key in {"dependentRequired", "dependentSchemas", "dependencies"}:
        return value == {}
    return key in {"propertyNames", "unevaluatedProperties", "unevaluatedItems"} and (value is True or value == {})


def _parts(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the schemas directly within one, with the step of the JSON pointer that leads to each."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _MAPS and isinstance(value, dict):
            yield from ((f"/{_escaped(key)}/{_escaped(name)}", inner) for name, inner in value.items())
        elif key in _LISTS and isinstance(value, list):
            yield from ((f"/{key}/{index}", inner) for index, inner in enumerate(value))
        elif key in _SINGLES:
            yield f"/{key}", value


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for _, inner in _parts(node):
            yield from _nodes(inner)


def _literals(node: dict[str, Any]) -> Iterator[str]:
    yield from _texts([node.get("const"), node.get("enum"), node.get("required")])
    names = node.get("properties")
    yield from names if isinstance(names, dict) else ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)


def _has_control(text: str) -> bool:
    return any((character < " " and character not in _NAMED_ESCAPES) or character == "\x7f" for character in text)


def _is_open(node: dict[str, Any]) -> bool:
    names = ("properties", "patternProperties", "required")
    return any(key in node for key in names) and (node.get("additionalProperties") is not False or bool(node.get("patternProperties")))


def _moved(node: Any) -> Any:
    """Return a schema whose references to itself lead to where it stands as a definition of another."""
    if isinstance(node, list):
        return [_moved(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    moved = {key: value if key in {"const", "enum", "default", "examples"} else _moved(value) for key, value in node.items()}
    ref = node.get("$ref")
    if isinstance(ref, str):
        moved["$ref"] = f"#/$defs/{_ROOT}{ref[1:]}"
    return moved


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
