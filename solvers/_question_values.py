"""What the cells of published question files hold: texts, golds and their aliases, choices and which of them is right, paragraphs.

    golds_of({"value": "Ann", "aliases": ["Anne"]})  ->  ["Ann", "Anne"];   place_of("B", ["red", "blue"])  ->  1

Knows values; does not know columns. Values that do not fit raise a ValueError that says why.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LETTERED = re.compile(r"^\s*\(?([A-Za-z])\s?[).:]\s*(.+)$", re.DOTALL)


def text_of(value: Any) -> str:
    """Write a value as text: numbers as they are, truth as Yes and No."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        return str(int(value))
    return str(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def golds_of(value: Any) -> list[str]:
    """Return the golds a value holds: a text, a number, a list of aliases, or an object with `value` and `aliases`."""
    if isinstance(value, dict):
        value = {str(key).lower().replace("_", ""): each for key, each in value.items()}
        found = [value.get("value"), *(value.get("aliases") or []), *(value.get("normalizedaliases") or []), *(value.get("text") or [])]
        return list(dict.fromkeys(text for each in found if (text := text_of(each))))
    if isinstance(value, list):
        return list(dict.fromkeys(text for each in value if (text := text_of(each))))
    text = text_of(value)
    return [text] if text else []


def choices_of(value: Any) -> tuple[list[str], list[str]]:
    """Return choices and their labels: from a list, a list of `A) text`, an object of lists or of letters, or a JSON text of one of these."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [part for part in value.splitlines() if part.strip()]
    if isinstance(value, dict):
        texts = value.get("text") or value.get("texts")
        if isinstance(texts, list):
            return [text_of(each) for each in texts], [text_of(each) for each in value.get("label", [])]
        return [text_of(each) for each in value.values()], [str(key) for key in value]
    if not isinstance(value, list):
        return [], []
    if value and all(isinstance(each, dict) for each in value):
        return [text_of(each.get("text")) for each in value], [text_of(each.get("label")) for each in value]
    texts = [text_of(each) for each in value]
    lettered = [_LETTERED.match(text) for text in texts]
    if len(texts) > 1 and all(each is not None and each[1].upper() == LETTERS[at] for at, each in enumerate(lettered)):
        return [each[2].strip() for each in lettered if each is not None], []
    return texts, []


def place_of(answer: Any, choices: Sequence[str], labels: Sequence[str] = (), *, letter_first: bool = False) -> int:
    """Return which choice an answer names: by its text, its label, its letter or its place counted from 0.

    Raises:
        ValueError: it names none.
    """
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    text = text_of(answer)
    inner = text.strip("()[]. ") if len(text) <= 4 else text
    by_label = list(labels).index(inner) if inner in labels else None
    by_letter = LETTERS.index(inner.upper()) if len(inner) == 1 and inner.isalpha() and inner.upper() in LETTERS[: len(choices)] else None
    by_text = list(choices).index(text) if text in choices else None
    is_index = isinstance(answer, int) and not isinstance(answer, bool)
    by_index = int(text) if text.isdigit() and len(text) < 3 and int(text) < len(choices) else None
    order = [by_label, by_index if is_index else None]
    order += [by_letter, by_text] if letter_first else [by_text, by_letter]
    for found in [*order, by_index]:
        if found is not None:
            return found
    raise ValueError(f"the answer {text[:60]!r} is none of the {len(choices)} choices, by text, letter or place")


def context_of(value: Any) -> str:
    """Write a context: a text, or paragraphs as HotpotQA has them, (title, sentences) or lists of both."""
    if isinstance(value, dict) and isinstance(value.get("title"), list):
        value = list(zip(value["title"], value.get("sentences", []), strict=False))
    if isinstance(value, list):
        parts = []
        for each in value:
            if isinstance(each, list | tuple) and len(each) == 2 and isinstance(each[1], list):
                parts.append(f"{text_of(each[0])}: {''.join(map(str, each[1])).strip()}")
            else:
                parts.append(text_of(each))
        return "\n".join(parts)
    return text_of(value)
