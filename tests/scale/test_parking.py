"""A shard that is stopped in good order seals all that it has committed, whatever it was in the middle of."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from pathlib import Path

import pytest
from model_server import ModelServer
from shards import Cut, cut, small_plan

from reasoner.clients import ClientOptions
from reasoner.runs.options import RunOptions
from reasoner.scale.manifest import read_manifest
from reasoner.scale.sealing import Sealing
from reasoner.scale.segments import names_of, unpacked
from reasoner.scale.worker import Here, run_shard
from reasoner.store import Store

NEVER = Sealing(seconds=1000, calls=10**6)
ANSWERED = "SELECT key FROM calls WHERE state = 'done'"


async def stopped_at(made: Cut, moment: threading.Event) -> None:
    task = asyncio.create_task(run_shard(made.place, 0, here=Here(local=made.local, sealing=NEVER)))
    assert await asyncio.to_thread(moment.wait, 60)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_what_was_begun_since_the_last_segment_is_sealed_when_a_shard_is_parked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    asked, moment = itertools.count(1), threading.Event()

    def answer(_: str) -> str:
        if next(asked) == 13:  # the second trajectory is under way, and no segment was made yet
            moment.set()
        return "Answer: 1"

    with ModelServer(answer, keyed=True) as server:
        options = RunOptions(client=ClientOptions(base_url=server.url(), api_key_env="OPENAI_API_KEY", concurrency=1))
        made = cut(tmp_path, small_plan(3, strategies="self_consistency:n=8"), n=1, options=options, model="openai:m")
        asyncio.run(stopped_at(made, moment))
    run = read_manifest(made.place, 0).head.run
    with Store.read(made.local / run / "00000" / "shard.db") as store:
        committed = set(store.tuples(ANSWERED))
    sealed = set()
    for each in names_of(made.place, 0)[0]:
        with unpacked(made.place, each, run=run) as source:
            sealed |= set(source(ANSWERED, ()))
    assert len(committed) > 8
    assert sealed == committed
