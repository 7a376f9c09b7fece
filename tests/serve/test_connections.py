"""Connections with sockets of the standard library: what is owed has a deadline, and whoever only waits makes room."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from loopback import TOKEN, Loopback

from reasoner.serve.settings import Settings

BODY = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": "hi"}]}).encode()
HEAD = (
    f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n".encode()
)
SOON: dict[str, Any] = {"first_byte_s": 0.4, "headers_s": 0.4, "body_s": 0.4}


@pytest.fixture
def serve(app: Callable[..., Any]) -> Iterator[Callable[..., Loopback]]:
    running: list[Loopback] = []

    def start(**bounds: Any) -> Loopback:
        running.append(Loopback(app(), settings=Settings(TOKEN, drain_s=2, **bounds)).__enter__())
        return running[-1]

    yield start
    for each in running:
        each.__exit__(None, None, None)


def connect(server: Loopback, *, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20, source_address=(address, 0))


def is_closed(sock: socket.socket) -> bool:
    """Tell whether the server has closed a connection; nothing is waited for."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def is_cut_off(sock: socket.socket, pieces: list[bytes], *, pause_s: float) -> bool:
    """Send pieces one by one; tell whether the server closed before the last, within 20 seconds."""
    until = time.monotonic() + 20
    try:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause_s)
            if time.monotonic() > until:
                break
    except ConnectionError:
        return True
    return False


def ends(sock: socket.socket) -> bytes:
    """Read until the server closes."""
    found = b""
    try:
        while piece := sock.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def ask(server: Loopback) -> int:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return httpx.post(f"{server.url}/v1/chat/completions", headers=headers, content=BODY, timeout=20).status_code


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        HEAD,
        HEAD + b"Content-Length: 100\r\n\r\n",
        HEAD + b"Content-Length: 100\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "one byte", "half the headers", "no body", "half a body", "half a chunk"],
)
def test_what_is_owed_has_a_deadline(serve: Callable[..., Loopback], sent: bytes) -> None:
    server = serve(**SOON)
    with connect(server) as sock:
        sock.sendall(sent)
        assert ends(sock) == b""
    assert ask(server) == 200


def test_bytes_that_drip_do_not_move_a_deadline(serve: Callable[..., Loopback]) -> None:
    server = serve(**SOON)
    with connect(server) as sock:
        assert is_cut_off(sock, [bytes([byte]) for byte in HEAD * 100], pause_s=0.02)


def test_a_request_under_way_has_none(serve: Callable[..., Loopback], app: Callable[..., Any], store: Any) -> None:
    from reasoner.clients.scripted import ScriptedClient
    from reasoner.serve.app import application

    def slow(_: Any) -> str:
        time.sleep(1.0)
        return "Answer: 42"

    settings = Settings(TOKEN, drain_s=2, **SOON)
    with Loopback(application(store, settings, clients=[ScriptedClient(slow, name="scripted")]), settings=settings) as server:
        assert ask(server) == 200


def test_an_answer_that_nobody_takes_in_has_one(store: Any) -> None:
    """The answer is larger than all buffers on the way, so it cannot be written before somebody reads."""
    from reasoner.clients.scripted import ScriptedClient
    from reasoner.serve.app import application

    settings = Settings(TOKEN, drain_s=2, write_s=0.4)
    long = ScriptedClient(lambda _: "x" * 1_000_000, name="scripted")
    body = BODY.replace(b'"model"', b'"n": 8, "model"')
    with Loopback(application(store, settings, clients=[long]), settings=settings) as server:
        with connect(server) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asking = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
            assert is_cut_off(sock, [asking] + [b"\r\n"] * 2000, pause_s=0.01)
        assert ask(server) == 200


def test_whoever_only_waits_makes_room_and_a_known_client_last(serve: Callable[..., Loopback]) -> None:
    server = serve(max_connections=8, max_per_address=100)
    known = connect(server)
    known.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
    assert known.recv(12) == b"HTTP/1.1 200"
    idle = [connect(server) for _ in range(20)]
    try:
        assert ask(server) == 200
        assert sum(is_closed(sock) for sock in idle) >= 13, "the oldest were closed for the newer"
        assert is_closed(idle[0])
        assert not is_closed(idle[-1])
    finally:
        for sock in [known, *idle]:
            sock.close()


def test_one_address_cannot_have_all(serve: Callable[..., Loopback]) -> None:
    server = serve(max_connections=100, max_per_address=4)
    other = connect(server, address="127.0.0.2")
    many = [connect(server) for _ in range(12)]
    try:
        assert ask(server) == 200
        assert not is_closed(other)
        assert sum(not is_closed(sock) for sock in many) <= 4
    finally:
        for sock in [other, *many]:
            sock.close()


def test_a_websocket_is_refused_before_its_handshake(serve: Callable[..., Loopback]) -> None:
    server = serve()
    upgrade = (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    for path in ("/v1/chat/completions", "/", "/view/x"):
        with connect(server) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n".encode() + upgrade)
            answer = ends(sock)
        assert answer.startswith(b"HTTP/1.1 400"), answer
        assert b"websockets are not supported" in answer


def test_a_request_with_two_lengths_ends_its_connection_and_smuggles_nothing(serve: Callable[..., Loopback]) -> None:
    server = serve()
    inner = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n" + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    for order in (b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n"):
        with connect(server) as sock:
            sock.sendall(HEAD + order + b"\r\n0\r\n\r\n" + inner)
            answer = ends(sock)
        assert answer.startswith(b"HTTP/1.1 400"), answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in answer.lower()
