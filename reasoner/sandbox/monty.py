r"""Python that a model wrote, in Monty: an interpreter without files, network, environment or modules of the host, in a worker process.

Variables stay between runs of one interpreter. Time, memory, recursion and output are bounded; the clock stands still and random numbers
come from a seed, so that the same programs give the same results. A limit that is met costs the interpreter its variables, and the result
says so (`anew`). Functions of the host may be lent: they are called in the event loop that runs the interpreter.

    ran = await Interpreter(seed="7").run("x = 6 * 7\nx")
    -> Ran(printed="", value="42", error="", anew=False)

Raises `MissingDependency` where `pydantic-monty` is not installed. Knows text; does not know tools or models.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency
from reasoner.sandbox.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Lent = Mapping[str, Callable[..., Awaitable[Any]]]

CANNOT = (
    "No files, network, packages, generators (yield), class inheritance or global state of the machine; of the standard library math, re,"
    " json, datetime, itertools, collections, functools, random, decimal, bisect, dataclasses, copy, base64, csv."
)
"""What Monty cannot do, in one line for a model."""

_MAX_CODE_CHARS = 50_000
_STANDS_AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class MontyLimits:
    """What one run may use at most: seconds of running (waiting for lent functions not counted), bytes, calls of lent functions."""

    seconds: float = 5.0
    memory_bytes: int = 64 << 20
    recursion: int = 400
    calls: int = 1000
    output_chars: int = 32_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program. `value` is that of a last expression, as `repr` shows it; `anew` says that all variables are gone."""

    printed: str
    value: str | None
    error: str = ""
    anew: bool = False


class Interpreter:
    """One interpreter; it takes one program at a time."""

    def __init__(self, *, seed: str = "", limits: MontyLimits | None = None) -> None:
        """Make an interpreter; nothing is started before the first program.

        Raises:
            MissingDependency: Monty is not installed.
        """
        try:
            import pydantic_monty  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("pydantic-monty, the sandbox for Python,", extra="tools") from error
        self._monty = pydantic_monty
        self._seed = seed
        self._limits = limits or MontyLimits()
        self._opened = contextlib.ExitStack()
        self._session: Any = None
        self._worker: int | None = None
        self._one = asyncio.Lock()

    async def run(self, code: str, lent: Lent | None = None) -> Ran:
        """Run a program.

        Raises:
            ReasonerError: what a lent function raised; the program was not gone on with.
        """
        if len(code) > _MAX_CODE_CHARS:
            return Ran("", None, f"the program has {len(code):,} characters, at most {_MAX_CODE_CHARS:,} are run")
        async with self._one:
            calls = _Calls(asyncio.get_running_loop(), lent or {})
            try:
                ran = await in_thread(lambda: self._feed(code, calls), name="reasoner-monty")
            except asyncio.CancelledError:
                calls.fault = calls.fault or asyncio.CancelledError()
                self._end()
                raise
            if calls.fault is not None:
                self._end()
                raise calls.fault
            return ran

    async def aclose(self) -> None:
        """End the worker process. Safe to call twice."""
        self._end()

    def _feed(self, code: str, calls: _Calls) -> Ran:
        monty = self._monty
        printed = _Printed(self._limits.output_chars)
        try:
            value = self._open().feed_run(code, external_lookup=calls.functions(), print_callback=printed)
            return Ran(printed.text(), None if value is None else _shown(value, self._limits.output_chars))
        except (monty.MontySyntaxError, monty.MontyRuntimeError) as error:
            anew = isinstance(error.exception(), TimeoutError | MemoryError)
            problem = error.display("traceback") if not anew else _limit_met(error, self._limits)
        except monty.MontyCrashedError as error:
            anew, problem = True, f"the interpreter was ended: {error}"
        except (monty.MontyError, ValueError, RecursionError, TypeError) as error:
            # A value that cannot be handed over: an integer of many thousand digits, something nested too deep.
            anew, problem = False, f"the value of the last line cannot be shown: {error}"
        if anew:
            self._end()
        return Ran(printed.text(), None, problem[: self._limits.output_chars], anew)

    def _open(self) -> Any:
        if self._session is None:
            limits = self._limits
            pool = self._opened.enter_context(
                self._monty.Monty(min_processes=1, max_processes=1, request_timeout=limits.seconds + _GRACE_S, checkout_timeout=30)
            )
            self._session = self._opened.enter_context(
                pool.checkout(
                    script_name="program.py",
                    limits={
                        "max_feed_duration_secs": limits.seconds, "max_memory": limits.memory_bytes, "max_recursion_depth": limits.recursion,
                        "max_suspensions": limits.calls, "max_total_sleep_secs": 1.0,
                    },
                    os_policy={"datetime": _STANDS_AT, "sleep": "zero", "random_start": {"seed": self._seed}},
                )
            )  # fmt: skip
            self._worker = self._session.worker_pid
        return self._session

    def _end(self) -> None:
        """End the worker, also one that is at work; the next program starts a new one."""
        worker, self._worker, self._session = self._worker, None, None
        opened, self._opened = self._opened, contextlib.ExitStack()
        if worker is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(worker, signal.SIGKILL)
        with contextlib.suppress(self._monty.MontyError, RuntimeError):
            opened.close()


class _Calls:
    """The lent functions as a thread may call them. After the first that fails for good, every further one fails at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lent: Lent) -> None:
        self._loop = loop
        self._lent = lent
        self.fault: BaseException | None = None

    def functions(self) -> dict[str, Callable[..., Any]]:
        return {name: self._threaded(function) for name, function in self._lent.items()}

    def _threaded(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.fault is not None:
                raise RuntimeError("the program is being ended")

            async def in_loop() -> Any:
                return await function(*args, **kwargs)

            try:
                return asyncio.run_coroutine_threadsafe(in_loop(), self._loop).result()
            except LentFunctionFailed as error:
                raise RuntimeError(str(error)) from None
            except BaseException as error:  # noqa: BLE001 - kept, and raised again when the program has been ended
                self.fault = error
                raise RuntimeError("the program is being ended") from None

        return call


class LentFunctionFailed(Exception):
    """A lent function could not do what it was asked; the program sees a RuntimeError with this text and may go on."""


class _Printed:
    """What a program prints, up to a number of characters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._room = limit
        self._cut = 0

    def __call__(self, stream: str, text: str) -> None:  # noqa: ARG002 - both streams are shown alike
        kept = text[: self._room]
        self._room -= len(kept)
        self._cut += len(text) - len(kept)
        if kept:
            self._parts.append(kept)

    def text(self) -> str:
        return "".join(self._parts) + (f"\n[{self._cut:,} characters left out]" if self._cut else "")


def _limit_met(error: Any, limits: MontyLimits) -> str:
    """Say which limit was met, without the exact figures: the same program shall give the same text."""
    if isinstance(error.exception(), MemoryError):
        return f"MemoryError: the program needed more than {limits.memory_bytes >> 20} MiB"
    return f"TimeoutError: the program ran longer than {limits.seconds:g} s"


def _shown(value: Any, limit: int) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}\n[{len(text) - limit:,} characters left out]"
