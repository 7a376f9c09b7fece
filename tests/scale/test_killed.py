"""kill -9 of `run-shard` at every named place, against a server that counts what it is asked: what was committed is not asked again."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks
from model_server import ModelServer
from shards import Cut, contents, cut, exported, single, small_plan

from reasoner.clients import ClientOptions
from reasoner.runs.options import RunOptions
from reasoner.scale.merging import merge
from reasoner.store.crash import POINTS, SHARD_POINTS

PLAN = small_plan(6, strategies="cot,self_consistency:n=2")
KEY = {"OPENAI_API_KEY": "x", "REASONER_LEASE_S": "0.5"}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"1: a step\nAnswer: {len(asked)}", keyed=True) as made:
        yield made


def options(url: str) -> RunOptions:
    # Whoever kills here does so at random: nothing is to be set aside for it.
    return RunOptions(retry_poisoned=True, client=ClientOptions(base_url=url, api_key_env="OPENAI_API_KEY", concurrency=2))


def line(made: Cut, shard: int) -> list[str]:
    out = str(made.place.place)
    return ["run-shard", str(shard), "--out", out, "--local", str(made.local), "--seal-calls", "3", "--seal-seconds", "0.3", "--json"]


@pytest.mark.parametrize("lost", [False, True], ids=["its file is there", "its file is gone"])
def test_a_killed_shard_goes_on_where_it_was(
    lost: bool, tmp_path: Path, server: ModelServer, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    part = f"killed-{lost}"
    single(tmp_path / "one.db", PLAN, options(server.url(part)), model="openai:m")
    n_whole = sum(server.ledger(part).billed.values())
    server.ledger(part).clear()
    made = cut(tmp_path, PLAN, n=1, options=options(server.url(part)), model="openai:m")
    n_lost = 0
    for place in (*POINTS[1:], *SHARD_POINTS[:3]):
        ended = forks.run(line(made, 0), cwd=tmp_path, env={**KEY, "REASONER_CRASH_AT": f"{place}:2"})
        if ended.code == -signal.SIGKILL:
            n_lost += 1
            if lost:
                shutil.rmtree(made.local)
    assert n_lost >= 3
    ended = forks.run(line(made, 0), cwd=tmp_path, env=KEY)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["state"] == "finished"
    merged = merge(made.place, tmp_path / "many.db")
    assert merged.is_complete
    ledger = server.ledger(part)
    assert sum(ledger.billed.values()) == n_whole, "a server with idempotency keys bills nothing twice"
    again = sum(ledger.asked.values()) - len(ledger.asked)
    # In flight at a kill: two calls and one that is announced. Where the file is gone also what was not sealed: three calls, or as many as come in half a second.
    assert again <= n_lost * (3 if not lost else 12), again
    assert exported(tmp_path / "many.db", tmp_path / "a") == exported(tmp_path / "one.db", tmp_path / "b")
    assert [row for row in contents(tmp_path / "many.db") if len(row) == 4] == [
        row for row in contents(tmp_path / "one.db") if len(row) == 4
    ]
