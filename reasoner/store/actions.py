"""The journal of actions: `intent` before a tool is called, `done` or `failed` with its result and thoughts in one transaction after it.

An action's key is made from the trajectory, its place in the search, the tool and the arguments, so that a rerun makes the same keys: what has a
result is replayed; what was under way when its process ended is `unknown`. An action that a person has to decide waits in the file for the
decision, however long that takes.

    intent(action) -> 7 ... done(7, Observed("42", ok=True), thoughts)

Knows rows; does not know a tool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from reasoner.errors import BadConfig, UnknownName
from reasoner.redaction import redact
from reasoner.store import claims, crash
from reasoner.store.interning import intern_text, packed
from reasoner.store.times import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.store.connection import Connection
    from reasoner.store.database import Store
    from reasoner.store.journal import Journal, ThoughtRow

ARGUMENTS, RESULT = "arguments", "tool"
"""Roles of the messages that hold what a tool was given and what it gave back."""

SIGNS = {"done": "✓", "failed": "✗", "denied": "⊘", "waiting": "…", "approved": "…", "intent": "…", "unknown": "?"}
"""How the state of an action is drawn, in the terminal and on the pages."""

Decision = Literal["approved", "denied"]


@dataclass(frozen=True, slots=True)
class ActionIntent:
    """An action about to be made. `arguments` is canonical JSON; `within` is the key of the action whose program makes it, empty for none."""

    key: str
    parent_thought: str
    path: str
    ordinal: int
    tool: str
    effect: str
    fingerprint: str
    arguments: str
    call_id: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of an action: the text the model is shown. Not `ok` is a failure that the text tells of."""

    text: str
    ok: bool = True
    seconds: float = 0.0
    denied: bool = False


@dataclass(frozen=True, slots=True)
class MadeWithin:
    """An action that the program of another one made."""

    key: str
    tool: str
    ordinal: int
    call_id: str
    arguments: str
    observed: Observed


@dataclass(frozen=True, slots=True)
class Committed:
    """An action with its result; `within` are those its program made, in their order."""

    id: int
    observed: Observed
    arguments: str
    within: list[MadeWithin] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pending:
    """An action without a result: `waiting`, `approved` or `denied` by a person, or `unknown`."""

    id: int
    state: str
    reason: str = ""


class ActionJournal:
    """The actions of one trajectory, as the process that claimed it writes them."""

    def __init__(self, journal: Journal, store: Store, *, trajectory_id: str, epoch: int, durable: bool = True) -> None:
        self._journal = journal
        self._store = store
        self._trajectory_id = trajectory_id
        self._epoch = epoch
        self._durable = durable

    @property
    def trajectory_id(self) -> str:
        """Whose actions these are."""
        return self._trajectory_id

    def load(self) -> tuple[dict[str, Committed], dict[str, Pending]]:
        """Return the actions with a result and the last of those without, by key."""
        return committed_actions(self._store, self._trajectory_id)

    async def intent(self, action: ActionIntent) -> int:
        """Commit that an action is about to be made, and return its row id.

        Raises:
            StoreError: the database refused, or another process has taken the trajectory over.
        """
        crash.passing("before_action")
        action_id = await self._store.write(lambda c: self._insert(c, action, "intent"), durable=self._durable)
        crash.passing("after_action_intent")
        return action_id

    async def wait(self, action: ActionIntent) -> int:
        """Commit that an action waits for a person, and return its row id."""
        return await self._store.write(lambda c: self._insert(c, action, "waiting"), durable=self._durable)

    async def go_on(self, action_id: int) -> None:
        """Commit that an approved action is about to be made."""
        crash.passing("before_action")

        def job(c: Connection) -> None:
            self._journal.check(c)
            sql = "UPDATE actions SET state = 'intent', epoch = ? WHERE id = ? AND state = 'approved'"
            if c.execute(sql, (self._epoch, action_id)).rowcount != 1:
                raise claims.taken_over(self._trajectory_id)

        await self._store.write(job, durable=self._durable)
        crash.passing("after_action_intent")

    def _insert(self, c: Connection, action: ActionIntent, state: str, **more: Any) -> int:
        self._journal.check(c)
        key = packed(action.key)
        within = None
        if action.within:
            found = c.execute("SELECT max(id) FROM actions WHERE key_bytes = ?", (packed(action.within),)).fetchone()
            within = found[0]
        columns = {
            "trajectory_id": self._trajectory_id, "state": state, "parent_thought": action.parent_thought, "ordinal": action.ordinal,
            "tool": action.tool, "effect": action.effect, "tool_fingerprint": action.fingerprint, "call_id": action.call_id,
            "arguments_id": intern_text(c, ARGUMENTS, action.arguments), "within": within, "epoch": self._epoch, "created": now(), **more,
        }  # fmt: skip
        marks = ", ".join("?" * len(columns))
        sql = (
            f"INSERT INTO actions (key_bytes, attempt, {', '.join(columns)})"  # noqa: S608 - column names
            f" VALUES (?, (SELECT coalesce(max(attempt), -1) + 1 FROM actions WHERE key_bytes = ?), {marks})"
        )
        return int(c.execute(sql, (key, key, *columns.values())).lastrowid)

    async def done(self, action_id: int, observed: Observed, thoughts: Sequence[ThoughtRow]) -> None:
        """Commit an action's result and thoughts in one transaction.

        Raises:
            StoreError: the database refused, or another process has taken the trajectory over.
        """
        crash.passing("before_action_done")

        def job(c: Connection) -> None:
            self._journal.check(c)
            changed = c.execute(
                "UPDATE actions SET state = ?, result_id = ?, seconds = ?, size_bytes = ?, finished = ? WHERE id = ? AND epoch = ?"
                " AND state IN ('intent', 'denied')",
                (
                    "denied" if observed.denied else "done" if observed.ok else "failed", intern_text(c, RESULT, observed.text),
                    observed.seconds, len(observed.text.encode()), now(), action_id, self._epoch,
                ),
            ).rowcount  # fmt: skip
            if changed != 1:
                raise claims.taken_over(self._trajectory_id)
            self._journal.put_thoughts(c, thoughts)
            crash.passing("in_action_done")

        await self._store.write(job, durable=self._durable)
        crash.passing("after_action_done")

    async def without_doing(
        self, action: ActionIntent, observed: Observed, thoughts: Sequence[ThoughtRow], *, taken_from: int | None = None
    ) -> None:
        """Commit the result of an action that is not made: its arguments are wrong, or another trajectory's result stands for it."""

        def job(c: Connection) -> None:
            state = "denied" if observed.denied else "done" if observed.ok else "failed"
            result = intern_text(c, RESULT, observed.text)
            self._insert(
                c,
                action,
                state,
                result_id=result,
                seconds=0.0,
                size_bytes=len(observed.text.encode()),
                taken_from=taken_from,
                finished=now(),
            )
            self._journal.put_thoughts(c, thoughts)

        await self._store.write(job, durable=self._durable)

    async def decided(self, action_id: int, decision: Decision) -> None:
        """Commit what whoever runs this decided on an action that waits."""

        def job(c: Connection) -> None:
            self._journal.check(c)
            c.execute("UPDATE actions SET state = ?, decided = ? WHERE id = ? AND state = 'waiting'", (decision, now(), action_id))

        await self._store.write(job, durable=self._durable)

    async def decline(self, action_id: int) -> None:
        """Take over the row of an action that was denied, so that its result can be committed."""

        def job(c: Connection) -> None:
            self._journal.check(c)
            c.execute("UPDATE actions SET epoch = ? WHERE id = ? AND state = 'denied'", (self._epoch, action_id))

        await self._store.write(job, durable=self._durable)

    async def lost(self, action_id: int, error: str, *, certain: bool, seconds: float = 0.0) -> None:
        """Commit that an action gave no result: `unknown`, or, where it certainly did nothing, `failed`."""

        def job(c: Connection) -> None:
            c.execute(
                "UPDATE actions SET state = ?, error = ?, seconds = ?, finished = ? WHERE id = ? AND state = 'intent' AND epoch = ?",
                ("failed" if certain else "unknown", redact(error), seconds, now(), action_id, self._epoch),
            )

        await self._store.write(job, durable=self._durable)


def committed_actions(store: Store, trajectory_id: str) -> tuple[dict[str, Committed], dict[str, Pending]]:
    """Return the actions of a trajectory that have a result, and the last of those that have none, by key."""
    rows = store.tuples(
        "SELECT a.id, a.key, a.state, a.tool, a.ordinal, a.within, a.seconds, a.reason, a.call_id, p.content, r.content"
        " FROM actions a JOIN messages p ON p.id = a.arguments_id LEFT JOIN messages r ON r.id = a.result_id WHERE a.trajectory_id = ? ORDER BY a.id",
        (trajectory_id,),
    )
    committed: dict[str, Committed] = {}
    by_id: dict[int, Committed] = {}
    pending: dict[str, Pending] = {}
    inner: dict[int, dict[str, MadeWithin]] = {}
    for action_id, key, state, tool, ordinal, within, seconds, reason, call_id, arguments, result in rows:
        if result is None:
            pending[key] = Pending(action_id, state, reason or "")
            continue
        pending.pop(key, None)
        observed = Observed(result, state == "done", seconds or 0.0, state == "denied")
        committed[key] = by_id[action_id] = Committed(action_id, observed, arguments)
        if within is not None:
            inner.setdefault(within, {})[key] = MadeWithin(key, tool, ordinal, call_id, arguments, observed)
    # A program that was run in several attempts made some of its actions in earlier ones: those of all attempts are its own.
    key_of = {row[0]: row[1] for row in rows}
    made: dict[str, dict[str, MadeWithin]] = {}
    for within, found in inner.items():
        made.setdefault(key_of[within], {}).update(found)
    for key, found in made.items():
        if key in committed:
            committed[key].within.extend(found.values())
    return committed, pending


def waiting(store: Store, *, run_id: str | None = None, trajectory_id: str | None = None) -> list[dict[str, Any]]:
    """Return the actions that wait for a person, oldest first: `id`, `trajectory_id`, `run_id`, `tool`, `arguments`, `created`."""
    clauses, given = ["a.state = 'waiting'"], []
    for clause, value in (("t.run_id = ?", run_id), ("a.trajectory_id = ?", trajectory_id)):
        if value is not None:
            clauses.append(clause)
            given.append(value)
    return store.rows(
        "SELECT a.id, a.trajectory_id, t.run_id, a.tool, p.content AS arguments, a.created FROM actions a"  # noqa: S608 - clauses are ours
        " JOIN trajectories t ON t.id = a.trajectory_id JOIN messages p ON p.id = a.arguments_id"
        f" WHERE {' AND '.join(clauses)} ORDER BY a.id",
        tuple(given),
    )


def actions_of(store: Store, trajectory_id: str, *, limit: int = 1000) -> list[dict[str, Any]]:
    """Return the actions of a trajectory in the order they were asked for, the last attempt of each.

    Each has `id`, `tool`, `effect`, `state`, `arguments`, `result` and `error` (None where there is none), `seconds`, `within` (the action whose
    program made it), `taken_from`, `created` and `reason`.
    """
    return store.rows(
        "SELECT a.id, a.tool, a.effect, a.state, p.content AS arguments, r.content AS result, a.error, a.seconds, a.within, a.taken_from, a.created,"
        " a.reason FROM actions a JOIN messages p ON p.id = a.arguments_id LEFT JOIN messages r ON r.id = a.result_id"
        " WHERE a.trajectory_id = ? AND a.attempt = (SELECT max(b.attempt) FROM actions b WHERE b.key_bytes = a.key_bytes) ORDER BY a.id LIMIT ?",
        (trajectory_id, limit),
    )


def decide(store: Store, action_id: int, decision: Decision, *, reason: str = "") -> dict[str, Any]:
    """Write down what a person decided on an action that waits, and return its row (`id`, `run_id`, `tool`, ...).

    Raises:
        UnknownName: there is no such action.
        BadConfig: it does not wait (any more): the message says how it stands.
    """

    def job(c: Connection) -> int:
        sql = "UPDATE actions SET state = ?, decided = ?, reason = ? WHERE id = ? AND state = 'waiting'"
        return int(c.execute(sql, (decision, now(), redact(reason)[:2000] or None, action_id)).rowcount)

    changed = store.write_now(job)
    row = store.row(
        "SELECT a.id, a.state, a.tool, a.trajectory_id, t.run_id, a.decided FROM actions a JOIN trajectories t ON t.id = a.trajectory_id WHERE a.id = ?",
        (action_id,),
    )
    if row is None:
        raise UnknownName("action", str(action_id), [str(one["id"]) for one in waiting(store)] or ["(none waits)"])
    if not changed:
        raise BadConfig(
            f"action {action_id} does not wait for anybody: it is {row['state']}", hint="'reasoner actions' lists those that do"
        )
    return row
