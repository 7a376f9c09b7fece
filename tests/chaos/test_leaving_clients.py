"""Clients that leave in the middle of an answer, streaming or not: their trajectories are parked, and no call is begun after they are gone.

A client has gone when its end or reset is in our socket's queue; a call is begun at the moment the server last asks whether its client is
there. Both are taken on the system's monotonic clock. `REASONER_LEAVING` sets how many leave (full tier: 1000).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import leaving_clients
import pytest
from loopback import TOKEN, Loopback

from reasoner.budget import Limits
from reasoner.serve.app import application
from reasoner.serve.presence import PRESENCE
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Request, Usage

LEAVING = int(os.environ.get("REASONER_LEAVING", "40"))
CALL_S = 0.2
CALLS = 6
"""What one request may make: too few for the rounds it asks for, so that every trajectory uses exactly these."""
NAME = r"client-\d+b?"
"""What a client calls itself in its question; the second question of one ends in b."""
ON_AND_ON = '{"thought": "on and on", "stop": false, "response": "Answer: 1", "done": false}'


class Slow:
    """A model that writes down for whom and when it is asked, and never comes to an end."""

    name, fingerprint, paid, concurrency = "slow", "slow", False, 64

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.begun: dict[str, list[float]] = defaultdict(list)
        self.asked_of: dict[str, float] = {}
        """When the server last asked whether a client is there."""
        self.call_s = CALL_S

    async def complete(self, request: Request) -> Completion:
        found = re.search(NAME, "".join(message.content for message in request.messages))
        assert found
        self.begun[found[0]].append(self.asked_of.get(found[0], time.monotonic()))
        (self._folder / found[0]).touch()
        await asyncio.sleep(self.call_s)
        return Completion(ON_AND_ON, usage=Usage(1, 1))

    async def aclose(self) -> None:
        """Do nothing."""


class Noting:
    """An application that writes down when it is asked whether a client is there, just before it is."""

    def __init__(self, app: Any, model: Slow) -> None:
        self._app = app
        self._model = model

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] == "http":
            name = next((value.decode() for key, value in scope["headers"] if key == b"x-client"), "")
            there = scope["extensions"][PRESENCE]

            def noted() -> bool:
                self._model.asked_of[name] = time.monotonic()
                return bool(there())

            scope["extensions"] = scope["extensions"] | {PRESENCE: noted}
        await self._app(scope, receive, send)


def leave(port: int, seed: int, begun: Path) -> dict[str, tuple[str, float]]:
    """Let the clients come and go; gives how each left, and when."""
    command = [sys.executable, leaving_clients.__file__, str(port), TOKEN, str(seed), str(LEAVING), "iot:max_rounds=40/slow", str(begun)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {name: (how, float(when)) for name, how, when in lines}


@pytest.mark.slow
def test_no_call_is_begun_for_who_has_left(tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    (begun := tmp_path / "begun").mkdir()
    model = Slow(begun)
    settings = Settings(TOKEN, drain_s=5, max_requests=256)
    with Store.open(tmp_path / "t.db") as store:
        app = application(store, settings, clients=[model], limits=Limits(calls=CALLS))
        with Loopback(Noting(app, model), settings=settings) as server:
            left = leave(server.port, seed, begun)
            until = time.monotonic() + 60
            while app.executor.under_way and time.monotonic() < until:
                time.sleep(0.02)
            assert not app.executor.under_way, "a request of who has left is still under way"
            states = _counts(store, "SELECT state, count(*) FROM calls GROUP BY state")
            runs = _counts(store, "SELECT status, count(*) FROM runs GROUP BY status")
            sent = _sent(store)
            assert {name: len(times) for name, times in model.begun.items()} == sent, (
                "the journal holds every call that was begun, and no other"
            )

        late = {name: max(times) - left[name.rstrip("b")][1] for name, times in model.begun.items()}
        after = {name: (left[name.rstrip("b")][0], seconds) for name, seconds in late.items() if seconds > 0}
        figures = {
            "left": LEAVING, "by": Counter(how for how, _ in left.values()), "calls": sum(map(len, model.begun.values())),
            "begun after": len(after), "states": states, "runs": runs,
        }  # fmt: skip
        print(json.dumps(figures))  # noqa: T201
        assert not after
        assert len(left) == LEAVING
        assert states["unknown"] > 0, "nobody left in the middle"
        assert "intent" not in states
        assert set(runs) <= {"interrupted", "finished"}

        model.call_s, model.asked_of = 0.0, {}
        asyncio.run(app.executor.finish_parked())
        assert set(_sent(store).values()) == {CALLS}, "what was under way when its client left counts against what a request may use"
        assert {name: len(times) for name, times in model.begun.items()} == _sent(store)
        assert _counts(store, "SELECT status, count(*) FROM runs GROUP BY status") == {"finished": sum(runs.values())}


def _counts(store: Store, sql: str) -> dict[str, int]:
    return {str(name): int(n) for name, n in store.tuples(sql)}


def _sent(store: Store) -> dict[str, int]:
    """Return how many calls of each client were really sent, as the journal has it."""
    sql = (
        "SELECT p.instance, count(*) FROM calls c JOIN trajectories t ON t.id = c.trajectory_id JOIN problems p ON p.id = t.problem_id"
        " WHERE c.state IN ('done', 'unknown') GROUP BY p.instance"
    )
    found: Counter[str] = Counter()
    for instance, n in store.tuples(sql):
        name = re.search(NAME, instance)
        assert name
        found[name[0]] += n
    return dict(found)
