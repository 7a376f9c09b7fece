"""Whether a client is there, as the kernel of this machine knows it: ends, resets, half ends, and ends behind bytes that nobody has read."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from loopback import TOKEN, Loopback

from reasoner.errors import Abandoned
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_line
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.serve.app import application
from reasoner.serve.presence import has_hung_up, peeked_end
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Request

WITHIN_S = 20.0


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give both ends of a connection over loopback: the server's, the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        with server, client:
            yield server, client


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def end(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))  # closing waits until the other side has it
    sock.close()


@pytest.mark.parametrize("gone", [has_hung_up, peeked_end])
@pytest.mark.parametrize("leave", [reset, end, lambda sock: sock.shutdown(socket.SHUT_WR)], ids=["reset", "end", "half"])
def test_a_client_is_there_until_it_leaves(gone: Callable[[int], bool], leave: Callable[[socket.socket], None]) -> None:
    with connected() as (server, client):
        assert not gone(server.fileno())
        client.sendall(b"x")
        assert not gone(server.fileno())
        assert server.recv(1) == b"x", "nothing was taken"
        leave(client)
        assert gone(server.fileno())


def test_an_end_behind_bytes_that_nobody_has_read_is_seen() -> None:
    with connected() as (server, client):
        client.sendall(b"the next request")
        end(client)
        assert has_hung_up(server.fileno())
        assert not peeked_end(server.fileno()), "where there is no POLLRDHUP this is seen once the bytes are read"


class Endless:
    """A model whose call does not end by itself."""

    name, fingerprint, paid, concurrency = "endless", "endless", False, 4

    def __init__(self) -> None:
        self.asked = threading.Event()

    async def complete(self, _: Request) -> Completion:
        self.asked.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("streams", [False, True])
def test_who_sent_the_next_request_already_is_seen_to_leave(store: Store, path: str, streams: bool) -> None:
    """The next request is not read while this one is under way, and an end behind it is not read either."""
    model = Endless()
    app = application(store, Settings(TOKEN), clients=[model])
    asked = {"input": "hi"} if path.endswith("responses") else {"messages": [{"role": "user", "content": "hi"}]}
    body = json.dumps({"model": "cot/endless", "stream": streams, **asked}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with Loopback(app) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(head.encode() + body)
            assert model.asked.wait(WITHIN_S)
            sock.sendall((head.encode() + body) * 2)
        until = time.monotonic() + WITHIN_S
        while app.executor.under_way and time.monotonic() < until:
            time.sleep(0.01)
        assert not app.executor.under_way
        assert [row["status"] for row in store.rows("SELECT status FROM trajectories")] == ["open"]


async def test_a_run_that_is_not_wanted_any_more_begins_no_call_and_goes_on_later(store: Store) -> None:
    """Three calls are wanted; the fourth is not begun, and the run that is opened again makes it and those after it."""
    asked: list[str] = []

    class Counting:
        name, fingerprint, paid, concurrency = "counting", "counting", False, 4

        async def complete(self, request: Request) -> Completion:
            asked.append(request.key)
            return Completion(f"Answer: {len(asked)}")

        async def aclose(self) -> None:
            """Do nothing."""

    def plan() -> Plan:
        return Plan(
            [problem_from_line("chat", '{"messages": [{"role": "user", "content": "hi"}]}')], parse_strategies("self_consistency:n=6")
        )

    async with open_run(plan(), [Counting()], RunOptions(wanted=lambda: len(asked) < 3), db=store) as run:
        with pytest.raises(Abandoned, match="parked and can be resumed"):
            await run.finish()
    assert len(asked) == 3
    assert [row["status"] for row in store.rows("SELECT status FROM runs")] == ["interrupted"]
    assert [row["status"] for row in store.rows("SELECT status FROM trajectories")] == ["open"]
    assert {row["state"] for row in store.rows("SELECT state FROM calls")} <= {"done", "failed", "unknown"}
    async with open_run(plan(), [Counting()], RunOptions(), db=store) as run:
        report = await run.finish()
    assert report.results[0].status == "closed"
    assert sum(row["n"] for row in store.rows("SELECT count(*) AS n FROM calls WHERE state IN ('done', 'unknown')")) == len(asked)
