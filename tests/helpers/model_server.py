"""A loopback model that answers from the prompt alone, and a ledger of what it was asked and what it would have billed.

Every test has its own part of the server by the path of its URL (`server.url("a")`), with a ledger of its own (`server.ledger("a")`), so
that many command lines can be killed at once against one server.

    with ModelServer(lambda asked: "Answer: 24", keyed=True) as server:
        server.url("a") -> "http://127.0.0.1:40123/a/v1"
        server.ledger("a").billed -> Counter({"3f9c…": 1})

Does not know `reasoner`. One that honours idempotency keys (`keyed`) bills a key once and gives the stored answer to whoever asks again;
one that does not bills every request.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Ledger:
    """What one part of the server was asked, by idempotency key, in order."""

    asked: Counter[str] = field(default_factory=Counter)
    billed: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)

    def clear(self) -> None:
        for part in (self.asked, self.billed, self.order, self.answers):
            part.clear()


Answer = Callable[[str], str]
"""From the last message of a prompt to the reply."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # on a busy machine a short queue drops connections


class ModelServer:
    """Runs in threads between `__enter__` and `__exit__`. `delay_s` may be changed at any time; the first `n_broken` requests are refused."""

    def __init__(self, answer: Answer, *, delay_s: float = 0.0, keyed: bool = False, n_broken: int = 0) -> None:
        self.delay_s = delay_s
        self._answer = answer
        self._keyed = keyed
        self._n_broken = n_broken
        self._n = 0
        self._ledgers: dict[str, Ledger] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def url(self, part: str = "m") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{part}/v1"

    def ledger(self, part: str = "m") -> Ledger:
        with self._lock:
            return self._ledgers.setdefault(part, Ledger())

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, part: str, key: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Return status and body, having written the ledger."""
        ledger = self.ledger(part)
        with self._lock:
            self._n += 1
            ledger.asked[key] += 1
            ledger.order.append(key)
            if self._n <= self._n_broken:
                return 400, json.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}}).encode()
            if self._keyed and key in ledger.answers:
                return 200, ledger.answers[key]
            ledger.billed[key] += 1
            asked = body["messages"][-1]["content"]
            text = self._answer(asked)
            usage = {"prompt_tokens": len(asked), "completion_tokens": len(text)}
            choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            ledger.answers[key] = json.dumps({"choices": [choice], "usage": usage}).encode()
            return 200, ledger.answers[key]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self) -> None:
                n_bytes = int(self.headers["Content-Length"])
                sent = self.rfile.read(n_bytes)
                if len(sent) < n_bytes:
                    self.close_connection = True
                    return  # killed in the middle of sending: nothing was asked
                status, data = server.respond(self.path.split("/")[1], self.headers["Idempotency-Key"], json.loads(sent))
                time.sleep(server.delay_s)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    return  # the client was killed while it waited

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    return  # the same, in the middle of a request

        return Handler
