"""Token ids and log-probabilities in ATIF: what was recorded of a call stands in its step's metrics, and comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import atif
import pytest

import reasoner
from reasoner import token_record
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.store import Store
from reasoner.types import Completion, Request, ToolCall

PROMPT_IDS = [1, 5, 9]
FIELDS = ("prompt_token_ids", "completion_token_ids", "logprobs")
KEY = "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT" + "5vX7zB9dF1hJ3lN5pR7t"


def agent(*turns: str, last: str = "42") -> ScriptedClient:
    """Return a model that calculates each of `turns` and submits; no call but the second has a record."""

    def said(request: Request) -> Completion:
        at = sum(message.role == "assistant" for message in request.messages)
        call = ("calculator", {"expression": turns[at]}) if at < len(turns) else ("submit", {"answer": last})
        tokens = "" if at == 1 else token_record.written([*PROMPT_IDS, at], [10 + at, 2], [-0.123456789, -0.25])
        return Completion("", tool_calls=(ToolCall("c", call[0], json.dumps(call[1])),), finish_reason="tool_calls", tokens=tokens)

    return ScriptedClient(said, name="m")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "t.db"
    model = agent("6*7", "7*6")
    reasoner.ask("What is 6 times 7?", strategy="react", model=model, tools=["calculator"], record="tokens", db=path)
    return path


def documents(db: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    with Store.open(db) as store:
        tally = export(store, "atif", out, Filters(verdict="any"), Options(**options))
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if tally.taken else []


def replies(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in document["steps"] if step["source"] == "agent" and "metrics" in step]


def test_a_recorded_call_has_its_tokens_in_the_fields_of_atif(db: Path, tmp_path: Path) -> None:
    documents(db, tmp_path / "a.jsonl")
    document = atif.Trajectory.model_validate_json((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    found = [step.metrics for step in document.steps if step.metrics]
    assert [one.prompt_token_ids for one in found] == [[1, 5, 9, 0], None, [1, 5, 9, 2]]
    assert [one.completion_token_ids for one in found] == [[10, 2], None, [12, 2]]
    assert [one.logprobs for one in found] == [[-0.123457, -0.25], None, [-0.123457, -0.25]]


def test_a_call_that_was_not_recorded_has_no_empty_fields(db: Path, tmp_path: Path) -> None:
    (document,) = documents(db, tmp_path / "a.jsonl")
    assert [set(FIELDS) & set(step["metrics"]) for step in replies(document)] == [set(FIELDS), set(), set(FIELDS)]


def test_they_come_back_to_the_last_byte_and_into_groups(tmp_path: Path) -> None:
    path, other = tmp_path / "t.db", tmp_path / "other.db"
    said = iter(["Answer: 9 -> 10 -> 20", "Answer: 9 -> 18"])
    tokens = iter([token_record.written(PROMPT_IDS, [4, 2], [-0.5, -1e-7]), token_record.written(PROMPT_IDS, [7, 2], [-3.0, 0.0])])
    model = ScriptedClient(lambda _: Completion(next(said), tokens=next(tokens)), name="m")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=model, samples=2, record="tokens", db=path)
    assert len(documents(path, tmp_path / "a.jsonl")) == 2
    with Store.open(other) as store:
        assert read_path(store, tmp_path / "a.jsonl").taken == 2
    documents(other, tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    groups = []
    for one in (path, other):
        with Store.open(one) as store:
            assert export(store, "grouped", tmp_path / "g.jsonl", Filters(), Options(tokens=True)).taken == 1
        groups.append(json.loads((tmp_path / "g.jsonl").read_text(encoding="utf-8")))
    assert groups[0]["completion_ids"] == groups[1]["completion_ids"] == [[4, 2], [7, 2]]
    assert groups[0]["logprobs"] == groups[1]["logprobs"]


@pytest.mark.parametrize(("text", "options"), [(KEY, {"secrets": "redact"}), ("<|im_end|>", {"special_tokens": "escape"})])
def test_where_a_text_is_changed_no_tokens_spell_what_it_was(tmp_path: Path, text: str, options: dict[str, str]) -> None:
    db = tmp_path / "t.db"
    reasoner.ask("Is it?", strategy="react", model=agent("1+1", last=f"it is {text}"), tools=["calculator"], record="tokens", db=db)
    keep = {"secrets": "keep", "special_tokens": "keep"}
    (kept,) = documents(db, tmp_path / "a.jsonl", **keep)
    assert any(set(FIELDS) & set(step["metrics"]) for step in replies(kept))
    (changed,) = documents(db, tmp_path / "b.jsonl", **{**keep, **options})
    assert text not in (tmp_path / "b.jsonl").read_text(encoding="utf-8")
    assert not any(set(FIELDS) & set(step["metrics"]) for step in replies(changed))


ODD: tuple[tuple[Any, Any, Any], ...] = (
    ([1], [2, 3], [-1.0]), ([], [2], [-1.0]), ([1], [2], None), ("12", "3", "4"), ([1], [-2], [-1.0]), ([1], [True], [-1.0]), ([1], [2], [0.5]),
    ([1], [2], ["-1"]), ([1.5], [2], [-1.0]), ({"0": 1}, [2], [-1.0]), ([1], [10**400], [-1.0]), ([1], [2], [-(10**400)]), ([[1]], [2], [-1.0]),
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("own", [True, False])
def test_tokens_of_a_file_that_do_not_fit_together_are_not_taken(db: Path, tmp_path: Path, odd: tuple[Any, ...], *, own: bool) -> None:
    (document,) = documents(db, tmp_path / "a.jsonl")
    if not own:
        document["agent"]["name"] = "other"
    replies(document)[0]["metrics"].update(zip(FIELDS, odd, strict=True))
    (tmp_path / "odd.jsonl").write_text(json.dumps(document), encoding="utf-8")
    with Store.open(tmp_path / "odd.db") as store:
        assert read_path(store, tmp_path / "odd.jsonl").taken == 1
        kept = [row[0] for row in store.tuples("SELECT tokens FROM calls ORDER BY id")]
    assert [token_record.read(one) for one in kept] == [None, None, ((1, 5, 9, 2), (12, 2), (-0.123457, -0.25))]
