"""One worker process as its parent sees it: started, fed, watched, killed and reaped.

Knows processes, pipes and threads. Does not know models, and does not restart anything: when the process ends, whoever waits for an
answer gets `WorkerDied` and decides.

    worker = WorkerProcess(command, load={"op": "load", ...})
    reply = await worker.ask({"op": "complete", ...}, silence_s=120)   # {"event": "done", "text": ...}

The pipes are served by threads, not by an event loop, so that a client outlives the loop it was first used in: every call of the
synchronous interface runs a loop of its own, and a model must not be loaded again for each.
"""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reasoner.clients.llamacpp.frames import BrokenFrame, encode_frame, read_frame, write_all
from reasoner.clients.llamacpp.starvation import Starvation
from reasoner.errors import BadConfig, BadTemplate
from reasoner.sandbox.child_environment import child_environment
from reasoner.text import clean

NATIVE_FAULTS = frozenset({signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE})
"""Signals by which kernels end that were built for another processor; the plain ones may run then."""
STDERR_TAIL_BYTES = 8192
STDERR_SHOWN_CHARS = 300
LOAD_DEADLINE_S = 600.0
"""Loading gives no sign of life in between, and a large model on a slow disk takes minutes."""
KILL_WAIT_S = 5.0
LOOK_EVERY_S = 1.0


class WorkerDied(Exception):
    """The worker ended before it answered.

    `struck` says whether this request was being worked on (or nothing was), so that it may be to blame, and `company` how many others
    were; `loading` whether the model was still being loaded, and `warming` whether it was, and only had to be tried out; `signal_number`
    is the signal that ended the process, None if none did.
    """

    def __init__(self, reason: str, *, struck: bool, company: int, loading: bool, warming: bool, signal_number: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.struck = struck
        self.company = company
        self.loading = loading
        self.warming = warming
        self.signal_number = signal_number


@dataclass(frozen=True, slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[dict[str, Any]]
    hear: Callable[[dict[str, Any]], None] | None = None

    def give(self, reply: dict[str, Any] | Exception) -> None:
        def settle() -> None:
            if not self.future.done():
                if isinstance(reply, Exception):
                    self.future.set_exception(reply)
                else:
                    self.future.set_result(reply)

        self._soon(settle)

    def tell(self, piece: dict[str, Any]) -> None:
        """Pass on a piece of the answer, if anybody wants to hear it."""
        hear = self.hear
        if hear is not None:
            self._soon(lambda: None if self.future.done() else hear(piece))

    def _soon(self, do: Callable[[], None]) -> None:
        try:
            self.loop.call_soon_threadsafe(do)
        except RuntimeError:
            return  # that loop is closed, and nobody waits any more


class WorkerProcess:
    """A running worker. Safe to use from several threads and event loops."""

    def __init__(self, command: Sequence[str], *, load: dict[str, Any]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=worker_environment(),
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._owner = os.getpid()
        self.loaded = False
        self._warming = False
        self._lock = threading.Lock()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiters: dict[int, _Waiter] = {}
        self._active: set[int] = set()
        self._last_number = 0
        self._last_sign = time.monotonic()
        self._starved = Starvation(self.pid)
        self._load_error: Exception | None = None
        self._killed_because = ""
        self._dead: str | None = None
        self._signal: int | None = None
        self._ended = threading.Event()
        self._stderr_tail = b""
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._outbox.put(encode_frame(load))
        threading.Thread(target=self._write, args=(stdin,), name=f"llamacpp-{self.pid}-write", daemon=True).start()
        self._stderr_thread = threading.Thread(target=self._keep_tail, args=(stderr,), name=f"llamacpp-{self.pid}-stderr", daemon=True)
        self._stderr_thread.start()
        threading.Thread(target=self._read, args=(stdout,), name=f"llamacpp-{self.pid}-read", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the worker can still be asked."""
        return self._dead is None and self._load_error is None

    @property
    def is_ours(self) -> bool:
        """Whether this process started it; a process that was forked from its parent must leave it alone."""
        return self._owner == os.getpid()

    async def ask(self, job: dict[str, Any], *, silence_s: float, hear: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Return the worker's reply (a `done` or `error` frame) to a job; `hear` is given its `piece` frames as they come.

        Raises:
            WorkerDied: it ended first, or gave no sign of life for `silence_s` seconds in which it could run, and was killed.
            BadConfig: it cannot load its model.
        """
        waiter = _Waiter(asyncio.get_running_loop(), asyncio.get_running_loop().create_future(), hear)
        number = self._submit(job, waiter)
        try:
            while not waiter.future.done():
                left_s = self._patience(silence_s) - self._silent_s()
                if left_s <= 0:
                    self.kill(f"no sign of life for {self._patience(silence_s):g} s")
                # Not the whole of what is left: patience ends sooner once the model is loaded.
                await asyncio.wait({waiter.future}, timeout=min(max(left_s, 0.05), LOOK_EVERY_S))
            return waiter.future.result()
        finally:
            with self._lock:
                unanswered = self._waiters.pop(number, None) is not None
            if unanswered:
                self._post({"op": "cancel", "id": number})

    def kill(self, because: str) -> None:
        """End the worker and all it may have started, at once. Whoever waits gets `WorkerDied` without waiting for its end.

        Does nothing in a process that was forked from the one that started it; `close` does not either.
        """
        if not self.is_ours:
            return
        with self._lock:
            if not self._ended.is_set():
                self._killed_because = self._killed_because or because
                self._kill_group()
        self._bury(because)

    def close(self, grace_s: float) -> None:
        """Let the worker end, and make it end after the grace period. Blocks until it is gone; safe to call twice."""
        if not self.is_ours:
            return
        self._killed_because = self._killed_because or "the client was closed"
        self._outbox.put(None)
        if not self._ended.wait(grace_s):
            self.kill("the client was closed")
            self._ended.wait(KILL_WAIT_S)

    def _silent_s(self) -> float:
        """Return how long there was no sign of life, less the time in which the machine did not let the worker run."""
        sign = self._last_sign
        silent_s = time.monotonic() - sign
        return silent_s - self._starved.seconds(since=sign) if silent_s > LOOK_EVERY_S else silent_s

    def _patience(self, silence_s: float) -> float:
        return silence_s if self.loaded else max(silence_s, LOAD_DEADLINE_S)

    def _submit(self, job: dict[str, Any], waiter: _Waiter) -> int:
        with self._lock:
            self._last_number += 1
            number = self._last_number
            if self._load_error is not None:
                waiter.give(self._load_error)
                return number
            if self._dead is not None:
                waiter.give(self._death(self._dead, struck=False, company=0))
                return number
            if not self._waiters:
                self._last_sign = time.monotonic()
            self._waiters[number] = waiter
        try:
            self._post({**job, "id": number})
        except BrokenFrame as error:
            with self._lock:
                del self._waiters[number]
            raise BadConfig(f"the request is too large for a local model: {error}", hint="shorten the prompt") from error
        return number

    def _post(self, frame: dict[str, Any]) -> None:
        self._outbox.put(encode_frame(frame))

    def _kill_group(self) -> None:
        # Only before the process is reaped (the lock is held): afterwards the number may belong to somebody else.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()  # so young that it has no group of its own yet
        except PermissionError:
            return  # macOS says so of a group in which nothing but a zombie is left

    def _write(self, stdin: IO[bytes]) -> None:
        with stdin:
            while (data := self._outbox.get()) is not None:
                try:
                    write_all(stdin.fileno(), data)
                except OSError:
                    return  # the reader sees the end as well, and tells those who wait

    def _keep_tail(self, stderr: IO[bytes]) -> None:
        with stderr:
            while chunk := stderr.read(STDERR_TAIL_BYTES):
                self._stderr_tail = (self._stderr_tail + chunk)[-STDERR_TAIL_BYTES:]

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            try:
                while (frame := read_frame(stdout.fileno())) is not None:
                    self._handle(frame)
            except (BrokenFrame, OSError, KeyError) as error:
                self._killed_because = self._killed_because or f"its reply could not be read: {error}"
        self._reap()

    def _handle(self, frame: dict[str, Any]) -> None:
        self._last_sign = time.monotonic()
        event = frame["event"]
        if event == "loaded":
            self._warming = True
        elif event == "ready":
            self._warming = False
            self.loaded = True
        elif event == "failed":
            with self._lock:
                kind = BadTemplate if frame.get("kind") == "BadTemplate" else BadConfig
                self._load_error = kind(str(frame["message"]), hint=str(frame["hint"]))
                waiters = self._take_waiters()
            for waiter in waiters.values():
                waiter.give(self._load_error)
        elif event == "started":
            self._active.add(frame["id"])
        elif event == "piece":
            with self._lock:
                growing = self._waiters.get(frame["id"])
            if growing is not None:
                growing.tell(frame)
        elif event in {"done", "error", "cancelled"}:
            with self._lock:
                self._active.discard(frame["id"])
                answered = self._waiters.pop(frame["id"], None)
            if answered is not None:
                answered.give(frame)

    def _take_waiters(self) -> dict[int, _Waiter]:
        taken, self._waiters = self._waiters, {}
        return taken

    def _reap(self) -> None:
        """Wait for the end of the process, and tell those who wait for an answer how it came."""
        with self._lock:
            # Without its pipe the worker is of no use, and debuggers that an abort may have started must go too.
            self._kill_group()
            code = self._process.wait()
            self._ended.set()
        self._outbox.put(None)
        self._stderr_thread.join(1.0)
        self._signal = -code if code < 0 else None
        how = f"it was ended by {_signal_name(-code)}" if code < 0 else f"it ended with exit code {code}"
        # The end of what it said is what matters, on one line.
        tail = " ".join(clean(self._stderr_tail.decode("utf-8", "replace")).split())[-STDERR_SHOWN_CHARS:]
        self._bury((self._killed_because or how) + (f"; it last said: {tail}" if tail else ""))

    def _bury(self, reason: str) -> None:
        with self._lock:
            if self._dead is None:
                self._dead = reason
            waiters, active = self._take_waiters(), set(self._active)
            self._active.clear()
        active &= waiters.keys()
        for number, waiter in waiters.items():
            struck = number in active or not active
            waiter.give(self._death(reason, struck=struck, company=len(active - {number})))

    def _death(self, reason: str, *, struck: bool, company: int) -> WorkerDied:
        return WorkerDied(
            reason, struck=struck, company=company, loading=not self.loaded, warming=self._warming, signal_number=self._signal
        )


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker: what is listed of ours, with our own import path, and without a debugger on abort."""
    # The worker runs with -P, so that a file in the working directory cannot take the place of a module.
    return child_environment(GGML_NO_BACKTRACE="1", PYTHONPATH=os.pathsep.join(path or str(Path.cwd()) for path in sys.path))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
