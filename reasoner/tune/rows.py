"""Rows of an exported dataset, read for training: what is asked, and the one reply that is learned.

    {"prompt": [{"role": "user", "content": "4 9 41"}], "completion": [{"role": "assistant", "content": "Answer: 9 -> ..."}]}
    {"messages": [..., {"role": "assistant", "content": "...", "reasoning_content": "..."}]}   the last message is what is learned, thought first

Messages may call tools, and a column `tools` (a list, or JSON text) says which were offered; a reply that calls tools is learned with its calls.
A file holds one shape. Rows with a label or with two replies are not for this: half of what they hold is what a model should not say.

Knows these two shapes (`reasoner export prompt-completion` and `sft`, `openai-sft`); knows no model and no tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.errors import CorruptRecord, DataError
from reasoner.files.devices import ending
from reasoner.text import shorten

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.tune.options import Objective

MAX_ROWS = 5_000_000
THOUGHT_FIELDS = ("reasoning_content", "thinking", "reasoning")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: messages as the chat template takes them, the reply, and what was thought before it."""

    prompt: tuple[tuple[str, str], ...]
    completion: str
    thought: str = ""
    messages: str = ""
    """The prompt's messages as JSON, where they hold more than a role and a text (calls of tools, thoughts); else empty."""
    tools: str = ""
    """The tools offered, as JSON; empty where none were."""
    calls: str = ""
    """The calls of tools the reply makes, as JSON; empty where it makes none."""
    rejected: Row | None = None
    """Of a preference: the same prompt with the reply that is not to be given."""
    good: bool = True
    """Of a label: whether the reply is a good one."""


def read_rows(path: Path, objective: Objective = "sft") -> tuple[list[Row], str]:
    """Return all rows of a file, of the shape the objective learns from, and the sha256 of its bytes.

    Raises:
        DataError: the file cannot be read or holds no row.
        CorruptRecord: a line lacks the columns, or they hold something else; the message names file and line.
    """
    rows: list[Row] = []
    shapes: dict[str, int] = {}
    checksum = hashlib.sha256()
    try:
        with ending(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                checksum.update(line)
                if line.strip():
                    shape, row = _row(line, path, number, objective)
                    rows.append(row)
                    shapes.setdefault(shape, number)
                    if len(shapes) > 1:
                        one, other = shapes
                        raise CorruptRecord(
                            path,
                            number,
                            f"the file mixes shapes: line {shapes[one]} has {one}, this one {other}; train on one export at a time",
                        )
                if len(rows) > MAX_ROWS:
                    raise DataError(f"{path} has more than {MAX_ROWS:,} rows", hint="divide it")
    except OSError as error:
        raise DataError(
            f"the dataset {path} cannot be read: {error.strerror}", hint="make one with 'reasoner export prompt-completion'"
        ) from error
    if not rows:
        raise DataError(f"the dataset {path} holds no row", hint="make one with 'reasoner export prompt-completion'")
    return rows, checksum.hexdigest()


NEEDED = {"dpo": {"prompt", "chosen", "rejected"}, "kto": {"prompt", "completion", "label"}}


def _row(line: bytes, path: Path, number: int, objective: Objective) -> tuple[str, Row]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorruptRecord(path, number, f"it is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise CorruptRecord(path, number, "it is no object")
    if objective != "sft":
        return _judged(data, path, number, objective)
    if "label" in data:
        raise CorruptRecord(
            path,
            number,
            "it has a label: such rows hold wrong replies too, and all would be learned; use `objective=kto`, or export with 'reasoner export prompt-completion'",
        )
    if "prompt" in data and "completion" in data:
        shape = "prompt and completion"
        asked, said = _messages(data["prompt"], "user"), _messages(data["completion"], "assistant")
    elif "messages" in data:
        shape = "messages"
        every = _messages(data["messages"], "user")
        asked, said = every[:-1], every[-1:]
    else:
        known = ", ".join(sorted(map(str, data))) or "none"
        raise CorruptRecord(
            path, number, f"it has neither the columns prompt and completion nor messages (it has: {shorten(known, 100)}); "
            "export with 'reasoner export prompt-completion'"
        )  # fmt: skip
    if not asked or len(said) != 1 or said[0]["role"] != "assistant":
        raise CorruptRecord(path, number, "it has to hold at least one message and then one reply of the assistant")
    try:
        tools = _tools(data.get("tools"))
    except ValueError as error:
        raise CorruptRecord(path, number, f"its tools cannot be read: {error}") from error
    (reply,) = said
    calls = json.dumps(reply["tool_calls"]) if reply.get("tool_calls") else ""
    more = json.dumps(asked) if any(len(message) > 2 or message["role"] == "tool" for message in asked) else ""
    prompt = tuple((message["role"], message["content"]) for message in asked)
    return shape, Row(prompt, reply["content"], _thought([reply]), more, tools, calls)


def _judged(data: dict[str, Any], path: Path, number: int, objective: Objective) -> tuple[str, Row]:
    """Read a preference or a label."""
    needed = NEEDED[objective]
    if missing := sorted(needed - set(data)):
        raise CorruptRecord(path, number, f"it has no {missing[0]}; {objective} learns from rows of 'reasoner export {objective}'")
    sides = ("chosen", "rejected") if objective == "dpo" else ("completion",)
    asked = _messages(data["prompt"], "user")
    replies = [_messages(data[side], "assistant") for side in sides]
    if not asked or any(len(reply) != 1 or reply[0]["role"] != "assistant" or "tool_calls" in reply[0] for reply in replies):
        raise CorruptRecord(path, number, "it has to hold at least one message, and replies of the assistant that call no tool")
    if objective == "kto" and not isinstance(data["label"], bool):
        raise CorruptRecord(path, number, "its label is neither true nor false")
    prompt = tuple((message["role"], message["content"]) for message in asked)
    more = json.dumps(asked) if any(len(message) > 2 or message["role"] == "tool" for message in asked) else ""
    made = [Row(prompt, reply[0]["content"], _thought(reply), more) for reply in replies]
    shape = ", ".join(sorted(needed))
    if objective == "kto":
        return shape, replace(made[0], good=data["label"])
    return shape, replace(made[0], rejected=made[1])


def _thought(turns: Any) -> str:
    """Return the thought of the last message, under any of the names it is exported by; empty where it has none."""
    last = turns[-1] if isinstance(turns, list) else {}
    return next((text for name in THOUGHT_FIELDS if isinstance(text := last.get(name), str) and text.strip()), "")


def _messages(value: Any, role: str) -> list[dict[str, Any]]:
    """Read messages; a plain text is one message of the role. Empty where one of them is none."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if not isinstance(value, list):
        return []
    made = [_message(turn) for turn in value]
    good = [message for message in made if message is not None]
    return good if len(good) == len(made) else []


def _message(turn: Any) -> dict[str, Any] | None:
    if not isinstance(turn, dict) or str(turn.get("role")) not in {"system", "user", "assistant", "tool"}:
        return None
    calls = turn.get("tool_calls")
    content = turn.get("content")
    if content is None and calls:
        content = ""
    if not isinstance(content, str) or not isinstance(calls or [], list):
        return None
    made: dict[str, Any] = {"role": turn["role"], "content": content}
    made |= {name: text for name in THOUGHT_FIELDS if isinstance(text := turn.get(name), str) and text.strip()}
    if calls:
        made["tool_calls"] = list(map(_call, calls))
        if None in made["tool_calls"]:
            return None
    if isinstance(turn.get("tool_call_id"), str) and turn["tool_call_id"]:
        made["tool_call_id"] = turn["tool_call_id"]
    return made


def _call(value: Any) -> dict[str, Any] | None:
    """Read a call; arguments are given to templates as an object where they are one, since most need it so."""
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            read = json.loads(arguments)
        except (ValueError, RecursionError):
            read = None
        arguments = read if isinstance(read, dict) else arguments
    return {"id": str(value.get("id") or ""), "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def _tools(value: Any) -> str:
    """Return the tools offered as JSON text, empty where there are none.

    Raises:
        ValueError: they are no list.
    """
    found = json.loads(value or "[]") if isinstance(value, str) else value or []
    if not isinstance(found, list):
        raise ValueError("they are no list")  # noqa: TRY004 - what a file holds
    return json.dumps(found) if found else ""
