"""Every published shape of a log is read whole, and one damaged row of it is one line and takes nothing else with it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from foreign_logs import SAMPLES, Sample

from reasoner import registry
from reasoner.datasets.imports import read_path
from reasoner.errors import BadConfig, DataError
from reasoner.store import Store
from reasoner.store.interning import message_of
from reasoner.store.queries import calls, load_trajectory, prompt_of
from reasoner.store.reading import root_state


def conversation(store: Store, trajectory: str) -> list[Any]:
    """Return all messages of a trajectory: what its last call was asked, and its reply."""
    (*_, last) = calls(store, trajectory)
    return [*prompt_of(store, last["context_id"]), message_of("assistant", last["reply"], last["parts"], last["reasoning"])]


def first(store: Store, sample: Sample) -> dict[str, Any]:
    rows = store.rows("SELECT t.*, h.state FROM trajectories t JOIN thoughts h ON h.trajectory_id = t.id AND h.depth = 0 ORDER BY t.rowid")
    return next((row for row in rows if row["answer"] == sample.last), rows[0])


def subset(part: Any, whole: Any) -> bool:
    return isinstance(whole, dict) and all(whole.get(name) == value for name, value in part.items())


def test_there_is_a_sample_of_every_importer() -> None:
    assert len(SAMPLES) >= 40
    assert {sample.kind for sample in SAMPLES} - {"mapped"} == set(registry.names("importer")) - {"own-export"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_it_is_read_whole(sample: Sample, tmp_path: Path) -> None:
    path = sample.write(tmp_path / "log")
    if sample.file.startswith("hub/"):
        (path / "README.md").write_text("---\nlicense: mit\n---\n# Hens\n")
        (path / "dataset_infos.json").write_text("{}")
    with Store.open(tmp_path / "t.db") as store:
        found = read_path(store, path, columns=sample.columns)
        assert (found.taken, found.skipped) == (sample.n, {}), found
        assert set(found.kinds) == {sample.kind}
        assert found.bad_usage == 0
        row = first(store, sample)
        assert store.rows("SELECT * FROM verdicts") == [], "nothing judged it here"
        assert load_trajectory(store, row["id"]).root.text
        if sample.record:
            assert json.loads(row["state"])["kind"] == sample.record
            assert read_path(store, path, columns=sample.columns).taken == 0
            return
        talk = conversation(store, row["id"])
        assert talk[-1].content == row["answer"] == sample.last
        said = [m for m in talk if m.role == "assistant"]
        assert [call.name for m in said for call in m.tool_calls] == list(sample.calls)
        assert not sample.thought or sample.thought in {m.reasoning for m in said}
        if sample.roles:
            assert "".join(m.role[0] for m in talk) == sample.roles
        if sample.tokens:
            assert (row["prompt_tokens"], row["completion_tokens"]) == sample.tokens
        if sample.model:
            assert row["model"] == sample.model
        assert subset(sample.facts, root_state(store, row["id"])["import"])
        assert read_path(store, path, columns=sample.columns).taken == 0, "the same file is taken once"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if len(s.rows) > 1], ids=lambda sample: sample.name)
def test_a_damaged_row_is_one_line_and_nothing_else_is_lost(sample: Sample, tmp_path: Path) -> None:
    whole, damaged = sample.write(tmp_path / "whole"), sample.write(tmp_path / "damaged", damaged=True)
    with Store.open(tmp_path / "a.db") as store, Store.open(tmp_path / "b.db") as other:
        before, after = read_path(store, whole, columns=sample.columns), read_path(other, damaged, columns=sample.columns)
        assert sum(after.skipped.values()) == 1, after
        assert len(after.skipped) == len(after.places) == 1
        lost = 0 if sample.kind == "agent-session" else 2 if sample.name == "ultrafeedback" else 1
        assert after.taken == before.taken - lost
        answers = [{row["answer"] for row in one.rows("SELECT answer FROM trajectories")} for one in (store, other)]
        assert answers[1] <= answers[0]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.as_what in {"lines", "array"}], ids=lambda sample: sample.name)
def test_a_value_of_another_kind_is_a_row_left_out_or_taken_and_never_a_fault(sample: Sample, tmp_path: Path) -> None:
    rng = random.Random(sample.name)
    n_places = sum(1 for _ in places(sample.rows))
    with Store.open(tmp_path / "t.db") as store:
        for _ in range(12):
            rows = copy.deepcopy(sample.rows)
            container, key = list(places(rows))[rng.randrange(n_places)]
            container[key] = rng.choice(({}, [], [[1]], {"a": []}, None, True, -1, 1e308, "", "\x00"))
            try:
                read_path(store, replace(sample, rows=rows).write(tmp_path / "in"), columns=sample.columns)
            except (BadConfig, DataError) as error:
                assert "\n" not in str(error)
            except Exception as error:
                raise AssertionError(json.dumps(rows)[:1500]) from error
