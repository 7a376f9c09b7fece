# ruff: noqa: S608 - only names of our own tables and columns are put into queries here
"""Copy whole trajectories from one file to another, by content: numbers of rows differ from file to file, keys, hashes and texts do not.

    with snapshot(Path("shard.db")) as read:
        put_trajectories(c, read, ["9b21..."], Version(epoch=1, number=7))

What a trajectory was before in the target is replaced, unless that is of a newer version; so the same copy made twice, or several in any order, come
to the same. Problems, messages, conversations and settings of calls are shared with what the target holds. A claim is not copied: nobody works on it there.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.store.connection import DatabaseError, connect_reading, explain
from reasoner.store.interning import extend_known, intern_row, intern_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reasoner.store.connection import Connection

    Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
    """Returns the rows of a query, all queries from one state of the file."""

BATCH = 200
"""Trajectories that are copied at a time."""

_OF = "IN (SELECT value FROM json_each(?))"


class Version(NamedTuple):
    """Which state of a trajectory: the epoch of whoever wrote it, and the number of the segment in it."""

    epoch: int
    number: int


@contextmanager
def snapshot(path: Path) -> Iterator[Read]:
    """Read a file that may be written meanwhile, all of it as it is now.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        connection = connect_reading(path, "mode=ro")
    except DatabaseError as error:
        raise explain(error, path) from error
    try:
        connection.execute("BEGIN")

        def read(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            try:
                found: list[tuple[Any, ...]] = connection.execute(sql, tuple(params)).fetchall()
            except DatabaseError as error:
                raise explain(error, path) from error
            return found

        yield read
    finally:
        connection.close()


def put_trajectories(c: Connection, read: Read, ids: Sequence[str], version: Version) -> int:
    """Copy trajectories of a run that the target knows; return how many were newer than what it had."""
    copy = _Copy(c, read)
    n = 0
    for begin in range(0, len(ids), BATCH):
        n += copy.put(ids[begin : begin + BATCH], version)
    return n


@dataclass(slots=True)
class _Copy:
    """A copy under way; the numbers that shared rows have in the target, by those they have in the source."""

    c: Connection
    read: Read
    messages: dict[int, int] = field(default_factory=dict)
    contexts: dict[int, int] = field(default_factory=dict)
    settings: dict[int, int] = field(default_factory=dict)

    def put(self, ids: Sequence[str], version: Version) -> int:
        there = self.c.execute(
            f"SELECT trajectory_id, epoch, number FROM merged_trajectories WHERE trajectory_id {_OF}", (json.dumps(ids),)
        )
        newer = {name for name, *at in there.fetchall() if Version(*at) >= version}
        wanted = json.dumps([name for name in ids if name not in newer])
        rows = self._rows("trajectories", f"id {_OF}", wanted, order="rowid")
        columns = self._columns("problems")
        for problem in self.read(
            f"SELECT {', '.join(columns)} FROM problems WHERE id IN (SELECT problem_id FROM trajectories WHERE id {_OF})", (wanted,)
        ):  # fmt: skip
            _insert(self.c, "problems", dict(zip(columns, problem, strict=True)), conflict="(id) DO NOTHING")
        for row in rows:
            _upsert(self.c, "trajectories", {**row, "owner": None, "fork_of": None}, ("id",))
        calls = self._calls(wanted)
        actions = self._actions(wanted)
        self._thoughts(wanted, calls, actions)
        for row in self._rows("verdicts", f"trajectory_id {_OF}", wanted, order="trajectory_id"):
            _upsert(self.c, "verdicts", row, ("trajectory_id",))
        self.c.executemany(
            "INSERT INTO merged_trajectories (trajectory_id, epoch, number) VALUES (?, ?, ?)"
            " ON CONFLICT (trajectory_id) DO UPDATE SET epoch = excluded.epoch, number = excluded.number",
            [(row["id"], *version) for row in rows],
        )
        return len(rows)

    def _columns(self, table: str) -> list[str]:
        """Return the columns of a table that are not worked out from others."""
        return [row[1] for row in self.c.execute(f"PRAGMA table_info({table})").fetchall()]

    def _rows(self, table: str, where: str, wanted: str, *, order: str) -> list[dict[str, Any]]:
        columns = self._columns(table)
        found = self.read(f"SELECT {', '.join(columns)} FROM {table} WHERE {where} ORDER BY {order}", (wanted,))
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _calls(self, wanted: str) -> dict[int, int]:
        """Copy calls with what they share; return their numbers. A call whose answer another file's call gave is copied as one that was asked."""
        rows = self._rows("calls", f"trajectory_id {_OF}", wanted, order="id")
        self._take_contexts({row["context_id"] for row in rows})
        self._take_settings({row["settings_id"] for row in rows})
        self._take_messages({row["reply_id"] for row in rows})
        made: dict[int, int] = {}
        for row in rows:
            number = row.pop("id")
            row |= {
                "context_id": self.contexts[row["context_id"]], "settings_id": self.settings.get(row["settings_id"]),
                "reply_id": self.messages.get(row["reply_id"]), "cached_from": made.get(row["cached_from"]),
            }  # fmt: skip
            made[number] = _upsert(self.c, "calls", row, ("key_bytes", "attempt"))
        self._drop_others("calls", wanted, set(made.values()), named_by=("calls.cached_from", "thoughts.call_id"))
        return made

    def _actions(self, wanted: str) -> dict[int, int]:
        rows = self._rows("actions", f"trajectory_id {_OF}", wanted, order="id")
        self._take_messages({number for row in rows for number in (row["arguments_id"], row["result_id"])})
        made: dict[int, int] = {}
        later: list[tuple[int, int]] = []
        for row in rows:
            number, within = row.pop("id"), row["within"]
            row |= {
                "arguments_id": self.messages[row["arguments_id"]], "result_id": self.messages.get(row["result_id"]), "within": made.get(within),
                "taken_from": made.get(row["taken_from"]),
            }  # fmt: skip
            made[number] = _upsert(self.c, "actions", row, ("key_bytes", "attempt"))
            if within is not None and within not in made:
                later.append((number, within))
        for number, within in later:  # the program that made an action may come after it
            self.c.execute("UPDATE actions SET within = ? WHERE id = ?", (made.get(within), made[number]))
        self._drop_others("actions", wanted, set(made.values()), named_by=("actions.taken_from", "thoughts.action_id"))
        return made

    def _thoughts(self, wanted: str, calls: Mapping[int, int], actions: Mapping[int, int]) -> None:
        rows = self._rows("thoughts", f"trajectory_id {_OF}", wanted, order="rowid")
        self._take_messages({row["message_id"] for row in rows})
        for row in rows:
            row |= {
                "call_id": calls.get(row["call_id"]), "action_id": actions.get(row["action_id"]), "message_id": self.messages.get(row["message_id"]),
            }  # fmt: skip
            _upsert(self.c, "thoughts", row, ("id",))
        stale = self.c.execute(f"SELECT id FROM thoughts WHERE trajectory_id {_OF}", (wanted,)).fetchall()
        gone = json.dumps([name for (name,) in stale if name not in {row["id"] for row in rows}])
        of_target = f"SELECT id FROM thoughts WHERE trajectory_id {_OF}"
        self.c.execute(f"DELETE FROM thought_edges WHERE child IN ({of_target})", (wanted,))
        self.c.execute(f"DELETE FROM thoughts WHERE id {_OF}", (gone,))
        edges = self.read(f"SELECT parent, child FROM thought_edges WHERE child IN ({of_target})", (wanted,))
        self.c.executemany("INSERT OR IGNORE INTO thought_edges (parent, child) VALUES (?, ?)", edges)

    def _drop_others(self, table: str, wanted: str, kept: set[int], *, named_by: Sequence[str]) -> None:
        """Delete rows that the trajectories had in another version, but those that something else names."""
        found = self.c.execute(f"SELECT id FROM {table} WHERE trajectory_id {_OF}", (wanted,)).fetchall()
        stale = [number for (number,) in found if number not in kept]
        if not stale:
            return
        gone = json.dumps(stale)
        within = f"trajectory_id {_OF}"
        self.c.execute(f"UPDATE thoughts SET {'call_id' if table == 'calls' else 'action_id'} = NULL WHERE {within}", (wanted,))
        names = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {each.split('.')[0]} x WHERE x.{each.split('.')[1]} = {table}.id)" for each in named_by
        )
        self.c.execute(f"DELETE FROM {table} WHERE id {_OF} AND {names}", (gone,))

    def _take_messages(self, numbers: set[int | None]) -> None:
        """Have messages of the source in the target, and the thoughts before them."""
        missing = [number for number in numbers if number is not None and number not in self.messages]
        if not missing:
            return
        sql = f"SELECT id, hash, role, content, reasoning_id, parts FROM messages WHERE id {_OF}"
        found = self.read(sql, (json.dumps(missing),))
        self._take_messages({reasoning for *_, reasoning, _ in found})
        for number, hashed, role, content, reasoning, parts in found:
            self.messages[number] = intern_row(self.c, hashed, role, content, reasoning_id=self.messages.get(reasoning), parts=parts)

    def _take_contexts(self, numbers: set[int]) -> None:
        missing = [number for number in numbers if number not in self.contexts]
        if not missing:
            return
        rows = self.read(
            f"WITH RECURSIVE chain(id) AS (SELECT id FROM contexts WHERE id {_OF}"
            " UNION SELECT x.parent_id FROM contexts x JOIN chain ON x.id = chain.id WHERE x.parent_id IS NOT NULL)"
            " SELECT x.id, x.parent_id, x.message_id, x.depth FROM contexts x JOIN chain ON chain.id = x.id ORDER BY x.depth, x.id",
            (json.dumps(missing),),
        )
        self._take_messages({message for _, _, message, _ in rows})
        for number, parent, message, depth in rows:
            above = None if parent is None else self.contexts[parent]
            self.contexts[number] = extend_known(self.c, above, self.messages[message], depth)

    def _take_settings(self, numbers: set[int | None]) -> None:
        missing = [number for number in numbers if number is not None and number not in self.settings]
        sql = f"SELECT id, template_hash, sampling, constraint_requested, tools FROM call_settings WHERE id {_OF}"
        for number, template, sampling, constraint, tools in self.read(sql, (json.dumps(missing),)) if missing else ():
            self.settings[number] = intern_settings(self.c, template_hash=template, sampling=sampling, constraint=constraint, tools=tools)


def _upsert(c: Connection, table: str, row: Mapping[str, Any], key: Sequence[str]) -> int:
    """Insert a row, or let it take the place of the one with its key; return its number."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in row if name not in key)
    return _insert(c, table, row, conflict=f"({', '.join(key)}) DO UPDATE SET {changed} RETURNING rowid")


def _insert(c: Connection, table: str, row: Mapping[str, Any], *, conflict: str) -> int:
    marks = ", ".join("?" * len(row))
    found = c.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT {conflict}", tuple(row.values())).fetchall()
    return int(found[0][0]) if found else 0
