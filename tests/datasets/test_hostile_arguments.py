"""Arguments of tool calls that JSON cannot say, or that are no object: every form of a document is written all the same, and comes back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.formats._sessions import arguments
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.store import Store
from reasoner.types import Completion, ToolCall

ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"
WRITTEN = (
    '{"expression": NaN}',
    '{"expression": 1e999}',
    '{"expression": ' + "[" * 3000 + "]" * 3000 + "}",
    "[1]",
    "{",
    '{"expression": "\\ud800"}',
    '"x"',
    "\u2028",
)


@reasoner.tool
def leave(code: int) -> str:
    """End the program."""
    sys.exit(code)


def _script() -> list[Completion]:
    turns: list[tuple[ToolCall, ...]] = [
        (ToolCall("", "calculator", text), ToolCall("", "calculator", '{"expression": "1+1"}')) for text in WRITTEN
    ]
    turns.append((ToolCall("x", "leave", '{"code": 3}'), ToolCall("x", "leave", '{"code": 4}')))
    turns.append((ToolCall("s", "submit", json.dumps({"answer": ANSWER})),))
    return [Completion("", tool_calls=calls, finish_reason="tool_calls") for calls in turns]


@pytest.mark.parametrize("name", ["atif", "claude-code", "codex", "opentelemetry", "sft"])
def test_one_hostile_call_ends_no_export(tmp_path: Path, name: str) -> None:
    db = tmp_path / "a.db"
    client = ScriptedClient(_script())
    result = reasoner.solve("arithmetic", "3 4 6 18", strategy="react", model=client, tools=["calculator", leave], db=db)
    assert result.correct
    keep = Options(special_tokens="keep")
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with Store.open(db) as store, Store.open(tmp_path / "b.db") as other:
        told = [text for (text,) in store.tuples("SELECT result FROM action_details WHERE tool = 'leave' ORDER BY id", ())]
        assert told == ["Error: SystemExit: 3", "Error: SystemExit: 4"], "the program goes on, and the model is told"
        assert export(store, name, first, options=keep).taken == 1
        assert read_path(other, first).taken == 1
        export(other, name, second, options=keep)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_no_object_of_json_is_kept_as_text(text: str) -> None:
    assert arguments(text) == {"text": text}
    json.dumps(arguments(text), allow_nan=False)
