"""Import: files of other origin are kept as they are, what cannot be used is counted, and nothing a file says is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.datasets.trace import origins, parse_place
from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.runs.results import Result
from reasoner.session import Session
from reasoner.store import Store
from reasoner.store.queries import load_trajectory, prompt_of
from reasoner.types import Answer, ToolCall, Verdict
from solvers.number_path import NumberPathSolver

NO_VERDICT = "its verifier gives no verdict (--verdict any takes it as the file says)"


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def talk(*texts: str) -> dict[str, Any]:
    roles = ["system", *["user", "assistant"] * 9]
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


def test_conversations_of_other_origin(tmp_path: Path) -> None:
    path = lines(tmp_path / "in.jsonl", talk("be brief", "hello", "hi"), talk("be brief", "one", "two", "three", "four"))
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, path, kind="openai-sft", command="reasoner import in.jsonl")
        assert (found.rows, found.taken) == (2, 2)
        assert export(store, "openai-sft", tmp_path / "out.jsonl").taken == 0, "nothing verified them"
        assert export(store, "openai-sft", tmp_path / "out.jsonl", Filters(verdict="any")).taken == 2
        assert store.rows("SELECT count(*) AS n FROM verdicts") == [{"n": 0}]
        (run,) = store.rows("SELECT status, command FROM runs")
        assert run == {"status": "finished", "command": "reasoner import in.jsonl"}
    assert (tmp_path / "out.jsonl").read_text() == path.read_text()


def test_the_columns_tell_the_format(tmp_path: Path) -> None:
    rows = [
        talk("s", "q", "a"),
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        {"instruction": "q", "input": "more", "output": "a", "history": [["x", "y"]]},
        {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
    ]
    for number, row in enumerate(rows):
        with Store.open(tmp_path / f"{number}.db") as store:
            assert read_path(store, lines(tmp_path / "in.jsonl", row)).taken == 1
            (made,) = store.rows("SELECT answer FROM trajectories")
            assert made == {"answer": "a"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON|nests too deep"),
        ('{"a": 1}', "no known kind"),
        ('{"messages": []}', "no list of messages"),
        ('{"messages": [{"role": "user", "content": "q"}]}', "no reply"),
        ('{"messages": [{"role": "alien", "content": "q"}, {"role": "assistant", "content": "a"}]}', "role that is not known"),
        ('{"messages": [{"role": "user", "content": [1]}, {"role": "assistant", "content": "a"}]}', "neither text nor an object"),
        ('{"messages": [7]}', "is not an object"),
        ('{"conversations": [{"from": "alien", "value": "q"}]}', "role that is not known"),
        ('{"prompt": "q", "completions": ["a"], "labels": []}', "one length"),
        ('{"schema_version": "ATIF-v9", "steps": []}', "not known"),
        ('{"schema_version": "ATIF-v1.4", "steps": [{"source": "robot"}], "agent": {}}', "not a list of steps"),
        ('{"schema_version": "ATIF-v1.4", "steps": [], "agent": {}}', "no step"),
        (
            '{"schema_version": "ATIF-v1.4", "agent": {"name": "reasoner"}, "extra": {"problem": 1, "end": 1, "thoughts": 1}, "steps": []}',
            "does not hold what reasoner writes",
        ),
        ('{"messages": [], "lineage": {"trajectory": "x"}}', "no list of messages"),
    ],
)
def test_damaged_lines_are_counted_and_refused_where_that_is_asked(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f"{json.dumps(talk('s', 'q', 'a'))}\n{line}\n{json.dumps(talk('s', 'q', 'b'))}\n")
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, path)
        assert (found.rows, found.taken, sum(found.skipped.values())) == (3, 2, 1)
        ((reason, place),) = found.places.items()
        assert re.search(why, reason)
        assert place == "in.jsonl, line 2"
        with pytest.raises(CorruptRecord, match=f"line 2.*(?:{why})"):
            read_path(store, path, strict=True)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with Store.open(tmp_path / "t.db") as store:
        with pytest.raises(DataError, match="no file or folder"):
            read_path(store, tmp_path / "none.jsonl")
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="holds no file of data"):
            read_path(store, tmp_path / "empty")


def said(search: Callable[..., Result], text: str) -> Result:
    async def strategy(session: Session) -> Answer:
        thought = await session.ask("direct/answer")
        session.mark(thought, status="final", score=0.5)
        return session.offer(thought.text, thought)

    return search(strategy, [text])


def test_a_forged_verdict_is_not_believed(search: Callable[..., Result], tmp_path: Path) -> None:
    said(search, "Answer: 9 -> 10 -> 20")
    with Store.open(tmp_path / "t.db") as store:
        export(store, "atif", tmp_path / "a.jsonl")
        export(store, "kto", tmp_path / "k.jsonl")
        export(store, "sft", tmp_path / "s.jsonl")
    for name in ("a", "k", "s"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(path.read_text().replace("9 -> 10 -> 20", "9 -> 18 -> 99"))
    with Store.open(tmp_path / "u.db") as store:
        for name in ("a", "s"):
            read_path(store, tmp_path / f"{name}.jsonl")
            assert store.rows("SELECT correct FROM verdicts") == [{"correct": 0}]
        read_path(store, tmp_path / "k.jsonl")
        tally = export(store, "kto", tmp_path / "o.jsonl", Filters(solver="number_path"), Options(labels_from="replies"))
    assert tally.left_out["it no longer verifies"] == 1


@pytest.mark.parametrize(
    ("verdicts", "why"),
    [
        ({}, NO_VERDICT), ({"19": False}, NO_VERDICT),
        ({"20": True}, NO_VERDICT), ({"19": True}, "it was found wrong, and verifies now"), ({"20": False}, "it no longer verifies"),
        ({"20": True, "19": False}, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_what_the_verifier_does_not_judge_is_counted_as_that(
    search: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, verdicts: dict[str, bool], why: str
) -> None:
    """A family whose verifier gives no verdict, as `translation` without a reference, has no answer that no longer verifies."""
    for end in ("10 -> 20", "18 -> 19"):
        said(search, f"Answer: 9 -> {end}")
    with Store.open(tmp_path / "t.db") as store:
        assert export(store, name, tmp_path / "out.jsonl").taken == {"dpo": 1, "kto": 2}[name]
    verify = NumberPathSolver.verify

    def judged(self: NumberPathSolver, instance: Any, text: str) -> Verdict:
        return replace(verify(self, instance, text), correct=next((right for end, right in verdicts.items() if text.endswith(end)), None))

    with Store.open(tmp_path / "u.db") as store:
        read_path(store, tmp_path / "out.jsonl")
        monkeypatch.setattr(NumberPathSolver, "verify", judged)
        tally = export(store, name, tmp_path / "again.jsonl")
        n_unjudged = 2 - len(verdicts) if name == "kto" else 1
        expected = {why: 1} if why.startswith("it ") else {why: n_unjudged} if why else {}
        if name == "kto" and why.startswith("it "):
            expected[NO_VERDICT] = 1
        assert tally.left_out == expected
        taken = export(store, name, tmp_path / "any.jsonl", Filters(verdict="any")).taken
        assert taken == tally.seen - sum(n for each, n in expected.items() if each.startswith("it "))


def test_an_atif_document_of_ours_is_the_same_trajectory(search: Callable[..., Result], tmp_path: Path) -> None:
    outcome = said(search, "Answer: 9 -> 10 -> 20")
    with Store.open(tmp_path / "t.db") as store:
        export(store, "atif", tmp_path / "a.jsonl")
        before = load_trajectory(store, outcome.trajectory_id)
    with Store.open(tmp_path / "u.db") as store:
        read_path(store, tmp_path / "a.jsonl")
        after = load_trajectory(store, outcome.trajectory_id)
        (row,) = store.rows("SELECT dag_hash FROM trajectories")
    assert before.hash() == after.hash() == outcome.dag_hash == row["dag_hash"]


ATIF = {
    "schema_version": "ATIF-v1.4",
    "session_id": "s1",
    "agent": {"name": "other", "version": "2", "model_name": "m"},
    "steps": [
        {"step_id": 1, "source": "system", "message": "be brief"},
        {"step_id": 2, "source": "user", "message": "list the files"},
        {
            "step_id": 3, "source": "agent", "message": "I look.", "reasoning_content": "hm", "metrics": {"prompt_tokens": 9, "completion_tokens": 3},
            "tool_calls": [{"tool_call_id": "c", "function_name": "ls", "arguments": {}}], "observation": {"results": [{"source_call_id": "c", "content": "a b"}]},
        },
        {"step_id": 4, "source": "user", "message": [{"type": "text", "text": "thanks"}]},
        {"step_id": 5, "source": "agent", "message": "a and b"},
    ],
}  # fmt: skip


def test_atif_of_another_tool_becomes_a_chain_of_calls(tmp_path: Path) -> None:
    with Store.open(tmp_path / "t.db") as store:
        assert read_path(store, lines(tmp_path / "in.jsonl", ATIF)).taken == 1
        calls = store.rows("SELECT c.prompt_tokens, m.content FROM calls c JOIN messages m ON m.id = c.reply_id ORDER BY c.id")
        assert [call["prompt_tokens"] for call in calls] == [9, 0]
        assert calls[0]["content"] == "I look."
        first = prompt_of(store, store.rows("SELECT max(context_id) AS n FROM calls")[0]["n"])[2]
        assert (first.reasoning, first.tool_calls) == ("hm", (ToolCall("c", "ls", "{}"),))
        tally = export(store, "sft", tmp_path / "out.jsonl", Filters(verdict="any"))
        assert tally.counts["model"] == {"m": 1}
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant", "tool", "user", "assistant"]
    assert row["messages"][2]["tool_calls"] == [{"id": "c", "type": "function", "function": {"name": "ls", "arguments": "{}"}}]
    assert row["messages"][3] == {"role": "tool", "content": "a b", "tool_call_id": "c"}
    assert row["messages"][-1]["content"] == "a and b"


def test_tracing_a_row(search: Callable[..., Result], tmp_path: Path) -> None:
    good, bad = said(search, "Answer: 9 -> 10 -> 20"), said(search, "Answer: 9 -> 18 -> 36")
    with Store.open(tmp_path / "t.db") as store:
        for name in ("sft", "openai-sft", "atif", "dpo", "openai-dpo"):
            assert export(store, name, tmp_path / f"{name}.jsonl").taken == 1
            found = [lineage["trajectory"] for lineage in origins(tmp_path / f"{name}.jsonl", 1)]
            assert found == ([good.trajectory_id, bad.trajectory_id] if name.endswith("dpo") else [good.trajectory_id])
        export(store, "openai-sft", tmp_path / "bare.jsonl", options=Options(lineage="none"))
        export(store, "sft", tmp_path / "beside.jsonl", options=Options(lineage="sidecar"))
    assert "lineage" not in json.loads((tmp_path / "beside.jsonl").read_text())
    assert origins(tmp_path / "beside.jsonl", 1)[0]["trajectory"] == good.trajectory_id
    with pytest.raises(DataError, match="nothing says"):
        origins(tmp_path / "bare.jsonl", 1)
    with pytest.raises(DataError, match="no line 2"):
        origins(tmp_path / "sft.jsonl", 2)
    for text in ("sft.jsonl", "sft.jsonl:0", "sft.jsonl:x", ":3"):
        with pytest.raises(BadConfig, match="FILE:LINE"):
            parse_place(text)


@pytest.mark.parametrize("name", ["atif", "sft", "dpo", "kto", "prm", "grpo"])
@pytest.mark.parametrize("how", ["", "bfs"])
def test_searches_of_several_calls_come_back(search: Callable[..., Result], tmp_path: Path, name: str, how: str) -> None:
    """A tree over three calls with scores, statuses, states and a failed branch, and a conversation that grows: bytes and graphs are the same."""
    from reasoner.types import Message

    async def tree(session: Session) -> Answer:
        first = await session.ask("cot/answer")
        nodes = [session.note(f"9 -> {n}", parent=first, role="step", state=str(n), operation="", label=str(n)) for n in (10, 18)]
        session.mark(nodes[0], status="kept", score=20.0)
        session.mark(nodes[1], status="pruned", score=0.001)
        second = await session.ask("cot/answer", parent=nodes[0], history=[Message("user", "x"), Message("assistant", first.text)])
        for n in (11, 20):
            session.mark(session.note(f"10 -> {n}", parent=second, role="step", state=str(n)), status="final" if n == 20 else "pruned")
        last = await session.ask("direct/answer", parent=session.trajectory.children(second)[-1], state={"deep": [1, None, "\u2028"]})
        session.mark(last, status="final")
        return session.offer(last.text, last)

    outcome = search(tree, ["9 -> 10\n9 -> 18", "10 -> 11\n10 -> 20", "Answer: 9 -> 10 -> 20"])
    said(search, "Answer: 9 -> 18 -> 36")
    assert outcome.correct
    options = Options(search_to_text=how, labels_from="tree" if name in {"dpo", "kto", "prm"} else "replies")
    (tmp_path / "again").mkdir()
    with Store.open(tmp_path / "t.db") as store:
        tally = export(store, name, tmp_path / "o.jsonl", options=options)
        assert tally.taken > 0
    with Store.open(tmp_path / "u.db") as store:
        assert read_path(store, tmp_path / "o.jsonl").taken == tally.taken
        if name == "atif":
            assert load_trajectory(store, outcome.trajectory_id).hash() == outcome.dag_hash
        export(store, name, tmp_path / "again" / "o.jsonl", options=Options() if name == "sft" else options)
    assert (tmp_path / "again" / "o.jsonl").read_bytes() == (tmp_path / "o.jsonl").read_bytes()


WRONG_COLUMNS: list[tuple[str, Any]] = [
    ("created", "yesterday"), ("created", 5), ("finished", "x"), ("status", "odd"), ("score", "x"), ("seconds", "x"), ("seconds", float("inf")),
    ("operation", None), ("label", 3), ("role", None), ("depth", "1"), ("position", 2**63), ("total_cost_usd", "x"), ("level", "<b>"), ("line", 3),
    ("sampling", {}), ("calls", None), ("score", 10**400), ("seconds", 10**400),
]  # fmt: skip


def replaced(value: Any, name: str, by: Any) -> Any:
    if isinstance(value, dict):
        return {key: by if key == name else replaced(each, name, by) for key, each in value.items()}
    return [replaced(each, name, by) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "value"), WRONG_COLUMNS)
def test_an_own_document_whose_columns_have_other_types_is_counted_and_stops_no_other(tmp_path: Path, name: str, value: Any) -> None:
    reasoner.solve("number_path", "2 9 20", strategy="cot", model="teacher", db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as store:
        export(store, "atif", tmp_path / "a.jsonl")
    document = json.loads((tmp_path / "a.jsonl").read_text("utf-8"))
    document["final_metrics"]["total_cost_usd"] = 0.5
    wrong = {
        **document,
        "extra": replaced(document["extra"], name, value),
        "final_metrics": replaced(document["final_metrics"], name, value),
    }
    wrong |= {"steps": replaced(document["steps"], name, value), "trajectory_id": "wrong"}
    assert json.dumps({**wrong, "trajectory_id": document["trajectory_id"]}) != json.dumps(document)
    with Store.open(tmp_path / "u.db") as store:
        found = read_path(store, lines(tmp_path / "in.jsonl", wrong, document))
        assert (found.rows, found.taken) == (2, 1)
        assert store.tuples("SELECT id FROM trajectories") == [(document["trajectory_id"],)]
