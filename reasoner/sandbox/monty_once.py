"""One program in Monty, for verifiers, which do not wait in an event loop: a fresh interpreter for each, nothing kept between two.

    run_once("6 * 7")  ->  Once(value=42, printed="", error="")

The worker process is kept; a program that meets a limit costs only its own interpreter, one that ends the process the process. Nothing leads out of
it, as `reasoner.sandbox.monty` says. Safe to call from several threads, which wait for each other; a forked copy of our process starts its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import Any

from reasoner.errors import MissingDependency

MAX_CODE_CHARS = 50_000
SECONDS = 5.0
"""How long a program may run: those that are judged take a thousandth of it."""
MEMORY_BYTES = 64 << 20
RECURSION = 300
MAX_PRINTED_CHARS = 2000
MAX_ERROR_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Once:
    """What came of a program: the value of its last expression, the beginning of what it printed, and how it failed (empty: it did not)."""

    value: Any
    printed: str
    error: str = ""


def run_once(code: str) -> Once:
    """Run a program by itself.

    Raises:
        MissingDependency: Monty is not installed.
    """
    if len(code) > MAX_CODE_CHARS:
        return Once(None, "", f"the program has {len(code):,} characters, at most {MAX_CODE_CHARS:,} are run")
    return _POOL.run(code)


class _Pool:
    """The one worker process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._opened = contextlib.ExitStack()
        self._pool: Any = None

    def run(self, code: str) -> Once:
        try:
            import pydantic_monty as monty  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("pydantic-monty, the sandbox for Python,", extra="tools") from error
        printed: list[str] = []

        def keep(stream: str, text: str) -> None:  # noqa: ARG001 - both streams are kept alike
            room = MAX_PRINTED_CHARS - sum(map(len, printed))
            if room > 0:
                printed.append(text[:room])

        limits = {"max_feed_duration_secs": SECONDS, "max_memory": MEMORY_BYTES, "max_recursion_depth": RECURSION, "max_suspensions": 100}
        with self._lock:
            try:
                with self._ready(monty).checkout(script_name="answer.py", limits=limits) as session:
                    return Once(session.feed_run(code, print_callback=keep), "".join(printed))
            except (monty.MontySyntaxError, monty.MontyRuntimeError) as error:
                late = isinstance(error.exception(), TimeoutError)
                told = f"TimeoutError: it ran longer than {SECONDS:g} s" if late else error.display("traceback")
            except monty.MontyError as error:
                self._end()
                told = f"the interpreter was ended: {error}"
            except (ValueError, RecursionError, TypeError, OverflowError) as error:
                told = f"what it gave cannot be handed over: {error}"
        return Once(None, "".join(printed), told[-MAX_ERROR_CHARS:])

    def _ready(self, monty: Any) -> Any:
        if self._pool is None or self._owner != os.getpid():
            self._opened, self._owner = contextlib.ExitStack(), os.getpid()
            self._pool = self._opened.enter_context(
                monty.Monty(min_processes=1, max_processes=1, request_timeout=SECONDS + 20, checkout_timeout=60)
            )
        return self._pool

    def _end(self) -> None:
        opened, self._opened, self._pool = self._opened, contextlib.ExitStack(), None
        with contextlib.suppress(Exception):  # whatever is left of a process that has ended
            opened.close()


_POOL = _Pool()
