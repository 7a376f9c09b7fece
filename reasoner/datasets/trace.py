"""From a line of an exported file back to the calls it came from.

origins(Path("train.jsonl"), 12) -> [{"run": ..., "trajectory": ..., "calls": [...], ...}]
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from reasoner.datasets.export import found_sidecar
from reasoner.datasets.imports._values import at
from reasoner.datasets.imports.own_export import lineage_of
from reasoner.errors import BadConfig, CorruptRecord, DataError


def parse_place(text: str) -> tuple[Path, int]:
    """Read `FILE:LINE`; lines are counted from 1.

    Raises:
        BadConfig: there is no line number.
    """
    name, _, line = text.rpartition(":")
    if not name or not line.isdecimal() or len(line) > 12 or int(line) < 1:
        raise BadConfig(f"{text!r} names no line", hint="write FILE:LINE, the first line is 1")
    return Path(name), int(line)


def origins(path: Path, line: int) -> list[dict[str, Any]]:
    """Return the lineage of a row: one, or two where a preference compares two trajectories.

    Raises:
        DataError: there is no such file or line, or nothing says where the row comes from.
    """
    row = _row(path, line)
    if row is None:
        raise DataError(f"{path} has no line {line}", hint="lines are counted from 1")
    found = lineage_of(row) or _of_spans(row) or _row(found_sidecar(path), line) or _session_of(path, line, row)
    if not found or "trajectory" not in found:
        raise DataError(
            f"{path}, line {line}: nothing says where the row comes from",
            hint="export it with its lineage, or put the .lineage file beside it",
        )
    other = found.get("rejected")
    return [found, other] if isinstance(other, dict) and other.get("trajectory") != found["trajectory"] else [found]


def _of_spans(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the lineage in the first span of a trajectory of ours."""
    if "resourceSpans" not in row:
        return None
    attributes = at(row, "resourceSpans.0.scopeSpans.0.spans.0.attributes") or ()
    text = next((at(one, "value.stringValue") for one in attributes if at(one, "key") == "reasoner.about"), None)
    return lineage_of(json.loads(text)) if isinstance(text, str) else None


def _session_of(path: Path, line: int, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the lineage of the session an event is one of: that of the last event before it that has one."""
    if "sessionId" not in row and "payload" not in row:
        return None
    found = None
    with path.open("rb") as file:
        for text in islice(file, line):
            found = (lineage_of(json.loads(text)) if b'"lineage"' in text else None) or found
    return found


def _row(path: Path, line: int) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            text = next(islice(file, line - 1, line), None)
        row = None if text is None else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptRecord(path, line, f"cannot be read: {error}") from error
    return row if isinstance(row, dict) else None
