"""Grants never pass the budget of the run, whoever asks, dies or comes back; rates are divided so that they never pass either."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import cut, small_plan

from reasoner.budget import Limits
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig
from reasoner.runs.options import RunOptions
from reasoner.scale.grants import SETTLED_S, Rates
from reasoner.scale.ledger import Ledger
from reasoner.scale.merging import merge
from reasoner.scale.shared import shared
from reasoner.store import Store


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(1, 5), st.integers(0, 2**32))
def test_what_is_given_out_never_passes_the_budget(calls: int, among: int, seed: int) -> None:
    rng = Random(seed)
    ledger = Ledger(shared(f"memory://ledger-{calls}-{among}-{seed}"), Limits(calls=calls, cost=1.0))
    given_out, refused = 0.0, False
    held: list[dict[str, float]] = []
    for _ in range(40):
        if held and rng.random() < 0.3:
            back = held.pop(rng.randrange(len(held)))
            ledger.give_back(shard=0, epoch=1, unused=back)
            given_out -= back["calls"]
            continue
        need = {"calls": float(rng.randint(1, 4)), "cost": rng.random() / 50}
        if (grant := ledger.ask(shard=0, epoch=1, need=need, among=among)) is None:
            refused = True
            continue
        assert grant["calls"] >= need["calls"]
        assert grant["cost"] >= need["cost"]
        held.append(grant)
        given_out += grant["calls"]
        assert given_out <= calls
        assert ledger.total()["calls"] == given_out
        assert ledger.total()["cost"] <= 1.0 + 1e-9
    assert refused or given_out <= calls


def test_many_who_ask_at_once_get_no_more_than_there_is(tmp_path: Path) -> None:
    place = shared(tmp_path)

    def ask(number: int) -> float:
        got = 0.0
        while (grant := Ledger(place, Limits(calls=97)).ask(shard=number, epoch=1, need={"calls": 1.0}, among=4)) is not None:
            got += grant["calls"]
        return got

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, range(4))) == 97


def made_calls(db: Path) -> int:
    with Store.read(db) as store:
        return int(store.tuples("SELECT count(*) FROM calls WHERE state = 'done'")[0][0])


@pytest.mark.parametrize("cap", [5, 11])
def test_all_shards_together_keep_to_the_budget_of_the_run(cap: int, tmp_path: Path) -> None:
    made = cut(tmp_path, small_plan(6), n=3, options=RunOptions(run_limits=Limits(calls=cap)))
    states = [ended.state for ended in made.run_all()]
    assert "exhausted" in states
    for number in range(3):  # what one gave back another may use
        made.run(number)
    merge(made.place, tmp_path / "many.db")
    assert made_calls(tmp_path / "many.db") == cap


def test_what_a_lost_file_was_granted_stays_used(tmp_path: Path) -> None:
    plan = small_plan(8)
    made = cut(tmp_path, plan, n=2, options=RunOptions(run_limits=Limits(calls=12)))
    first = made.run(0)
    granted = Ledger(made.place, Limits(calls=12))
    assert granted.total()["calls"] == first.calls, "what it did not use came back"
    shutil.rmtree(made.local)
    made.run(0), made.run(1), made.run(0)
    merge(made.place, tmp_path / "many.db")
    assert made_calls(tmp_path / "many.db") <= 12
    assert granted.total()["calls"] <= 12


def test_a_budget_that_is_enough_changes_nothing(tmp_path: Path) -> None:
    made = cut(tmp_path, small_plan(4), n=3, options=RunOptions(run_limits=Limits(calls=1000, tokens=10**9)))
    assert [ended.state for ended in made.run_all()] == ["finished"] * 3
    assert merge(made.place, tmp_path / "many.db").is_complete
    with Store.read(tmp_path / "many.db") as store:
        (row,) = store.rows("SELECT status, used_calls, limits FROM runs")
    assert row["status"] == "finished"
    assert row["used_calls"] == made_calls(tmp_path / "many.db")
    assert '"calls": 1000' in row["limits"]


def test_a_rate_is_divided_over_the_shards_that_may_be_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shared(tmp_path)
    now = [0.0]
    monkeypatch.setattr("reasoner.scale.grants.time.monotonic", lambda: now[0])
    rates = Rates(place, rpm=60, tpm=None, of=6, at_once=6)
    assert rates.part() == (10, None)
    for shard in range(4):
        place.create(f"done/{shard:05d}.json", b"{}")
    assert rates.part() == (10, None), "what they sent last counts for a minute"
    now[0] = SETTLED_S
    assert rates.part() == (30, None)
    assert Rates(place, rpm=60, tpm=None, of=6, at_once=2).part() == (30, None)


def test_a_rate_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="rpm=2"):
        cut(tmp_path, small_plan(6), n=3, options=RunOptions(client=ClientOptions(rpm=2)))
