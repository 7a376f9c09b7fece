"""An application of ours behind a real socket, in a thread of its own."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from reasoner.serve.server import config_for
from reasoner.serve.settings import Settings

TOKEN = "a-token-of-the-tests"


class Loopback:
    """`with Loopback(app) as server: httpx.get(server.url + ...)`."""

    def __init__(self, app: Any, *, settings: Settings | None = None) -> None:
        """`settings` bound the connections; they need not be those of the application."""
        config = config_for(app, settings or Settings(TOKEN, drain_s=2), host="127.0.0.1", port=0)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        deadline_s = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > deadline_s or not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(20)
