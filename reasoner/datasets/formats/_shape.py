"""Rows with everything a format's rows may hold, from which the types of Parquet columns are taken: the same in every file, whatever its rows lack."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {"role": "", "content": ""}
CALL = {"id": "", "type": "", "function": {"name": "", "arguments": ""}}


def message(keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a message with all it may hold; `keys` are those of its thought."""
    return {**PLAIN, **dict.fromkeys(keys, ""), "tool_calls": [CALL], "tool_call_id": ""}


TURN = {"from": "", "value": ""}
STEPS = {"prompt": "", "completions": [""], "labels": [True], "scores": [0.5]}
