"""The problems of a large run as rows of the store, which its plan names by the hash of the list.

    hashed = keep_list(store, problems)                     in batches; a list that is there already is not written again
    ListedProblems(store.path, hashed, len(problems))       the same problems in the same order, read back a page at a time

A list is written before the run that names it, so a run never names one that is not whole; a list that a kill left half written is completed by
the next run on the same problems.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

from reasoner.errors import StoreError
from reasoner.files import keep
from reasoner.sequences import Lazy
from reasoner.store.database import Store
from reasoner.types import Problem, canonical_json, problem_as_values, problem_of_values

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.store.connection import Connection

BATCH = 2_000
"""Problems written in one transaction, so that other processes never wait long."""
PAGE = 500
_PAGE = """
SELECT p.solver, p.instance, p.line, p.level, l.other FROM listed_problems l JOIN problems p ON p.id = l.problem_id
WHERE l.list_id = (SELECT id FROM problem_lists WHERE hash = ?) AND l.position >= ? AND l.position < ? ORDER BY l.position
"""


def keep_list(store: Store, problems: Sequence[Problem]) -> str:
    """Write a list of problems, unless it is there, and return its hash."""
    if isinstance(problems, ListedProblems) and problems.is_of(store):
        return problems.hash
    hashed = _hash_of(problems)
    list_id, n_there = store.write_now(lambda c: _opened(c, hashed, len(problems)))
    if n_there == len(problems):
        return hashed
    line = iter(problems)
    for position in range(0, len(problems), BATCH):
        batch = list(islice(line, BATCH))
        # What is written next, the run that names the list, is synced to disk, and these with it.
        store.write_now(lambda c, position=position, batch=batch: _write(c, list_id, position, batch), durable=False)  # type: ignore[misc]
    return hashed


class ListedProblems(Lazy[Problem]):
    """The problems of a list, read from the database when they are asked for, and kept in a temporary file once all were.

    Raises:
        StoreError: where they are read, when the list is not whole (it was changed by hand).
    """

    def __init__(self, db: Path, hashed: str, n: int) -> None:
        self._db = db
        self.hash = hashed
        self._n = n
        self._read_once: Sequence[Problem] | None = None

    def is_of(self, store: Store) -> bool:
        """Tell whether a store holds the list."""
        return store.path.absolute() == self._db.absolute()

    def __len__(self) -> int:
        return self._n

    def items(self, places: range) -> Iterator[Problem]:
        """Read problems, those between the first and the last of the places at once."""
        if places.step == 1:
            return self._read(places.start, places.stop)
        found = list(self._read(min(places), max(places) + 1)) if places else []
        return (found[place - min(places)] for place in places)

    def __iter__(self) -> Iterator[Problem]:
        if self._read_once is None:
            self._read_once = keep(self._read(0, self._n), write=problem_as_values, read=problem_of_values)
        return iter(self._read_once)

    def _read(self, begin: int, end: int) -> Iterator[Problem]:
        with Store.read(self._db) as store:
            for first in range(begin, end, PAGE):
                last = min(first + PAGE, end)
                rows = store.tuples(_PAGE, (self.hash, first, last))
                if len(rows) != last - first:
                    raise StoreError(
                        f"the list of problems {self.hash[:12]} is incomplete in {self._db}",
                        hint="it was changed by hand; give the run's command again",
                    )
                for solver, instance, line, level, other in rows:
                    yield Problem(solver, instance, line, level) if other is None else _named(instance, other)


def _named(instance: str, other: str) -> Problem:
    solver, line, level = json.loads(other)
    return Problem(solver, instance, line, level)


def _hash_of(problems: Sequence[Problem]) -> str:
    """Return the hash of a list: of what its problems are, and what it calls them."""
    h = hashlib.sha256()
    for problem in problems:
        texts = ",".join(map(encode_basestring_ascii, (problem.solver, problem.instance, problem.line)))
        h.update(f"[{texts},{'null' if problem.level is None else problem.level}]\n".encode())  # canonical_json of the four
    return h.hexdigest()


def _opened(c: Connection, hashed: str, n: int) -> tuple[int, int]:
    """Return the list's number, made where there is none, and how many problems it holds so far."""
    c.execute("INSERT OR IGNORE INTO problem_lists (hash, n) VALUES (?, ?)", (hashed, n))
    (list_id,) = c.execute("SELECT id FROM problem_lists WHERE hash = ?", (hashed,)).fetchone()
    (there,) = c.execute("SELECT count(*) FROM listed_problems WHERE list_id = ?", (list_id,)).fetchone()
    return list_id, there


def _write(c: Connection, list_id: int, position: int, batch: Sequence[Problem]) -> None:
    ids = [problem.id for problem in batch]
    new = c.executemany(
        "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, ?, ?, ?, ?)",
        ((name, one.solver, one.instance, one.line, one.level) for name, one in zip(ids, batch, strict=True)),
    )
    called: dict[str, list[Any]] = {}
    if new.rowcount != len(batch):  # some were there, perhaps by other names
        kept = c.execute("SELECT id, solver, line, level FROM problems WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
        called = {name: rest for name, *rest in kept.fetchall()}

    def rows() -> Iterator[tuple[int, int, str, str | None]]:
        for place, (name, one) in enumerate(zip(ids, batch, strict=True), start=position):
            names = [one.solver, one.line, one.level]
            yield list_id, place, name, None if called.get(name, names) == names else canonical_json(names)

    c.executemany("INSERT OR IGNORE INTO listed_problems (list_id, position, problem_id, other) VALUES (?, ?, ?, ?)", rows())
