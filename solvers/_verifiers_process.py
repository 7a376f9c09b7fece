"""Our end of the process in which environments of verifiers run: start it in the right Python, ask it, end what does not answer.

    worker.ask({"do": "tasks", "environment": "paths", "options": {}}, within_s=60)  ->  {"tasks": [...], "more": False}

verifiers pins other packages than ours do, so it may stand in an environment of its own: `REASONER_VERIFIERS` names its Python. Several threads may ask at
once. The process gets no keys of ours, and ends with us.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from reasoner.errors import BadConfig, DataError, MissingDependency
from reasoner.sandbox.child_environment import child_environment
from reasoner.text import clean, shorten

VARIABLE = "REASONER_VERIFIERS"
WORKER = Path(__file__).with_name("_verifiers_worker.py")
START_S = 300.0
"""Seconds the process may take to import verifiers, which takes some ten seconds of processor time."""
MAX_LINE_BYTES = 1 << 26
INSTALL = (
    f"install it with: python -m pip install 'verifiers>=0.4,<0.5'; or in an environment of its own, whose Python {VARIABLE} names "
    "(export REASONER_VERIFIERS=.venv-verifiers/bin/python)"
)


class Lost(DataError):
    """The process ended, or did not answer in time; its episodes are gone."""


ENDED = "the process of the environment ended"
AGAIN = "resume the run to try it again"


class _Answers:
    """Those who wait for the answers of one process. Whoever asks after its end is told so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self.ended = False

    def expect(self, number: int) -> Future[dict[str, Any]]:
        """Return what an answer will be put into."""
        made: Future[dict[str, Any]] = Future()
        with self._lock:
            if self.ended:
                made.set_exception(Lost(ENDED, hint=AGAIN))
            else:
                self._waiting[number] = made
        return made

    def put(self, answer: dict[str, Any]) -> None:
        """Hand an answer over; nobody may wait for it any more."""
        with self._lock:
            made = self._waiting.pop(answer.get("id", 0), None)
        if made is not None:
            made.set_result(answer)

    def end(self) -> None:
        """Tell all who wait that nothing comes."""
        with self._lock:
            self.ended = True
            left = list(self._waiting.values())
            self._waiting.clear()
        for made in left:
            made.set_exception(Lost(ENDED, hint=AGAIN))


class Process:
    """One process; started when it is first asked, and anew when it was lost."""

    def __init__(self, python: str, worker: Path = WORKER) -> None:
        self.python = python
        self.worker = worker
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._answers = _Answers()
        self._last = 0
        self._born = 0
        atexit.register(self.end)

    def ask(self, request: dict[str, Any], *, within_s: float, born: int | None = None) -> dict[str, Any]:
        """Ask for one answer. It says in `born` which process gave it; what only that one knows is asked with it.

        Raises:
            BadConfig: the environment cannot be played here.
            Lost: no answer came in time, or the process that is meant has ended.
            MissingDependency: this Python has no verifiers.
        """
        with self._lock:
            if born is not None and (born != self._born or self._answers.ended):
                raise Lost(ENDED, hint=AGAIN)
            child = self._started()
            self._last += 1
            future, answers, at = self._answers.expect(self._last), self._answers, self._born
            assert child.stdin is not None
            with suppress(OSError):  # it has just ended, and whoever reads it says so
                child.stdin.write(json.dumps({"id": self._last, **request}).encode() + b"\n")
                child.stdin.flush()
        try:
            answer = future.result(within_s)
        except TimeoutError as error:
            with self._lock:
                if self._answers is answers:
                    self.end()
            raise Lost(f"the environment did not answer within {within_s:.0f} seconds", hint=AGAIN) from error
        if "refused" in answer:
            name = shorten(clean(str(request.get("environment", ""))), 80)
            raise BadConfig(
                f"the environment {name} cannot be played: {shorten(clean(str(answer['refused'])), 300)}", hint=f"in {self.python}"
            )
        return {**answer, "born": at}

    def end(self) -> None:
        """End the process with all that it started, where it runs."""
        child, self._child = self._child, None
        if child is not None:
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            assert child.stdin is not None
            with suppress(OSError):  # what it had not read yet
                child.stdin.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and not self._answers.ended:
            return self._child
        self.end()
        command = [self.python, "-P", str(self.worker)]
        try:
            child = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
                env=child_environment(PYTHONHASHSEED="0"),
            )  # fmt: skip
        except OSError as error:
            raise BadConfig(
                f"{self.python} cannot be run: {error.strerror}", hint=f"{VARIABLE} names the Python that has verifiers"
            ) from error
        self._child, self._answers, self._born = child, _Answers(), self._born + 1
        ready = self._answers.expect(0)
        threading.Thread(target=_read, args=(child, self._answers), daemon=True).start()
        try:
            hello = ready.result(START_S)
        except (TimeoutError, Lost) as error:
            self.end()
            raise Lost(f"verifiers could not be started in {self.python}", hint=f"try: {self.python} -c 'import verifiers.v1'") from error
        if "missing" in hello:
            self.end()
            raise MissingDependency("verifiers", extra="", install=INSTALL)
        return child


def _read(child: subprocess.Popen[bytes], answers: _Answers) -> None:
    """Hand the lines of a process to whoever waits for them, until it ends."""
    assert child.stdout is not None
    try:
        with child.stdout as lines:
            while (line := lines.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                answers.put(json.loads(line))
    except (AttributeError, TypeError, ValueError):
        return  # no line of ours: an environment wrote into it
    finally:
        answers.end()


def process() -> Process:
    """Return the process of the Python that has verifiers."""
    return _process(os.environ.get(VARIABLE) or sys.executable, os.getpid())


@cache
def _process(python: str, pid: int) -> Process:  # noqa: ARG001 - a forked copy of us starts its own
    return Process(python)
