"""A corpus of JSON schemas as people write them, each with instances, made from seeds: records, maps, lists, unions, references, formats.

Every schema says whether a constraint can keep it; those that say no hold one keyword that llguidance does not serve, somewhere inside.
Instances are made beside the schema, not from it, so neither the validator nor the constraint had a hand in them.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Maker = Callable[[random.Random], Any]
Pair = tuple[dict[str, Any], Maker]

WORDS = (
    "name",
    "age",
    "street",
    "zip code",
    "e-mail",
    "tags",
    "item_id",
    "größe",
    "価格",
    "is_active",
    'quoted "x"',
    "back\\slash",
    "line\nend",
    "a/b",
    "~t",
)
LITERALS = (
    "red",
    "",
    'say "hi"',
    "C:\\temp\\new",
    "two\nlines\ttab",
    "😀 ok",
    "naïve",
    "</s>",
    "<|im_end|>",
    "{}",
    "null",
    " pad ",
    "a/b",
    "\u2028",
)
INTEGERS = {"minimum": -7, "maximum": 1200}
UNSERVED: tuple[dict[str, Any], ...] = (
    {"not": {"type": "null"}},
    {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    {"type": "array", "contains": {"type": "integer"}},
    {"if": {"type": "string"}, "then": {"minLength": 2}},
    {"type": "object", "properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}},
    {"type": "object", "propertyNames": {"pattern": "^a"}},
    {"type": "object", "properties": {"a": {}}, "unevaluatedProperties": False},
    {"type": "string", "format": "telephone"},
    {"type": "string", "pattern": "^(?=a)[a-z]+$"},
    {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    {"$ref": "https://example.com/schema.json"},
    {"$ref": "#/$defs/nowhere"},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3},
    {"allOf": [{"type": "string"}, {"type": "integer"}]},
    {"type": "unheard-of"},
)


@dataclass(frozen=True)
class Case:
    """One schema, with instances that fit it; `served` tells whether a constraint can keep it."""

    number: int
    schema: dict[str, Any]
    instances: tuple[Any, ...]
    served: bool

    def texts(self) -> list[str]:
        """Return the instances as JSON, each laid out in another way."""
        layouts: tuple[dict[str, Any], ...] = ({}, {"separators": (",", ":")}, {"indent": 2})
        return [json.dumps(value, ensure_ascii=False, **layouts[i % 3]) for i, value in enumerate(self.instances)]


def cases(n: int, *, unserved_share: float = 0.15) -> list[Case]:
    """Return the first n schemas of the corpus."""
    return [_case(number, unserved_share) for number in range(n)]


def _case(number: int, unserved_share: float) -> Case:
    rng = random.Random(f"schema {number}")
    defs: dict[str, Any] = {}
    schema, make = _record(rng, 3, defs) if rng.random() < 0.8 else _any(rng, 3, defs)
    served = rng.random() >= unserved_share
    if not served:
        bad = rng.choice(UNSERVED)
        schema = {"type": "object", "properties": {"before": schema, "bad": bad}, "required": ["bad"]}
        return Case(number, {**schema, "$defs": defs}, (), served=False)
    if defs:
        schema = {**schema, "$defs": defs}
    if rng.random() < 0.3:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "T", "description": "d", "examples": [1], **schema}
    return Case(number, schema, tuple(make(rng) for _ in range(3)), served=True)


def _any(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    flat = (_text, _text, _number, _integer, _literal, _formatted, _boolean, _pattern)
    deep = (_record, _record, _list, _tuple, _map, _union, _all_of, _reference, _nullable)
    return rng.choice(flat)(rng) if depth <= 0 or rng.random() < 0.5 else rng.choice(deep)(rng, depth - 1, defs)


def _word(rng: random.Random, low: int, high: int) -> str:
    letters = string.ascii_letters + string.digits + ' .,"\\/\n\té漢😀'
    return "".join(rng.choice(letters) for _ in range(rng.randint(low, high)))


def _text(rng: random.Random) -> Pair:
    low, high = rng.choice(((0, None), (0, 12), (2, 20), (3, 3), (1, None)))
    schema: dict[str, Any] = {"type": "string"}
    if low:
        schema["minLength"] = low
    if high is not None:
        schema["maxLength"] = high
    if rng.random() < 0.3:
        schema["description"] = 'a text, with "quotes"'
        schema["default"] = "abc"
    return schema, lambda r: _word(r, low, high or low + 15)


def _integer(rng: random.Random) -> Pair:
    how = rng.randrange(5)
    if how == 0:
        return {"type": "integer"}, lambda r: r.randint(-(10**9), 10**9)
    if how == 1:
        return {"type": "integer", **INTEGERS}, lambda r: r.randint(-7, 1200)
    if how == 2:
        return {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}, lambda r: r.randint(1, 9)
    if how == 3:
        return {"type": "integer", "multipleOf": 7}, lambda r: 7 * r.randint(-50, 50)
    return {"type": "integer", "minimum": 1}, lambda r: r.randint(1, 10**6)


def _number(rng: random.Random) -> Pair:
    how = rng.randrange(4)
    if how == 0:
        return {"type": "number"}, lambda r: r.choice((0, -1.5, 2.25, 1e-7, 12345678.5, 3))
    if how == 1:
        return {"type": "number", "minimum": 0, "maximum": 1}, lambda r: r.choice((0, 1, 0.5, 0.125, 0.99))
    if how == 2:
        return {"type": "number", "exclusiveMinimum": -2.5}, lambda r: r.choice((-2.25, 0, 7.75, 100))
    return {"type": "number", "multipleOf": 0.25}, lambda r: r.randint(-40, 40) / 4


def _literal(rng: random.Random) -> Pair:
    if rng.random() < 0.4:
        value = rng.choice((*LITERALS, 3, 2.5, None, True, [1, "x"], {"b": 1, "a": "é"}))
        return {"const": value}, lambda _: value
    values = rng.sample(LITERALS, rng.randint(1, 6)) + rng.sample([1, 2.5, None, False], rng.randrange(3))
    return {"enum": values}, lambda r: r.choice(values)


def _boolean(rng: random.Random) -> Pair:
    return {"type": "boolean"}, lambda r: r.random() < 0.5


def _formatted(rng: random.Random) -> Pair:
    name = rng.choice(tuple(_FORMATS))
    return {"type": "string", "format": name}, _FORMATS[name]


def _date(r: random.Random) -> str:
    return f"{r.randint(1800, 2100):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


_FORMATS: dict[str, Maker] = {
    "date": lambda r: r.choice((_date(r), "2024-02-29", "1999-12-31", "2000-02-29")),
    "date-time": lambda r: (
        f"{_date(r)}T{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}{r.choice(('Z', '+02:00', '.5Z'))}"
    ),
    "time": lambda r: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}{r.choice(('Z', '-05:30'))}",
    "email": lambda r: r.choice(("a@b.org", "first.last+tag@example.com", "x_1@sub.example.co")),
    "uuid": lambda r: "-".join("".join(r.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12)),
    "ipv4": lambda r: ".".join(str(r.randint(0, 255)) for _ in range(4)),
    "ipv6": lambda r: r.choice(("::1", "2001:db8::ff00:42:8329", "fe80::1", "1:2:3:4:5:6:7:8")),
    "hostname": lambda r: r.choice(("example.com", "a", "x-1.b2.org")),
    "uri": lambda r: r.choice(("https://example.com/a?b=c#d", "urn:isbn:0451450523", "mailto:a@b.org")),
    "duration": lambda r: r.choice(("P3D", "PT1H30M", "P1Y2M3DT4H5M6S", "P2W")),
}


def _pattern(rng: random.Random) -> Pair:
    pattern, make = rng.choice(_PATTERNS)
    return {"type": "string", "pattern": pattern}, make


_PATTERNS: tuple[tuple[str, Maker], ...] = (
    ("^[A-Z]{3}-[0-9]{4}$", lambda r: f"{''.join(r.choice('ABC') for _ in range(3))}-{r.randint(0, 9999):04}"),
    ("^\\d+(\\.\\d{2})?$", lambda r: r.choice(("1", "23.45", "007"))),
    ("^(red|green|blue)$", lambda r: r.choice(("red", "green", "blue"))),
    ("ab", lambda r: r.choice(("ab", "xaby", 'say "ab"'))),
    ("^[^\\s@]+$", lambda r: r.choice(("abc", 'é"\\', "a/b"))),
    ("^#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$", lambda r: r.choice(("#fff", "#00aaFF"))),
    ("^.{2,5}$", lambda r: r.choice(("ab", 'a"b', "\\\\", "漢字😀"))),
)


def _record(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    names = rng.sample(WORDS, rng.randint(1, 6))
    made = {name: _any(rng, depth, defs) for name in names}
    required = [name for name in names if rng.random() < 0.6]
    closed = rng.random() < 0.7
    schema: dict[str, Any] = {"type": "object", "properties": {name: pair[0] for name, pair in made.items()}}
    if required:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    elif rng.random() < 0.5:
        schema["additionalProperties"] = {"type": "integer"}

    def make(r: random.Random) -> dict[str, Any]:
        value = {name: pair[1](r) for name, pair in made.items() if name in required or r.random() < 0.5}
        return value if closed or r.random() < 0.5 else {**value, "something_else": r.randint(0, 9)}

    return schema, make


def _list(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    inner, make = _any(rng, depth, defs)
    low, high = rng.choice(((0, None), (1, 4), (2, 2), (0, 3)))
    schema: dict[str, Any] = {"type": "array", "items": inner}
    if low:
        schema["minItems"] = low
    if high is not None:
        schema["maxItems"] = high
    return schema, lambda r: [make(r) for _ in range(r.randint(low, high or 3))]


def _tuple(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    made = [_any(rng, depth, defs) for _ in range(rng.randint(1, 3))]
    n = len(made)
    schema = {"type": "array", "prefixItems": [pair[0] for pair in made], "items": False, "minItems": n, "maxItems": n}
    return schema, lambda r: [pair[1](r) for pair in made]


def _map(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    inner, make = _any(rng, depth, defs)
    if rng.random() < 0.5:
        return {"type": "object", "additionalProperties": inner}, lambda r: {f"k{i}": make(r) for i in range(r.randint(0, 3))}
    schema = {"type": "object", "patternProperties": {"^x-[a-z]+$": inner}, "additionalProperties": False}
    return schema, lambda r: {f"x-{'ab'[: i + 1]}": make(r) for i in range(r.randint(0, 2))}


def _union(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    if rng.random() < 0.5:
        made = [_any(rng, depth, defs) for _ in range(rng.randint(2, 3))]
        return {"anyOf": [pair[0] for pair in made]}, lambda r: r.choice(made)[1](r)
    tagged = []
    for tag in ("circle", "square", 'say "x"'):
        inner, make = _any(rng, depth, defs)
        schema = {"type": "object", "properties": {"kind": {"const": tag}, "value": inner}, "required": ["kind", "value"]}
        tagged.append(({**schema, "additionalProperties": False}, tag, make))

    def one(r: random.Random) -> dict[str, Any]:
        _, tag, make = r.choice(tagged)
        return {"kind": tag, "value": make(r)}

    return {"oneOf": [schema for schema, _, _ in tagged]}, one


def _all_of(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    left, make_left = _any(rng, depth, defs)
    right, make_right = _any(rng, depth, defs)
    parts = [{"type": "object", "properties": {name: inner}, "required": [name]} for name, inner in (("left", left), ("right", right))]
    return {"allOf": parts}, lambda r: {"left": make_left(r), "right": make_right(r)}


def _reference(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    name = f"d{len(defs)}"
    defs[name] = {}
    if rng.random() < 0.4:
        defs[name] = {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}},
            "required": ["value", "next"],
            "additionalProperties": False,
        }

        def chain(r: random.Random) -> Any:
            return {"value": r.randint(0, 99), "next": chain(r) if r.random() < 0.4 else None}

        return {"$ref": f"#/$defs/{name}"}, chain
    defs[name], make = _any(rng, depth, defs)
    return {"$ref": f"#/$defs/{name}", "default": None, "description": "beside a reference"}, make


def _nullable(rng: random.Random, depth: int, defs: dict[str, Any]) -> Pair:
    inner, make = _any(rng, depth, defs)
    return {"anyOf": [inner, {"type": "null"}], "default": None}, lambda r: None if r.random() < 0.3 else make(r)
