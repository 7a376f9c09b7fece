"""A loopback HTTP server that misbehaves as told, and a ledger of what it was sent.

Knows HTTP/1.1 byte by byte and nothing about models. Each request takes the next `Fault` from the queue; with none left it answers
418, which no client retries, so that a test asking too often sees it.

    server.script(Fault(status=503), Fault(body=chat("hi"), cut_at=10))
    server.received[0].headers["authorization"]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any


def chat(text: str | None = "hi", **changes: Any) -> bytes:
    """Return the body of a sound chat completion; `changes` replaces top-level fields."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    return json.dumps(
        {"id": "c1", "object": "chat.completion", "model": "served-model", "choices": [choice], "usage": usage} | changes
    ).encode()


def error_body(message: str, **fields: Any) -> bytes:
    """Return the body of an error in the common shape."""
    return json.dumps({"error": {"message": message} | fields}).encode()


@dataclass(frozen=True)
class Fault:
    """One answer. The defaults make a sound one; every field spoils something."""

    body: bytes = field(default_factory=chat)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Wait this long before the first byte."""
    cut_at: int | None = None
    """Close the connection after so many bytes of the body."""
    stall_at: int | None = None
    """Send so many bytes of the body and then nothing more, with the connection open."""
    drip_s: float | None = None
    """Send the body byte by byte with this pause."""
    content_length: int | None = None
    """Announce this length instead of the true one."""
    announce_length: bool = True
    """False leaves the length out: the end of the connection ends the body."""
    raw: bytes | None = None
    """Send these bytes instead of a response; empty closes at once."""
    half_close: bool = False
    """Shut the sending side down at the end but keep the connection open."""


@dataclass(frozen=True)
class Received:
    """One request as it came in. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FaultServer:
    """Runs in a thread with an event loop of its own between `start` and `stop`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._faults: deque[Fault] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-server", daemon=True)
        self._server: asyncio.Server | None = None
        self.connections: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *faults: Fault) -> None:
        self._faults.extend(faults)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self.connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connection(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)
        await asyncio.wait([task])

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that leaves early is part of the game.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                while (request := await _read_request(reader)) is not None:
                    self.received.append(request)
                    fault = self._faults.popleft() if self._faults else Fault(error_body("the fault server has no reply left"), 418)
                    if not await _answer(writer, fault):
                        break
                    if fault.half_close or fault.stall_at is not None:
                        await reader.read()  # until the client lets go
                        break
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode("ascii").split(" ", 2)
    headers: dict[str, str] = {}
    while (head := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = head.partition(":")
        headers[name.lower()] = value.strip()
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _answer(writer: asyncio.StreamWriter, fault: Fault) -> bool:
    """Send one answer; tell whether the connection stays usable."""
    await asyncio.sleep(fault.delay_s)
    if fault.raw is not None:
        writer.write(fault.raw)
        await writer.drain()
        return False
    headers = {"Content-Type": "application/json"} | fault.headers
    if fault.announce_length:
        headers["Content-Length"] = str(len(fault.body) if fault.content_length is None else fault.content_length)
    head = f"HTTP/1.1 {fault.status} Told So\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(head.encode("latin-1") + b"\r\n")
    body = fault.body if fault.cut_at is None else fault.body[: fault.cut_at]
    body = body if fault.stall_at is None else body[: fault.stall_at]
    if fault.drip_s is None:
        writer.write(body)
    else:
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(fault.drip_s)
    await writer.drain()
    if fault.half_close:
        writer.write_eof()
    if fault.stall_at is not None:
        return True
    return fault.announce_length and fault.cut_at is None and fault.content_length is None
