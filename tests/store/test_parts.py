"""A reply's parts are stored once, come back as they were, are found, and old files are read as before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reasoner.errors import StoreError
from reasoner.serve.thought_facts import thought_facts
from reasoner.store import Store, migrations
from reasoner.store.claims import TrajectoryRow, claim
from reasoner.store.earlier import cached
from reasoner.store.imports import ReadCall, ReadTrajectory, put
from reasoner.store.interning import intern_message
from reasoner.store.journal import Intent, Journal, thought_row
from reasoner.store.queries import calls, load_trajectory, prompt_of
from reasoner.store.reading import Contexts, Where, answered, whole
from reasoner.store.records import start_run
from reasoner.store.search import search
from reasoner.trajectory import Trajectory
from reasoner.types import Completion, Message, Problem, Request, Sampling, ToolCall, ToolSpec, Usage

PROBLEM = Problem("toy", '{"x":1}', "1")
ADD = ToolCall("call_1", "add", '{"a": 1, "b": "\\ud83d')
SIGNED = '{"format":"anthropic","items":[{"signature":"c2ln","thinking":"hm","type":"thinking"}]}'
TURN = Message("assistant", "Let me see.", reasoning="First I add.", tool_calls=(ADD,), opaque=SIGNED)
HISTORY = (
    Message("user", "What is 1+2?"),
    TURN,
    Message("tool", "3", tool_call_id="call_1"),
    Message("user", "Sure?", images=("data:x,y",)),
)
TOOL = ToolSpec("add", "Add two numbers.", '{"type":"object"}')
REQUEST = Request(HISTORY, Sampling(thinking="low"), tools=(TOOL,), tool_choice="auto", key="ab" * 32)
REPLY = Completion(
    "Answer: 3", "stop", Usage(10, 20, 5, 0.25, reasoning_tokens=12, estimated=True), "m", "prompt", 1.5, -0.5, "Second thoughts: kumquat.",
    (ToolCall("c2", "add", "{}"),), SIGNED,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


async def _recorded(store: Store) -> Trajectory:
    row = start_run(store, {"toy": 1}, command="toy")
    task = TrajectoryRow("t" * 16, row.id, PROBLEM, "toy", "{}", "m", "f", 0)
    ours = await store.write(lambda c: claim(c, task, row.worker))
    journal = Journal(store, run_id=row.id, trajectory_id=task.id, epoch=ours.epoch, durable=False)
    dag = Trajectory(task.id, root_text="1")
    call_id = await journal.intent(Intent(dag.root.id, "p", "toy/ask", 0, "hash", REQUEST))
    assert call_id is not None
    thought = dag.add(
        dag.root, role="toy/ask", ordinal=0, text=REPLY.text, finish_reason="stop", mean_logprob=-0.5, call=REQUEST.key,
        reasoning=REPLY.reasoning,
    )  # fmt: skip
    rows = [thought_row(dag, each.id) for each in (dag.root, thought)]
    await journal.done(call_id, REPLY, rows, retries=0, key=REQUEST.key)
    assert journal.load()[0][REQUEST.key].completion == REPLY
    await store.write(
        lambda c: c.execute("UPDATE trajectories SET status = 'closed', answer = ?, answer_thought = ?", (REPLY.text, thought.id))
    )
    return dag


async def test_what_is_replayed_is_what_came(store: Store) -> None:
    dag = await _recorded(store)
    assert cached(store, REQUEST, fingerprint="f", sample=0) is not None
    again = load_trajectory(store, dag.key)
    assert list(again.thoughts()) == list(dag.thoughts())
    (call,) = calls(store, dag.key)
    assert (call["reasoning"], call["reasoning_tokens"], call["usage_estimated"]) == (REPLY.reasoning, 12, 1)
    assert prompt_of(store, call["context_id"]) == HISTORY


async def test_another_set_of_tools_is_another_question(store: Store) -> None:
    await _recorded(store)
    for other in (Request(HISTORY, REQUEST.sampling), Request(HISTORY, REQUEST.sampling, tools=(TOOL,), tool_choice="none")):
        assert cached(store, other, fingerprint="f", sample=0) is None
    unthought = (HISTORY[0], Message("assistant", TURN.content), *HISTORY[2:])
    assert cached(store, Request(unthought, REQUEST.sampling, tools=(TOOL,), tool_choice="auto"), fingerprint="f", sample=0) is None


async def test_a_thought_is_found_and_shown(store: Store) -> None:
    dag = await _recorded(store)
    (hit,) = search(store, "kumquat")
    assert hit["role"] == "reasoning"
    assert [place["as_what"] for place in hit["places"]] == ["thought"]
    thought = list(dag.thoughts())[1]
    facts = thought_facts(store, dag.key, thought.id)
    assert facts is not None
    thoughts = [part for part in facts["parts"] if part["title"].startswith("Thought before it")]
    assert [(part["text"], part["folded"]) for part in thoughts] == [(TURN.reasoning, True), (REPLY.reasoning, True)]
    assert {"title": "Tool call: add", "text": "{}", "folded": False} in facts["parts"]


async def test_exports_get_all_parts(store: Store) -> None:
    await _recorded(store)
    (row,) = answered(store, Where())
    assert row.turn == REPLY.message()
    assert Contexts(store).of(row) == HISTORY
    assert whole(store, "t" * 16)[1][0]["reasoning"] == REPLY.reasoning


async def test_a_thought_is_stored_once(store: Store) -> None:
    first = await store.write(lambda c: intern_message(c, Message("assistant", "a", reasoning="the same")))
    second = await store.write(lambda c: intern_message(c, Message("assistant", "b", reasoning="the same")))
    bare = await store.write(lambda c: intern_message(c, Message("assistant", "a")))
    assert len({first, second, bare}) == 3
    assert store.tuples("SELECT count(*) FROM messages WHERE role = 'reasoning'") == [(1,)]
    assert await store.write(lambda c: intern_message(c, Message("assistant", "a", reasoning="the same"))) == first


async def test_parts_changed_by_hand_are_noticed(store: Store) -> None:
    await store.write(lambda c: intern_message(c, TURN))
    await store.write(lambda c: c.execute("UPDATE messages SET parts = '{}' WHERE parts IS NOT NULL"))
    with pytest.raises(StoreError, match="changed by hand"):
        await store.write(lambda c: intern_message(c, TURN))


async def test_imports_bring_parts(store: Store) -> None:
    call = ReadCall("k", HISTORY[:1], "Answer: 3", parts={"reasoning": "so", "tool_calls": [["c", "add", "{}"]]}, tools=(TOOL,))
    read = ReadTrajectory("r" * 12, "i" * 16, PROBLEM, "s", "m", calls=[call])
    await store.write(lambda c: put(c, read, source="x", command="import"))
    (row,) = calls(store, "i" * 16)
    assert (row["reasoning"], json.loads(row["parts"])) == ("so", {"tool_calls": [["c", "add", "{}"]]})
    assert json.loads(row["tools"])["tools"] == [["add", "Add two numbers.", '{"type":"object"}']]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
def test_files_of_earlier_versions_open(tmp_path: Path, steps: int) -> None:
    names = list(migrations.STEPS)[:steps]
    old = Migrations("reasoner")
    for name in names:
        old(name=name)(migrations.STEPS[name])
    c = sqlite3.connect(tmp_path / "old.db")
    old.apply(Database(c))
    hashed = "ab" * 32 if steps < 4 else bytes.fromhex("ab" * 16)
    c.execute("INSERT INTO messages (hash, role, content) VALUES (?, 'user', 'an old kumquat')", (hashed,))
    c.commit()
    c.close()
    with Store.open(tmp_path / "old.db") as store:
        assert store.tuples("SELECT content, reasoning_id, parts FROM messages") == [("an old kumquat", None, None)]
        assert store.tuples("SELECT tools, reasoning_tokens, usage_estimated, sampling, lost_calls FROM call_details") == []
        assert store.tuples("SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'kumquat'") == [(1,)]
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
