"""Secrets in what agents did: in arguments, in results, in what was submitted. Found, left out, and redacted wherever a row holds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.hygiene import SENSITIVE
from reasoner.datasets.options import Options
from reasoner.datasets.records import Document, Origin, texts
from reasoner.datasets.select import Filters
from reasoner.store import Store
from reasoner.types import Completion, ToolCall

KEY = "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT" + "5vX7zB9dF1hJ3lN5pR7t"
DOCUMENTS = ["atif", "claude-code", "codex", "opentelemetry"]


@reasoner.tool
def lookup(name: str) -> str:
    """Look something up."""
    return f"the key of {name} is {KEY}" if name == "service" else "nothing"


def recorded(tmp_path: Path, *turns: tuple[str, dict[str, str]]) -> Path:
    db = tmp_path / "a.db"
    script = [Completion("", tool_calls=(ToolCall("c", name, json.dumps(given)),), finish_reason="tool_calls") for name, given in turns]
    reasoner.ask("What is it?", strategy="react", model=ScriptedClient(script), tools=[lookup], db=db)
    return db


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize(
    "turns",
    [
        (("lookup", {"name": KEY}), ("submit", {"answer": "nothing"})),
        (("lookup", {"name": "service"}), ("submit", {"answer": "found"})),
        (("lookup", {"name": "other"}), ("submit", {"answer": KEY})),
    ],
)
def test_no_document_holds_a_secret(tmp_path: Path, name: str, turns: tuple[tuple[str, dict[str, str]], ...]) -> None:
    out = tmp_path / "out.jsonl"
    any_verdict = Filters(verdict="any")
    with Store.open(recorded(tmp_path, *turns)) as store:
        dropped = export(store, name, out, any_verdict)
        assert (dropped.taken, dropped.left_out) == (0, {SENSITIVE: 1})
        assert export(store, name, out, any_verdict, Options(secrets="redact")).taken == 1
        text = out.read_text(encoding="ascii")
        assert KEY not in text
        assert "[api key]" in text
        assert export(store, name, out, any_verdict, Options(secrets="keep")).taken == 1
        assert KEY in out.read_text(encoding="ascii")


@pytest.mark.parametrize("name", ["sft", "harmony", "openai-sft"])
def test_no_conversation_holds_one_nor_does_its_lineage(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.jsonl"
    with Store.open(recorded(tmp_path, ("submit", {"answer": f"it is {KEY}"}))) as store:
        assert not export(store, name, out, Filters(verdict="any")).taken
        assert export(store, name, out, Filters(verdict="any"), Options(secrets="redact")).taken == 1
    for path in tmp_path.glob("out*.jsonl"):
        text = path.read_text(encoding="ascii")
        assert KEY not in text
    assert "[api key]" in out.read_text(encoding="ascii")


def test_what_a_tool_gave_last_is_among_the_texts_of_a_document() -> None:
    """No message holds it: nothing was asked after it."""
    done = {"action_key": "k", "arguments": '{"at": "here"}', "content": "what it gave"}
    document = Document(
        Origin("chat", "f", None, (), ()), {}, {}, [], [done, {"action_key": None, "arguments": None, "content": "a thought"}]
    )
    assert texts(document) == ('{"at": "here"}', "what it gave")
