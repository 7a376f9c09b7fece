"""Clients that leave in the middle of an answer, streaming or not: their trajectories are parked, and no call is begun after they are gone.

`REASONER_LEAVING` sets how many leave (full tier: 1000).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from loopback import TOKEN, Loopback

from reasoner.serve.app import application
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Request, Usage

LEAVING = int(os.environ.get("REASONER_LEAVING", "40"))
AT_ONCE = 16
CALL_S = 0.05
ROUNDS = 40
NOTICED_S = 1.5
"""Within which a busy machine notices that a connection is closed; a trajectory that nobody parks goes on for two seconds."""


class Slow:
    """A model that writes down when it is asked for whom, and never comes to an end."""

    name, fingerprint, paid, concurrency = "slow", "slow", False, 64

    def __init__(self) -> None:
        self.begun: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    async def complete(self, request: Request) -> Completion:
        found = re.search(r"client-\d+", "".join(message.content for message in request.messages))
        assert found
        with self._lock:
            self.begun[found[0]].append(time.monotonic())
        await asyncio.sleep(CALL_S)
        return Completion('{"thought": "on and on", "stop": false, "response": "Answer: 1", "done": false}', usage=Usage(1, 1))

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.slow
def test_no_call_is_begun_for_who_has_left(tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    model = Slow()
    settings = Settings(TOKEN, drain_s=5, max_requests=64)
    left: dict[str, float] = {}

    def leave(number: int, port: int) -> None:
        rng = random.Random(f"{seed}/{number}")
        anthropic, streams = rng.random() < 0.3, rng.random() < 0.5
        name = f"client-{number}"
        body: dict[str, Any] = {
            "model": f"iot:max_rounds={ROUNDS}/slow", "stream": streams, "max_tokens": 64,
            "messages": [{"role": "user", "content": f"I am {name}, what is 1?"}],
        }  # fmt: skip
        data = json.dumps(body).encode()
        path = "/v1/messages" if anthropic else "/v1/chat/completions"
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(head.encode() + data)
            until = time.monotonic() + 30
            while name not in model.begun and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 3 * CALL_S))
            if rng.random() < 0.5:  # a reset instead of an end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        left[name] = time.monotonic()

    with Store.open(tmp_path / "t.db") as store:
        app = application(store, settings, clients=[model])
        with Loopback(app, settings=settings) as server, ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(leave, number, server.port) for number in range(LEAVING)]:
                done.result()
            until = time.monotonic() + 30
            while app.executor.under_way and time.monotonic() < until:
                time.sleep(0.02)
            assert not app.executor.under_way, "a request of who has left is still under way"
            open_ = store.rows("SELECT status, count(*) AS n FROM trajectories GROUP BY status")
            states = {row["state"]: row["n"] for row in store.rows("SELECT state, count(*) AS n FROM calls GROUP BY state")}
            runs = {row["status"]: row["n"] for row in store.rows("SELECT status, count(*) AS n FROM runs GROUP BY status")}
    late = {name: round(max(model.begun[name]) - gone, 3) for name, gone in left.items() if model.begun[name]}
    calls = sum(len(times) for times in model.begun.values())
    after = sum(when > left[name] for name, times in model.begun.items() for when in times)
    print(json.dumps({"left": LEAVING, "calls": calls, "begun after": after, "latest after, s": max(late.values()), "states": states}))  # noqa: T201
    assert len(left) == LEAVING
    assert open_ == [{"status": "open", "n": LEAVING}]
    assert runs == {"interrupted": LEAVING}
    assert "intent" not in states
    assert max(late.values()) < NOTICED_S, late
    assert after <= LEAVING, "one call may be on its way while the connection is being closed"
