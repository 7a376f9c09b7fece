"""The worker process: reads requests from its stdin, answers on what was its stdout, and dies with its parent.

Knows frames and the engine. Does not know why it was started, and keeps nothing: whatever goes wrong in native code, its parent
starts another one. Started by `reasoner.clients.llamacpp.process` as `python -m reasoner.clients.llamacpp.worker PARENT_PID`.

    in:  {"op": "load", "path": ..., "seat": ...}   then {"op": "complete", "id": 1, "seat": ..., ...}, {"op": "info", "id": 2, "seat": ...}, {"op": "cancel", "id": 1}
    out: {"event": "loaded"}, {"event": "ready"}, {"event": "started", "id": 1}, {"event": "beat"} ...,
         {"event": "piece", "id": 1, "text": ...} ... where the job says `stream`,
         {"event": "done", "id": 1, "text": ...} or {"event": "error", "id": 1, "kind": "ContextTooLong", "message": ...}, or {"event": "failed", ...} when loading failed
"""

from __future__ import annotations

import logging
import os
import queue
import resource
import select
import sys
import threading
import time
from typing import Any

from reasoner.clients.llamacpp.frames import BrokenFrame, read_frame, write_frame
from reasoner.errors import BadTemplate, ContextTooLong, ReasonerError

BEAT_EVERY_S = 0.1
PARENT_POLL_S = 1.0
RECURSION_LIMIT = 5000
EXIT_NOT_LOADED = 3


class Worker:
    """The two threads of the worker: one reads the pipe and watches the parent, the main one works."""

    def __init__(self, *, in_fd: int, out_fd: int, parent: int) -> None:
        self._in_fd = in_fd
        self._out_fd = out_fd
        self._parent = parent
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._last_beat = 0.0

    def run(self) -> int:
        """Load the model and answer until the parent goes away; returns only when the model cannot be loaded."""
        threading.Thread(target=self._listen, name="reader", daemon=True).start()
        options = self._inbox.get()
        try:
            from reasoner.clients.llamacpp.worker.engine import Engine  # noqa: PLC0415 - the reader must be up before native code is loaded

            logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
            engine = Engine.load(options)
            self._send({"event": "loaded"})
            engine.warm_up()
        except ReasonerError as error:
            self._send({"event": "failed", **_described(error)})
            return EXIT_NOT_LOADED
        self._send({"event": "ready"})
        while True:
            self._turn(engine)

    def _turn(self, engine: Any) -> None:
        """Take in what has arrived (waiting for it when there is nothing to do), then decode one batch."""
        while not engine.busy or not self._inbox.empty():
            self._take_in(engine, self._inbox.get())
        replies = engine.step()
        for number in engine.entered():
            self._send({"event": "started", "id": number})
        for number, piece in engine.pieces():
            self._send({"event": "piece", "id": number, **piece})
        for number, reply in replies:
            self._send({"event": "done", "id": number, **reply})
        now = time.monotonic()
        if now - self._last_beat >= BEAT_EVERY_S:
            self._last_beat = now
            self._send({"event": "beat"})

    def _take_in(self, engine: Any, job: dict[str, Any]) -> None:
        number = job["id"]
        try:
            if job["op"] == "complete":
                engine.submit(job)
            elif job["op"] == "cancel":
                if engine.cancel(number):
                    self._send({"event": "cancelled", "id": number})
            elif job["op"] == "measure":
                self._send({"event": "done", "id": number, **engine.measure(job["seat"])})
            else:
                self._send({"event": "done", "id": number, **engine.info(job["seat"])})
        except ReasonerError as error:
            self._send({"event": "error", "id": number, **_described(error)})

    def _send(self, value: dict[str, Any]) -> None:
        try:
            write_frame(self._out_fd, value)
        except BrokenPipeError:
            os._exit(0)

    def _listen(self) -> None:
        """Read frames until the parent is gone, then end the process at once: native code may be busy for long."""
        try:
            while self._parent_is_there():
                frame = read_frame(self._in_fd)
                if frame is None:
                    break
                self._inbox.put(frame)
        except (BrokenFrame, OSError, MemoryError) as error:
            os.write(2, f"reading from the parent failed: {error}\n".encode("utf-8", "replace"))
            os._exit(1)
        os._exit(0)

    def _parent_is_there(self) -> bool:
        # The end of the pipe is enough as a rule; but a process forked from the parent may hold the pipe open after its death.
        while not select.select([self._in_fd], [], [], PARENT_POLL_S)[0]:
            if os.getppid() != self._parent:
                return False
        return True


def _described(error: ReasonerError) -> dict[str, Any]:
    kind = next((k.__name__ for k in (BadTemplate, ContextTooLong) if isinstance(error, k)), "BadConfig")
    numbers: dict[str, Any] = {}
    if isinstance(error, ContextTooLong):
        numbers = {"prompt_tokens": error.prompt_tokens, "context_tokens": error.context_tokens}
    return {"kind": kind, "message": error.message, "hint": error.hint, **numbers}


def main() -> int:
    """Set the process up and run it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Native code prints where it likes; from here on that is stderr, and the frames have a descriptor of their own.
    out_fd = os.dup(1)
    in_fd = os.dup(0)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.setrecursionlimit(RECURSION_LIMIT)
    return Worker(in_fd=in_fd, out_fd=out_fd, parent=int(sys.argv[1])).run()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # No clean-up on the way out: destructors of native objects are one more place to crash.
    os._exit(code)
