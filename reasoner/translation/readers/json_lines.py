"""JSON Lines: flat objects, and those whose texts stand inside another object.

{"it": "il cane", "lld": "l cian"}                        read_jsonl(path, Wanted({"Italian": "it", "Ladin": "lld"}))
{"translation": {"it": "il cane", "lld": "l cian"}}       the same: keys are looked for in the object, as a path, and in its objects
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.translation.readers._opening import opened
from reasoner.translation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reasoner.translation.rows import Wanted


def read_jsonl(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read the object on each line. A name may be a path, `translation.it`.

    Raises:
        DataError: the file cannot be opened.
    """
    with opened(path) as (file, _):
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            value = _object(line)
            if value is None:
                yield Row(str(path), number, fault="not JSON", what="no JSON object")
                continue
            flat = _flat(value)
            for key in flat:
                wanted.saw(key)
            cells = [next((flat[key] for name in names for key in _spellings(name, value) if key in flat), None) for names in wanted.names]
            texts = tuple(cell for cell in cells if cell is not None)
            if len(texts) == len(cells):
                yield Row(str(path), number, texts)
            else:
                lacking = wanted.names[cells.index(None)]
                yield Row(str(path), number, fault="columns", what=f"no text under {' or '.join(map(repr, lacking))}")


def _spellings(name: str, value: dict[str, Any]) -> Iterator[str]:
    yield name
    yield from (f"{key}.{name}" for key, inner in value.items() if isinstance(inner, dict))


def _flat(value: dict[str, Any]) -> dict[str, str]:
    """Return the texts of an object and of its objects, by key and by `key.key`."""
    made = {key: inner for key, inner in value.items() if isinstance(inner, str)}
    for key, inner in value.items():
        if isinstance(inner, dict):
            made |= {f"{key}.{name}": text for name, text in inner.items() if isinstance(text, str)}
    return made


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
