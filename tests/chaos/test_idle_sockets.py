"""Idle and slow connections by the hundred against the real server: a client that asks is answered.

`REASONER_IDLE` sets how many are idle, a fifth as many are slow, and `REASONER_IDLE_SECONDS` how long an answer may take (full tier: 1000, 200
and one second, with nothing beside it).
"""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from forks import plain_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE = int(os.environ.get("REASONER_IDLE", "300"))
SLOW = IDLE // 5
ASKED = 20
MOST_S = float(os.environ.get("REASONER_IDLE_SECONDS", "20"))
TOKEN = "a-token-of-the-idle-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
BODY = {"model": "direct/teacher", "solver": "number_path", "messages": [{"role": "user", "content": "3 4 14"}], "max_tokens": 64}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    command = [
        sys.executable,
        "-m",
        "reasoner",
        "serve",
        "--model",
        "teacher",
        "--port",
        "0",
        "--db",
        str(tmp_path / "t.db"),
        "--drain",
        "1",
    ]
    child = subprocess.Popen(command, env=plain_environment() | {"REASONER_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    found = re.search(r"http://([\d.]+):(\d+)/v1", child.stderr.readline())
    assert found, "the server says where it is"
    yield found[1], int(found[2])
    child.terminate()
    said = child.communicate(timeout=30)[1]
    assert "Traceback" not in said, said


@pytest.mark.slow
def test_a_flood_of_idle_and_slow_connections_leaves_a_client_under_a_second(address: tuple[str, int]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    stop = threading.Event()
    held: list[socket.socket] = []

    def drip() -> None:
        """Keep so many connections that send a byte of a header now and then, and make new ones for those that were closed."""
        slow: list[socket.socket] = []
        while not stop.wait(0.2):
            slow += [socket.create_connection(address, timeout=20) for _ in range(SLOW - len(slow))]
            left: list[socket.socket] = []
            for sock in slow:
                try:
                    sock.sendall(b"G" if len(left) % 2 else b"POST / HTTP/1.1\r\nx: ")
                    left.append(sock)
                except OSError:
                    sock.close()
            slow = left
        for sock in slow:
            sock.close()

    dripping = threading.Thread(target=drip)
    dripping.start()
    times: list[float] = []
    url = f"http://{address[0]}:{address[1]}/v1"
    try:
        for number in range(ASKED):
            held += [socket.create_connection(address, timeout=20) for _ in range(IDLE // ASKED)]
            began = time.monotonic()
            if number % 2:
                answer = httpx.post(f"{url}/chat/completions", headers=HEADERS, json=BODY, timeout=20)
            else:
                answer = httpx.get(f"{url}/models", headers=HEADERS, timeout=20)
            times.append(time.monotonic() - began)
            assert answer.status_code == 200, answer.text
    finally:
        stop.set()
        dripping.join()
        for sock in held:
            sock.close()
    print(f"{IDLE} idle, {SLOW} slow, {ASKED} requests: slowest {max(times):.3f} s, load {os.getloadavg()[0]:.1f}")  # noqa: T201
    assert max(times) < MOST_S
