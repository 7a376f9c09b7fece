"""The journal of calls: `intent` before a call, `done` with result, usage and thoughts in one transaction after it.

A call's key is made from the trajectory, the place in the search and the canonical request, so that a rerun asks for the same keys:
what is `done` is replayed, what was only intended when a process died is `unknown` and asked again as a further attempt. A
transaction is refused when another process has taken the run over since (`epoch`), so a process that was only thought dead
cannot write.

    intent(key) -> 41 ... done(41, completion, thoughts)

Knows rows; does not know a client, a strategy or a budget rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from reasoner.errors import StoreError
from reasoner.secrets import redact
from reasoner.store import crash
from reasoner.text import storable
from reasoner.types import Completion, Message, Request, Usage, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.store.connection import Connection
    from reasoner.store.database import Store
    from reasoner.trajectory import Thought, Trajectory


@dataclass(frozen=True, slots=True)
class Intent:
    """A call about to be made."""

    key: str
    trajectory_id: str
    parent_thought: str
    role: str
    ordinal: int
    template_hash: str
    request: Request
    reserved_tokens: int
    reserved_cost: float | None


@dataclass(frozen=True, slots=True)
class ThoughtRow:
    """A thought as it is stored. `text` is None for a thought whose text is its call's reply."""

    id: str
    trajectory_id: str
    parents: tuple[str, ...]
    position: int
    ordinal: int
    role: str
    label: str
    operation: str
    text: str | None
    state: str | None
    score: float | None
    fate: str
    depth: int
    call_key: str | None
    root_text: str | None = None


def thought_row(dag: Trajectory, thought_id: str) -> ThoughtRow:
    """Return a thought of a graph as it is stored."""
    node = dag.graph.nodes[thought_id]
    thought: Thought = node["thought"]
    mark = dag.mark_of(thought)
    is_reply, is_root = bool(thought.finish_reason), thought is dag.root
    return ThoughtRow(
        id=thought.id, trajectory_id=dag.key, parents=tuple(parent.id for parent in dag.parents(thought)), position=node["index"],
        ordinal=node["ordinal"], role=thought.role, label=thought.label, operation=thought.operation,
        text=None if is_reply or is_root else thought.text, state=None if mark.state is None else canonical_json(mark.state),
        score=mark.score, fate=mark.fate, depth=node["depth"], call_key=node["call"], root_text=thought.text if is_root else None,
    )  # fmt: skip


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def intern_message(c: Connection, message: Message) -> int:
    """Return the id of a message, storing it if it is new."""
    content = storable(message.content)
    hashed = digest(message.role, content)
    found = c.execute("SELECT id FROM messages WHERE hash = ?", (hashed,)).fetchone()
    if found is None:
        cursor = c.execute("INSERT INTO messages (hash, role, content) VALUES (?, ?, ?)", (hashed, message.role, content))
        return int(cursor.lastrowid)
    return int(found[0])


def intern_context(c: Connection, messages: Sequence[Message]) -> int:
    """Return the id of a conversation, storing what of its chain is new.

    Raises:
        StoreError: there is no message at all.
    """
    context: int | None = None
    for depth, message in enumerate(messages):
        message_id = intern_message(c, message)
        where = (context or 0, message_id)
        found = c.execute("SELECT id FROM contexts WHERE coalesce(parent_id, 0) = ? AND message_id = ?", where).fetchone()
        if found is None:
            cursor = c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (?, ?, ?)", (context, message_id, depth))
            context = int(cursor.lastrowid)
        else:
            context = int(found[0])
    if context is None:
        raise StoreError("a request without messages cannot be recorded", hint="the template needs a user block with text in it")
    return context


class Journal:
    """The calls of one run, as one process works on it."""

    def __init__(self, store: Store, *, run_id: str, epoch: int, durable: bool) -> None:
        self._store = store
        self._run_id = run_id
        self._epoch = epoch
        self._durable = durable

    def load(self, trajectory_id: str) -> dict[str, Completion]:
        """Return the committed completions of a trajectory by call key."""
        rows = self._store.rows(
            "SELECT c.*, m.content FROM calls c JOIN messages m ON m.id = c.reply_id WHERE c.trajectory_id = ? AND c.state = 'done'",
            (trajectory_id,),
        )
        return {
            row["key"]: Completion(
                text=row["content"],
                finish_reason=row["finish_reason"],
                usage=Usage(row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["cost"]),
                model=row["model"],
                constraint_applied=row["constraint_applied"],
                seconds=row["seconds"],
                mean_logprob=row["mean_logprob"],
            )
            for row in rows
        }

    async def intent(self, call: Intent) -> int:
        """Commit that a call is about to be made, with its budget reservation; return its row id.

        Raises:
            StoreError: the database refused, or another process has taken the run over.
        """
        crash.passing("before_intent")
        call_id = await self._store.write(lambda c: self._insert_intent(c, call), durable=self._durable)
        crash.passing("after_intent")
        return call_id

    def _insert_intent(self, c: Connection, call: Intent) -> int:
        self._check_epoch(c)
        attempt = c.execute("SELECT coalesce(max(attempt), -1) + 1 FROM calls WHERE key = ?", (call.key,)).fetchone()[0]
        request = call.request
        constraint = canonical_json([request.constraint.kind, request.constraint.value]) if request.constraint else None
        row = {
            "key": call.key,
            "attempt": attempt,
            "trajectory_id": call.trajectory_id,
            "state": "intent",
            "parent_thought": call.parent_thought,
            "role": call.role,
            "ordinal": call.ordinal,
            "template_hash": call.template_hash,
            "context_id": intern_context(c, request.messages),
            "sampling": canonical_json(request.sampling.as_dict()),
            "seed": request.seed,
            "constraint_requested": constraint,
            "reserved_tokens": call.reserved_tokens,
            "reserved_cost": call.reserved_cost,
            "epoch": self._epoch,
            "created": now(),
        }
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        return int(c.execute(f"INSERT INTO calls ({names}) VALUES ({marks})", tuple(row.values())).lastrowid)  # noqa: S608 - column names stand above

    async def done(self, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], *, retries: int) -> None:
        """Commit a call's result, usage and thoughts in one transaction.

        Raises:
            StoreError: the database refused, or another process has taken the run over.
        """
        crash.passing("before_done")
        await self._store.write(lambda c: self._finish(c, call_id, completion, thoughts, retries), durable=self._durable)
        crash.passing("after_done")

    def _finish(self, c: Connection, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], retries: int) -> None:
        self._check_epoch(c)
        usage = completion.usage
        changed = c.execute(
            "UPDATE calls SET state = 'done', reply_id = ?, model = ?, constraint_applied = ?, finish_reason = ?, prompt_tokens = ?,"
            " completion_tokens = ?, cached_tokens = ?, cost = ?, seconds = ?, mean_logprob = ?, retries = ?, reserved_tokens = NULL,"
            " reserved_cost = NULL, finished = ? WHERE id = ? AND state = 'intent' AND epoch = ?",
            (
                intern_message(c, Message("assistant", completion.text)),
                redact(completion.model),
                completion.constraint_applied,
                completion.finish_reason,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.cost,
                completion.seconds,
                completion.mean_logprob,
                retries,
                now(),
                call_id,
                self._epoch,
            ),
        ).rowcount
        if changed != 1:
            raise StoreError(
                f"call {call_id} of run {self._run_id} is no longer ours to finish", hint="another process has taken the run over"
            )
        self.put_thoughts(c, thoughts)
        crash.passing("in_done")

    async def failed(self, call_id: int, error: str, *, state: Literal["failed", "unknown"], retries: int) -> None:
        """Commit that a call gave no result: `failed` when it is certain, `unknown` when it may have been processed and billed."""
        sql = (
            "UPDATE calls SET state = ?, error = ?, retries = ?, reserved_tokens = NULL, reserved_cost = NULL, finished = ?"
            " WHERE id = ? AND state = 'intent' AND epoch = ?"
        )
        await self._store.write(
            lambda c: c.execute(sql, (state, redact(error), retries, now(), call_id, self._epoch)).rowcount, durable=self._durable
        )

    def put_thoughts(self, c: Connection, thoughts: Sequence[ThoughtRow]) -> None:
        """Insert or update thoughts and their edges."""
        for thought in thoughts:
            call_id, message_id = self._source(c, thought)
            c.execute(
                "INSERT INTO thoughts (id, trajectory_id, call_id, position, ordinal, role, label, operation, message_id, text, state, score,"
                " fate, depth) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state, score = excluded.score, fate = excluded.fate,"
                " call_id = excluded.call_id, message_id = excluded.message_id, position = excluded.position",
                (
                    thought.id,
                    thought.trajectory_id,
                    call_id,
                    thought.position,
                    thought.ordinal,
                    thought.role,
                    thought.label,
                    thought.operation,
                    message_id,
                    thought.text,
                    thought.state,
                    thought.score,
                    thought.fate,
                    thought.depth,
                ),
            )
            for parent in thought.parents:
                c.execute("INSERT OR IGNORE INTO thought_edges (parent, child) VALUES (?, ?)", (parent, thought.id))

    def _source(self, c: Connection, thought: ThoughtRow) -> tuple[int | None, int | None]:
        """Return (call id, message id) a thought's text comes from."""
        if thought.root_text is not None:
            return None, intern_message(c, Message("user", thought.root_text))
        if thought.call_key is None:
            return None, None
        row = c.execute("SELECT id, reply_id FROM calls WHERE key = ? AND state = 'done'", (thought.call_key,)).fetchone()
        if row is None:
            return None, None
        return int(row[0]), (int(row[1]) if thought.text is None else None)

    def _check_epoch(self, c: Connection) -> None:
        row = c.execute("SELECT epoch FROM runs WHERE id = ?", (self._run_id,)).fetchone()
        if row is None or row[0] != self._epoch:
            raise StoreError(f"run {self._run_id} was taken over by another process", hint="run the command again when that one has ended")
