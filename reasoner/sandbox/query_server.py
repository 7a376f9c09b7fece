"""One SQL query that a model wrote, over several small databases, in a process of its own; for verifiers, which do not wait in an event loop.

    run("select count(*) from goods", [Made("a", "CREATE TABLE goods (name TEXT)", {"goods": [["salt"]]})])
    -> [Outcome(columns=("count(*)",), rows=((1,),), error="")]

The same authorizer and limits hold as in `reasoner.sandbox.database`: reading only, bounded in time, memory and rows. A query that is late costs the
process, and the next one starts another. Safe to call from several threads, which wait for each other; a forked copy of our process starts its own.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 2.0
"""How long a query may run on one database."""
MAX_ROWS = 1000
MAX_SQL_CHARS = 10_000
MAX_OUTPUT_BYTES = 8 << 20
_GRACE_S = 20.0
"""What a crowded machine may take besides; the query's own time is measured in the process."""
_WORKER = Path(__file__).with_name("query_worker.py")


@dataclass(frozen=True, slots=True)
class Made:
    """A database that is made of a script and rows, or copied from the file at `path`; `key` names all of it."""

    key: str
    script: str = ""
    tables: Mapping[str, Sequence[Sequence[Any]]] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a query gives on one database, or why it gives nothing; `more` says that there were more rows than are kept."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    more: bool = False
    error: str = ""
    opened: bool = True
    """Whether the database could be opened: where it could not, nothing is known of the query."""


def run(sql: str, databases: Sequence[Made]) -> list[Outcome]:
    """Run one query on each database; one outcome for each, in order. After the first that ends in an error it is not run any more."""
    if len(sql) > MAX_SQL_CHARS:
        return [Outcome(error=f"the query has {len(sql):,} characters, at most {MAX_SQL_CHARS:,} are run")] * len(databases)
    return _SERVER.run(sql, databases)


class _Server:
    """The process, and which databases it has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._sent: set[str] = set()
        self._heard = b""

    def run(self, sql: str, databases: Sequence[Made]) -> list[Outcome]:
        with self._lock:
            told = self._ask(sql, databases)
            if told is not None and any("missing" in each for each in told):
                self._sent.clear()  # the process has let some of them go
                told = self._ask(sql, databases)
        if told is None:
            return [Outcome(error="the query took too long, or needed more memory than it may have")] * len(databases)
        return [*map(_outcome, told), *[Outcome(error="it was not run: it failed before")] * (len(databases) - len(told))]

    def _ask(self, sql: str, databases: Sequence[Made]) -> list[dict[str, Any]] | None:
        process = self._opened()
        known = self._sent
        sent = [
            {"key": d.key} if d.key in known else {"key": d.key, "script": d.script, "tables": dict(d.tables), "path": d.path}
            for d in databases
        ]
        line = json.dumps({"sql": sql, "rows": MAX_ROWS, "seconds": SECONDS, "databases": sent}).encode() + b"\n"
        try:
            if process.stdin is None:
                return None
            process.stdin.write(line)
            process.stdin.flush()
        except OSError:
            self.end()
            return None
        answer = self._line(SECONDS * len(databases) + _GRACE_S)
        if answer is None:
            self.end()
            return None
        self._sent.update(database.key for database in databases)
        told = json.loads(answer)
        return told if isinstance(told, list) else None

    def _opened(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.end()
            self._process = subprocess.Popen(  # noqa: S603 - a file of ours
                [sys.executable, "-I", str(_WORKER)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, start_new_session=True,
            )  # fmt: skip
            self._owner = os.getpid()
        return self._process

    def _line(self, within_s: float) -> bytes | None:
        process = self._process
        if process is None or process.stdout is None:
            return None
        until = time.monotonic() + within_s
        pieces, size = [self._heard], len(self._heard)
        while b"\n" not in pieces[-1]:
            left = until - time.monotonic()
            if left <= 0 or size > MAX_OUTPUT_BYTES or not select.select([process.stdout], [], [], left)[0]:
                return None
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return None
            pieces.append(piece)
            size += len(piece)
        line, _, self._heard = b"".join(pieces).partition(b"\n")
        return line

    def end(self) -> None:
        process, self._process = self._process, None
        self._sent, self._heard = set(), b""
        if process is None or self._owner != os.getpid():
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _outcome(told: Mapping[str, Any]) -> Outcome:
    if "error" in told or "rows" not in told:
        return Outcome(error=str(told.get("error", "no answer")), opened=not told.get("unopened"))
    return Outcome(tuple(told["columns"]), tuple(tuple(row) for row in told["rows"]), bool(told["more"]))


_SERVER = _Server()


@atexit.register
def close() -> None:
    """End the process; the next query starts another."""
    _SERVER.end()
