"""Our end of the judging process: start it, ask it, end what takes too long.

    worker(MATH).ask({"op": "math", "gold": "1/2", "given": "0.5"})  ->  {"same": True}, or None after the limit of time

A server process imports what is needed once and forks a child that answers; a child that is late is killed and another forked, in
milliseconds. Safe to call from several threads, which then wait for each other; a forked copy of our process starts its own.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from reasoner.errors import MissingDependency

PLAIN = "plain"
"""A process that knows the standard library alone."""
MATH = "math"
"""One that has math-verify ready."""
WALL_S = 1.5
"""Seconds an answer may take; the process itself ends earlier, after `reasoner.grading.worker.__main__.CPU_S` of work."""
CPU_S = 1.2
"""Seconds of processor time after which a child is killed that cannot end itself, inside one long operation."""
STARVED_S = 30.0
"""Seconds an answer may take on a machine that does not let the child run: who is not let run is not to blame."""
START_S = 60.0
"""Seconds the server may take to import what it needs: a machine may be crowded."""
MAX_REQUEST_BYTES = 1 << 20


class Worker:
    """One server and its child."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._child = 0
        self._heard = b""
        self._ticks = 0

    def ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Ask for one answer; None where it took too long, too much memory, or ended the process.

        Raises:
            MissingDependency: the server lacks a package.
        """
        line = json.dumps(request).encode() + b"\n"
        if len(line) > MAX_REQUEST_BYTES:
            return None
        with self._lock:
            if not self._ready():
                return None
            assert self._server is not None
            assert self._server.stdin is not None
            self._ticks = _ticks_of(self._child)
            try:
                self._server.stdin.write(line)
                self._server.stdin.flush()
            except OSError:
                self._end()
                return None
            answer = self._line(WALL_S)
            begun = time.monotonic()
            while answer is None and self._starved(request, time.monotonic() - begun):
                answer = self._line(WALL_S / 4)
            if answer is None:
                with suppress(OSError):
                    os.kill(self._child, signal.SIGKILL)
                self._child = 0
                return None
            if "pid" in answer:  # the child ended over the request, and this is the next one
                self._child = int(answer["pid"])
                return None
            return answer

    def _starved(self, request: dict[str, Any], waited_s: float) -> bool:
        """Tell whether a child that is late has not had its processor time yet. Code of the user's may sleep: it has no more than its time."""
        if request["op"] == "python" or waited_s > STARVED_S or not self._child:
            return False
        worked = _ticks_of(self._child)
        return worked > 0 and (worked - self._ticks) / os.sysconf("SC_CLK_TCK") < CPU_S

    def _ready(self) -> bool:
        """Wait until there is a child that listens; start the server where there is none."""
        if self._server is None or self._owner != os.getpid() or self._server.poll() is not None:
            self._start()
        if not self._child:
            hello = self._line(START_S)
            while hello is not None and "pid" not in hello and "missing" not in hello:  # an answer that came too late
                hello = self._line(START_S)
            if hello is None:
                self._end()
                return False
            if "missing" in hello:
                self._end()
                raise MissingDependency(str(hello["missing"]), extra="tasks")
            self._child = int(hello["pid"])
        return True

    def _start(self) -> None:
        self._heard, self._child, self._owner = b"", 0, os.getpid()
        self._server = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "reasoner.grading.worker", self.kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def _line(self, within_s: float) -> dict[str, Any] | None:
        """Return the next line of the process, None where none comes in time."""
        assert self._server is not None
        assert self._server.stdout is not None
        until = time.monotonic() + within_s
        while b"\n" not in self._heard:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._server.stdout], [], [], left)[0]:
                return None
            piece = os.read(self._server.stdout.fileno(), 65536)
            if not piece:
                self._end()
                return None
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        made = json.loads(line)
        return made if isinstance(made, dict) else None

    def _end(self) -> None:
        server, self._server, self._child = self._server, None, 0
        if server is not None and self._owner == os.getpid():
            with suppress(OSError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            for pipe in (server.stdin, server.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def close(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            self._end()


def _ticks_of(pid: int) -> int:
    """Return how much a process has worked, in ticks of the kernel; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - two numbers of the kernel
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(words[11]) + int(words[12])


_WORKERS: dict[str, Worker] = {PLAIN: Worker(PLAIN), MATH: Worker(MATH)}


def worker(kind: str) -> Worker:
    """Return the one process of a kind."""
    return _WORKERS[kind]


@atexit.register
def close_all() -> None:
    """End all processes."""
    for each in _WORKERS.values():
        each.close()
