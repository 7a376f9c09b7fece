r"""A program that a model wrote against tests that a user has, under bubblewrap, for verifiers, which do not wait in an event loop.

    run_tests("def f(a):\n    return a + 1", name="f", tests=["assert f(1) == 2"])  ->  Tested(results=(Result(ok=True, said=""),))

The tests stand in another process than the program (`tested_worker`), which is asked call by call for what its function gives: plain data. Whether they
passed is signed with a key that is drawn for each run and that the program cannot see.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.sandbox import bubblewrap
from reasoner.sandbox.bubblewrap import Ended, ProgramLimits
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROGRAM_CHARS = 50_000
LIMITS = ProgramLimits(seconds=30.0, processor_seconds=8, processes=16, disk_bytes=16 << 20, files=200, output_bytes=4 << 20)
"""The processor's time decides, so that a crowded machine makes no program wrong; the output holds what is said of 200 tests, whatever its letters."""
_WORKER = Path(__file__).with_name("tested_worker.py")


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went; `said` is what failed."""

    ok: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class Tested:
    """How the tests went, in their order; fewer than there are where the program ended before."""

    results: tuple[Result, ...]

    def fault(self, n: int) -> str:
        """Say what is wrong where not all n tests passed; empty where they did."""
        failed = next((result.said or "a test fails" for result in self.results if not result.ok), "")
        return failed or ("" if len(self.results) == n else "the program ended before the tests did")


def run_tests(program: str, *, name: str, tests: Sequence[str], before: str = "") -> Tested:
    """Run a program's function against tests, each a piece of Python that raises where it fails, or that defines `check(candidate)`.

    Args:
        program: what defines the function.
        name: the function's name.
        tests: pieces of Python.
        before: Python that both the program and the tests may use: imports, other functions.

    Raises:
        SandboxMissing: there is no bubblewrap.
    """
    if len(program) > MAX_PROGRAM_CHARS:
        return Tested((Result(ok=False, said=f"the program has {len(program):,} characters, at most {MAX_PROGRAM_CHARS:,} are run"),))
    key = secrets.token_hex(16)
    task = json.dumps({"key": key, "before": before, "program": program, "name": name, "tests": list(tests)})
    ended = _blocking([bubblewrap.interpreter(), "-I", "-c", _source()], task.encode("utf-8", "replace"))
    rows = signed(ended.output, key)
    if rows is None:
        said = ended.stopped or (
            "it needed more memory or time than it may have" if ended.exit_code else "the tests came to no end that can be read"
        )
        return Tested((Result(ok=False, said=said),))
    return Tested(tuple(Result(ok=row["ok"] is True, said=shorten(clean(str(row["said"])), 400)) for row in rows))


def signed(output: str, key: str) -> list[dict[str, Any]] | None:
    """Return the results that the tests' process has signed; None where no line of the output is whole, and its own."""
    for line in reversed(output.splitlines()):
        signature, _, told = line.partition(" ")
        if hmac.compare_digest(signature.encode(), hmac.new(key.encode(), told.encode(), "sha256").hexdigest().encode()):
            return list(json.loads(told))
    return None


@cache
def _source() -> str:
    return _WORKER.read_text(encoding="utf-8")


def _blocking(program: Sequence[str], stdin: bytes) -> Ended:
    """Run to the end in a thread of its own: this one may have an event loop already."""
    found: list[Ended] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(asyncio.run(bubblewrap.run(program, stdin=stdin, limits=LIMITS)))
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=work, name="reasoner-tests", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
