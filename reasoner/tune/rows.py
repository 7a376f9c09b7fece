"""Rows of an exported dataset, read for training: what is asked, and the one reply that is learned.

    {"prompt": [{"role": "user", "content": "4 9 41"}], "completion": [{"role": "assistant", "content": "Answer: 9 -> ..."}]}
    {"messages": [..., {"role": "assistant", "content": "...", "reasoning_content": "..."}]}   the last message is what is learned, thought first

Knows these two shapes (`reasoner export prompt-completion` and `sft`, `openai-sft`); knows no model and no tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import CorruptRecord, DataError
from reasoner.text import shorten

if TYPE_CHECKING:
    from pathlib import Path

MAX_ROWS = 5_000_000
THOUGHT_FIELDS = ("reasoning_content", "thinking", "reasoning")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: messages as the chat template takes them, the reply, and what was thought before it."""

    prompt: tuple[tuple[str, str], ...]
    completion: str
    thought: str = ""


def read_rows(path: Path) -> tuple[list[Row], str]:
    """Return all rows of a file and the sha256 of its bytes.

    Raises:
        DataError: the file cannot be read or holds no row.
        CorruptRecord: a line lacks the columns, or they hold something else; the message names file and line.
    """
    rows: list[Row] = []
    checksum = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                checksum.update(line)
                if line.strip():
                    rows.append(_row(line, path, number))
                if len(rows) > MAX_ROWS:
                    raise DataError(f"{path} has more than {MAX_ROWS:,} rows", hint="divide it")
    except OSError as error:
        raise DataError(
            f"the dataset {path} cannot be read: {error.strerror}", hint="make one with 'reasoner export prompt-completion'"
        ) from error
    if not rows:
        raise DataError(f"the dataset {path} holds no row", hint="make one with 'reasoner export prompt-completion'")
    return rows, checksum.hexdigest()


def _row(line: bytes, path: Path, number: int) -> Row:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorruptRecord(path, number, f"it is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise CorruptRecord(path, number, "it is no object")
    if "prompt" in data and "completion" in data:
        prompt, reply = _turns(data["prompt"], "user"), _turns(data["completion"], "assistant")
    elif "messages" in data:
        every = _turns(data["messages"], "user")
        prompt, reply = every[:-1], every[-1:]
    else:
        known = ", ".join(sorted(map(str, data))) or "none"
        raise CorruptRecord(
            path, number, f"it has neither the columns prompt and completion nor messages (it has: {shorten(known, 100)}); "
            "export with 'reasoner export prompt-completion'"
        )  # fmt: skip
    if not prompt or len(reply) != 1 or reply[0][0] != "assistant":
        raise CorruptRecord(path, number, "it has to hold at least one message and then one reply of the assistant")
    return Row(prompt, reply[0][1], _thought(data["completion"] if "completion" in data else data["messages"]))


def _thought(turns: Any) -> str:
    """Return the thought of the last message, under any of the names it is exported by; empty where it has none."""
    last = turns[-1] if isinstance(turns, list) else {}
    return next((text for name in THOUGHT_FIELDS if isinstance(text := last.get(name), str) and text.strip()), "")


def _turns(value: Any, role: str) -> tuple[tuple[str, str], ...]:
    """Read messages; a plain text is one message of the role."""
    if isinstance(value, str):
        return ((role, value),)
    if not isinstance(value, list):
        return ()
    turns = [(turn.get("role"), turn.get("content")) for turn in value if isinstance(turn, dict)]
    good = [(name, text) for name, text in turns if name in {"system", "user", "assistant"} and isinstance(text, str)]
    return tuple(good) if len(good) == len(value) else ()
