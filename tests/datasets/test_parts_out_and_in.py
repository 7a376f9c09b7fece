"""Thoughts, tool calls and images travel: out as each format has them, and back to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.errors import BadConfig
from reasoner.store import Store
from reasoner.store.imports import ReadCall, ReadTrajectory, put
from reasoner.store.queries import calls
from reasoner.types import Completion, Message, Problem, ToolCall, ToolSpec, Usage

THOUGHT = "Double nine?\nAnswer: 9 -> 18 -> 99 is too much."
RIGHT, WRONG = "Answer: 9 -> 10 -> 20", "Answer: 9 -> 18 -> 36"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    db = tmp_path_factory.mktemp("thoughts") / "t.db"
    said = iter([RIGHT, WRONG, RIGHT, WRONG])
    client = ScriptedClient(lambda _: Completion(next(said), reasoning=THOUGHT, usage=Usage(9, 30, reasoning_tokens=21)), name="thinker")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, samples=4, db=db)
    plain = ScriptedClient(lambda _: "So it is.\n" + RIGHT, name="plain")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=plain, db=db)
    with Store.open(db) as opened:
        yield opened


FORMATS = [
    (name, kind)
    for name in registry.names("format")
    for kind in registry.find("format", name).kinds
    if kind != "steps" and not registry.find("format", name).packaged
]
"""Those that are files; packages are one-way, see `test_verifiers`."""


@pytest.mark.parametrize("thinking", ["reasoning_content", "thinking", "both", "tags", "drop"])
@pytest.mark.parametrize(("name", "kind"), FORMATS)
def test_export_import_export_is_byte_equal(store: Store, tmp_path: Path, name: str, kind: str, thinking: Any) -> None:
    options = Options(records=kind, thinking=thinking, labels_from="replies")
    if thinking in {"thinking", "both"} and not registry.find("format", name).thinking_field:
        with pytest.raises(BadConfig, match="no field"):
            export(store, name, tmp_path / "out.jsonl", options=options)
        return
    (tmp_path / "again").mkdir()
    before = export(store, name, tmp_path / "out.jsonl", options=options)
    assert before.taken
    text = (tmp_path / "out.jsonl").read_text()
    told = "Double nine?" in text
    assert told == ((thinking != "drop" and kind != "prompt") or kind == "document")
    with Store.open(tmp_path / "u.db") as other:
        assert read_path(other, tmp_path / "out.jsonl").taken == before.taken
        export(other, name, tmp_path / "again" / "out.jsonl", options=options)
    for path in sorted(tmp_path.glob("*.jsonl")):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_thought_stands_where_it_is_asked_for(store: Store, tmp_path: Path) -> None:
    def last(thinking: Any) -> dict[str, Any]:
        export(store, "sft", tmp_path / "out.jsonl", Filters(model="thinker"), Options(thinking=thinking))
        row: dict[str, Any] = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        return dict(row["messages"][-1])

    base = {"role": "assistant", "content": RIGHT}
    assert last("reasoning_content") == {**base, "reasoning_content": THOUGHT}
    assert last("thinking") == {**base, "thinking": THOUGHT}
    assert last("tags") == {**base, "content": f"<think>\n{THOUGHT}\n</think>\n\n{RIGHT}"}
    assert last("drop") == base


def test_a_thought_comes_back_apart_from_its_text(store: Store, tmp_path: Path) -> None:
    for thinking in ("reasoning_content", "thinking", "both", "tags"):
        export(store, "sft", tmp_path / f"{thinking}.jsonl", Filters(model="thinker"), Options(thinking=thinking))
        with Store.open(tmp_path / f"{thinking}.db") as other:
            read_path(other, tmp_path / f"{thinking}.jsonl")
            ((name, answer),) = other.tuples("SELECT id, answer FROM trajectories")
            (call,) = calls(other, name)
            assert (answer, call["reply"], call["reasoning"]) == (RIGHT, RIGHT, THOUGHT)
            assert other.tuples("SELECT correct FROM verdicts") == [(1,)]


def test_a_secret_in_a_thought_is_found(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    client = ScriptedClient(lambda _: Completion(RIGHT, reasoning="mail ann@example.org"), name="leaky")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, db=db)
    with Store.open(db) as store:
        assert export(store, "sft", tmp_path / "out.jsonl").left_out == {"it holds what looks like a secret or personal data": 1}
        export(store, "sft", tmp_path / "out.jsonl", options=Options(secrets="redact"))
    assert "mail [e-mail]" in (tmp_path / "out.jsonl").read_text()


def test_calls_of_tools_and_images_come_back(tmp_path: Path) -> None:
    call = ToolCall("c1", "legs", '{"of": "hen"')  # as a model may write it: no JSON
    asked = (
        Message("user", "Legs?", images=("data:image/png;base64,aa",)), Message("assistant", "", reasoning="ask", tool_calls=(call,)),
        Message("tool", "2", tool_call_id="c1"),
    )  # fmt: skip
    tool = ToolSpec("legs", "of an animal", '{"type": "object"}')
    made = ReadTrajectory(
        "r" * 12, "t" * 16, Problem("imported", "{}", "Legs?"), "imported", "m", answer="Two.",
        calls=[ReadCall("ab" * 32, asked, "Two.", {}, {"reasoning": "two", "tool_calls": [["c2", "done", "{}"]], "opaque": '{"format":"x","items":[]}'}, (tool,))],
    )  # fmt: skip
    with Store.open(tmp_path / "a.db") as store:
        store.write_now(lambda c: put(c, made, source="s", command=""))
        for name in ("sft", "openai-sft", "prompt-completion", "axolotl", "atif"):
            export(store, name, tmp_path / f"{name}.jsonl", Filters(verdict="any"))
        for name in ("sharegpt", "alpaca", "llama-factory"):
            left = export(store, name, tmp_path / f"{name}.jsonl", Filters(verdict="any")).left_out
            assert left == {f"its messages cannot be written as {name}": 1}
    row = json.loads((tmp_path / "sft.jsonl").read_text())
    assert json.loads(row["tools"]) == [
        {"type": "function", "function": {"name": "legs", "description": "of an animal", "parameters": {"type": "object"}}}
    ]
    assert row["messages"][0]["content"][0] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}}
    for name in ("sft", "openai-sft", "prompt-completion", "axolotl", "atif"):
        (tmp_path / "again").mkdir(exist_ok=True)
        with Store.open(tmp_path / f"{name}.db") as store:
            assert read_path(store, tmp_path / f"{name}.jsonl").taken == 1
            export(store, name, tmp_path / "again" / f"{name}.jsonl", Filters(verdict="any"))
        assert (tmp_path / "again" / f"{name}.jsonl").read_bytes() == (tmp_path / f"{name}.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("usage", "columns", "n_bad"),
    [
        ({"prompt_tokens": -1, "completion_tokens": 3}, (0, 3), 1),
        ({"prompt_tokens": 10**30, "completion_tokens": "many"}, (0, 0), 2),
        ({"prompt_tokens": 4.0, "completion_tokens": 2.5}, (4, 0), 1),
        ({"prompt_tokens": None, "completion_tokens": True}, (0, 0), 1),
        ([1], (0, 0), 0),
    ],
)
def test_usage_is_checked(tmp_path: Path, usage: Any, columns: tuple[int, int], n_bad: int) -> None:
    row = {
        "object": "chat.completion",
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "choices": [{"message": {"content": "a"}}],
        "usage": usage,
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, tmp_path / "in.jsonl")
        assert (found.taken, found.bad_usage) == (1, n_bad)
        assert store.tuples("SELECT prompt_tokens, completion_tokens FROM trajectories") == [columns]


def test_texts_that_cannot_be_stored_as_they_are_go_in_and_change_no_other(tmp_path: Path) -> None:
    odd = (
        '{"messages": [{"role": "user", "content": "q\\ud800"}, {"role": "assistant", "content": "a\\udfff"}], "n": 1e400, "deep": '
        + "[" * 60
        + "]" * 60
        + "}"
    )
    (tmp_path / "in.jsonl").write_text(
        odd + "\n" + json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}]}) + "\n"
    )
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, tmp_path / "in.jsonl")
        assert found.taken == 2, found.skipped
        assert store.tuples("SELECT answer FROM trajectories ORDER BY rowid") == [("a?",), ("b",)]


def test_a_named_problem_is_verified(tmp_path: Path) -> None:
    rows = [
        {"p": "2 9 20", "said": "It is so.\nAnswer: 9 -> 10 -> 20"},
        {"p": "2 9 20", "said": "Answer: 9 -> 18 -> 20"},
        {"p": "no problem", "said": "x"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, tmp_path / "in.jsonl", columns="prompt=p,reply=said,problem=p", solver="number_path")
        assert (found.taken, found.verified) == (3, 2)
        assert store.tuples("SELECT correct FROM verdicts ORDER BY rowid") == [(1,), (0,)]
