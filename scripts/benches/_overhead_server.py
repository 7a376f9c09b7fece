"""The stub of the overhead bench: HTTP/1.1 with keep-alive on loopback, one chat completion for every POST, after a fixed latency.

`/0/v1/chat/completions` answers at once, `/50/v1/chat/completions` after 50 ms. `GET /peak` tells how many requests were under way at
most since it was last asked, so that no contender is compared at another concurrency than it was given. Knows no contender.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

TEXT = "10 - 4 = 6 leaves 6, 9, 13. 13 - 9 = 4 leaves 4, 6. 4 * 6 = 24 leaves 24, which is the goal.\nAnswer: (10 - 4) * (13 - 9) = 24"
REPLY = {
    "id": "chatcmpl-stub",
    "object": "chat.completion",
    "created": 1764000000,
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 180, "completion_tokens": 60, "total_tokens": 240},
}


def packed(value: object) -> bytes:
    """Return a whole response."""
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Gauge:
    """How many requests are under way, and how many were at most."""

    def __init__(self) -> None:
        self.now = self.peak = self.calls = 0

    def enter(self) -> None:
        """Count a request in."""
        self.now += 1
        self.calls += 1
        self.peak = max(self.peak, self.now)

    def take(self) -> dict[str, int]:
        """Return the peak and the number of calls, and begin anew."""
        found = {"peak": self.peak, "calls": self.calls}
        self.peak = self.calls = 0
        return found


class Stub(asyncio.Protocol):
    """One connection."""

    def __init__(self, gauge: Gauge, answer: bytes) -> None:
        self.gauge = gauge
        self.answer = answer
        self.data = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what has come so far."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            at = head.lower().find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + size:
                return
            self.data = self.data[end + 4 + size :]
            assert self.transport is not None
            path = head.split(b" ", 2)[1]
            if path == b"/peak":
                self.transport.write(packed(self.gauge.take()))
                continue
            self.gauge.enter()
            latency_s = int(path.split(b"/", 2)[1]) / 1000
            if latency_s:
                asyncio.get_running_loop().call_later(latency_s, self.send)
            else:
                self.send()

    def send(self) -> None:
        """Write the one answer."""
        self.gauge.now -= 1
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(self.answer)


async def main() -> None:
    """Serve until standard input ends: whoever started this has gone."""
    loop = asyncio.get_running_loop()
    gauge, answer = Gauge(), packed(REPLY)
    server = await loop.create_server(lambda: Stub(gauge, answer), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    asyncio.run(main())
