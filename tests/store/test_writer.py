"""The writer thread: what is told is committed, in order, in groups, with one wake of the loop for each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import StoreError
from reasoner.store.connection import connect
from reasoner.store.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    connection = connect(path)
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    made = Writer(connection, path)
    yield made
    made.close()


def insert(n: int) -> Any:
    return lambda c: c.execute("INSERT INTO t VALUES (?)", (n,)).lastrowid


def rows(path: Path) -> list[int]:
    reader = connect(path, create=False, read_only=True)
    found = [row[0] for row in reader.execute("SELECT n FROM t ORDER BY rowid")]
    reader.close()
    return found


class Gate:
    """Holds the writer thread in a job until it is opened, so that what is queued meanwhile is one group."""

    def __init__(self, writer: Writer) -> None:
        self.open = threading.Event()
        self.held = writer.submit(lambda _: self.open.wait(10))


async def test_one_wake_for_a_group_and_answers_in_order(writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    wakes: list[int] = []
    plain = loop.call_soon_threadsafe

    def counted(*arguments: Any, **options: Any) -> Any:
        wakes.append(1)
        return plain(*arguments, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    gate = Gate(writer)
    order: list[int] = []
    futures = [writer.submit_async(insert(n)) for n in range(1, 51)]
    for future in futures:
        future.add_done_callback(lambda done: order.append(done.result()))
    gate.open.set()
    assert await asyncio.gather(*futures) == list(range(1, 51))
    assert order == list(range(1, 51))
    assert len(wakes) == 1
    assert rows(path) == list(range(1, 51))


async def test_what_is_told_is_committed(writer: Writer, path: Path) -> None:
    for n in range(1, 20):
        await writer.submit_async(insert(n), durable=n % 2 == 0)
        assert rows(path)[-1] == n


async def test_a_job_that_fails_takes_nothing_with_it(writer: Writer, path: Path) -> None:
    gate = Gate(writer)
    futures = [writer.submit_async(insert(n)) for n in (1, 1, 2)]
    gate.open.set()
    first, second, third = await asyncio.gather(*futures, return_exceptions=True)
    assert (first, third) == (1, 2)
    assert isinstance(second, StoreError)
    assert rows(path) == [1, 2]


async def test_a_commit_that_fails_is_told_to_all(writer: Writer, path: Path) -> None:
    gate = Gate(writer)

    def end(c: Any) -> None:
        c.execute("ROLLBACK")
        c.execute("SELECT * FROM nowhere")

    futures = [writer.submit_async(insert(1)), writer.submit_async(end), writer.submit_async(insert(2))]
    gate.open.set()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(outcome, StoreError) for outcome in outcomes), outcomes
    assert rows(path) == []
    assert await writer.submit_async(insert(3)) == 3


async def test_a_waiter_that_is_cancelled_leaves_job_and_group_as_they_are(writer: Writer, path: Path) -> None:
    gate = Gate(writer)
    futures = [writer.submit_async(insert(n)) for n in (1, 2, 3)]
    futures[1].cancel()
    gate.open.set()
    assert [await futures[0], await futures[2]] == [1, 3]
    assert rows(path) == [1, 2, 3]


def test_a_loop_that_is_closed_does_not_stop_the_writer(writer: Writer, path: Path) -> None:
    gate = Gate(writer)

    async def leave() -> None:
        writer.submit_async(insert(1))

    asyncio.run(leave())
    gate.open.set()
    assert writer.submit(insert(2)).result(10) == 2
    assert rows(path) == [1, 2]


async def test_a_closed_writer_says_so(writer: Writer) -> None:
    writer.close()
    with pytest.raises(StoreError, match="is closed"):
        writer.submit_async(insert(1))
