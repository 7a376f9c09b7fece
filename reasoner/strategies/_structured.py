r"""Structured replies: the JSON object a model was asked for, read out of whatever it wrote.

Knows the ways in which small models and servers without schema support miss it: a fence around the object, prose before it or
after it, an end that was cut off. Does not know which fields mean what. Never raises on any text, and reads a bounded part of it.

>>> read_object('Sure!\\n```json\\n{"thought": "try 9 + 1", "stop": false}\\n```', {"thought"})
{'thought': 'try 9 + 1', 'stop': False}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from reasoner.text import storable

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_OBJECT_CHARS = 1 << 17
MAX_TRIES = 20
"""At how many opening braces an object is looked for: each may cost time linear in the text."""

_DECODER = json.JSONDecoder(strict=False)  # line breaks inside strings are what small models write most often
_TRUE = {"true", "yes", "1"}


def read_object(text: str, required: Collection[str]) -> dict[str, Any] | None:
    """Return the first JSON object in a text that has all the required fields, None where there is none.

    An object cut off at the end of the text is closed there; a string in it is taken as far as it goes.
    """
    text = text[:MAX_OBJECT_CHARS]
    at = -1
    for _ in range(MAX_TRIES):
        at = text.find("{", at + 1)
        if at < 0:
            return None
        found = _object_at(text, at)
        if isinstance(found, dict) and all(name in found for name in required):
            return found
    return None


def _object_at(text: str, at: int) -> Any:
    try:
        return _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        pass
    try:
        return from_json(text[at:], allow_partial="trailing-strings")
    except ValueError:
        return None


def as_text(value: Any) -> str:
    """Return a field's value as text: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return storable(value)
    try:
        return storable(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError):
        return ""


def as_flag(value: Any) -> bool:
    """Return a field's value as yes or no; models also write the word."""
    return value is True or (isinstance(value, str) and value.strip().casefold() in _TRUE)
