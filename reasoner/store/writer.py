"""One writer thread with group commit.

Jobs that wait together are committed together: under load one fsync serves many calls. Every job runs in a savepoint of
its own, so one that fails takes nothing with it. A job is a function of the connection; its result comes back when, and
only when, it is committed, and an event loop is woken once for a whole group.

    future = writer.submit(lambda c: c.execute("insert into ..."), durable=True)

Knows transactions; does not know a table.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from reasoner.errors import ReasonerError, StoreError
from reasoner.redaction import any_known, without_known
from reasoner.store.connection import Connection, DatabaseError, explain
from reasoner.store.place import Watch
from reasoner.store.rescue import Rescue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

MAX_GROUP = 256


@dataclass(slots=True)
class _Job:
    run: Callable[[Connection], Any]
    durable: bool
    future: Future[Any] | asyncio.Future[Any]


class _Keyless:
    """The connection as jobs see it: no key that is known in this process is ever written to a row."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Any:
        return self._connection.execute(sql, _without_keys(params))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> Any:
        return self._connection.executemany(sql, map(_without_keys, rows))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _without_keys(params: Sequence[Any]) -> Sequence[Any]:
    return [without_known(value) if isinstance(value, str) else value for value in params] if any_known() else params


class Writer:
    """The thread that owns the write connection."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self._connection = connection
        self._job_connection = _Keyless(connection)
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._synchronous = "FULL"
        self._watch = Watch(path)
        self._rescue: Rescue | None = None
        self._thread = threading.Thread(target=self._loop, name="reasoner-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Connection], T], *, durable: bool = True) -> Future[T]:
        """Queue a job; the future resolves after its commit.

        `durable` asks for an fsync at the commit (calls that cost money); without it a power loss, though no crash of a
        process, may take the last commits with it.

        Raises:
            StoreError: (from the future) the database refused; (here) the store is closed.
        """
        future: Future[T] = Future()
        self._queue(_Job(job, durable, future))
        return future

    def submit_async(self, job: Callable[[Connection], T], *, durable: bool = True) -> asyncio.Future[T]:
        """Do the same for the running event loop; a future that is cancelled leaves the job as it is."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue(_Job(job, durable, future))
        return future

    def _queue(self, job: _Job) -> None:
        if self._closed:
            raise StoreError(f"the store {self._path} is closed", hint="open it again")
        self._jobs.put(job)

    def close(self) -> None:
        """Commit what is queued, then close the connection. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = False
            while len(group) < MAX_GROUP:
                try:
                    more = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            self._commit(group)
            if last:
                break
        if self._rescue is not None:
            self._rescue.save()
        self._connection.close()

    def _commit(self, group: list[_Job]) -> None:
        """Run a group of jobs in one transaction and tell each its outcome after the commit.

        Where the file is no longer there, what is committed is kept apart, and everybody is told that instead.
        """
        self._look()
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            self._begin(durable=any(job.durable for job in group))
            outcomes.extend(self._run_one(job) for job in group)
            self._connection.execute("COMMIT")
        except DatabaseError as error:
            self._roll_back()
            failure = explain(error, self._path)
            failure.__cause__ = error
            outcomes = [(None, failure)] * len(group)
        if (gone := self._look(save=True)) is not None:
            outcomes = [(None, gone.error)] * len(group)
        _deliver([(job.future, result, problem) for job, (result, problem) in zip(group, outcomes, strict=True)])

    def _look(self, *, save: bool = False) -> Rescue | None:
        """Return what keeps the state of a file that is no longer there; None where it is. With `save` the state is kept now, the first time."""
        if self._rescue is None:
            lost = self._watch.lost()
            if lost is None:
                return None
            if lost == "file":
                self._watch.disown()
            self._rescue = Rescue(self._connection, self._path, lost=lost, replaced=self._watch.replaced())
        if save and not self._rescue.saved:
            self._rescue.save()
        return self._rescue

    def _begin(self, *, durable: bool) -> None:
        wanted = "FULL" if durable else "NORMAL"
        if wanted != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._connection.execute("BEGIN IMMEDIATE")

    def _run_one(self, job: _Job) -> tuple[Any, BaseException | None]:
        """Run one job in a savepoint. A fault that ended the whole transaction (disk full) goes up; others stay with the job."""
        self._connection.execute("SAVEPOINT job")
        try:
            result = job.run(self._job_connection)
        except DatabaseError as error:
            if not self._connection.in_transaction:
                raise
            self._undo_savepoint()
            failure = explain(error, self._path)
            failure.__cause__ = error
            return None, failure
        except ReasonerError as error:
            self._undo_savepoint()
            return None, error
        except BaseException as error:  # noqa: BLE001 - a programming error belongs to whoever submitted the job, and must not end the writer
            self._undo_savepoint()
            return None, error
        self._connection.execute("RELEASE job")
        return result, None

    def _undo_savepoint(self) -> None:
        self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except DatabaseError:
                # The transaction is already gone (disk full, I/O error); there is nothing left to undo.
                return


_Outcome = tuple[Future[Any] | asyncio.Future[Any], Any, BaseException | None]


def _deliver(outcomes: list[_Outcome]) -> None:
    """Tell everybody what came of their jobs; each event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        if isinstance(outcome[0], asyncio.Future):
            by_loop.setdefault(outcome[0].get_loop(), []).append(outcome)
        else:
            _settle([outcome])
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, theirs)
        except RuntimeError:
            continue  # the loop was closed meanwhile: nobody waits any more


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, problem in outcomes:
        if future.done():
            continue  # whoever waited was cancelled; the job is committed all the same
        if problem is None:
            future.set_result(result)
        else:
            future.set_exception(problem)
