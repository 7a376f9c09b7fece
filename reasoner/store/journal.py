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
from reasoner.text import storable
from reasoner.types import Completion, Message, Request, Usage, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.store.connection import Connection
    from reasoner.store.database import Store
    from reasoner.trajectory import Thought, Trajectory


HASH_BYTES = 16
"""So much of a text's hash is kept; the text itself is compared too."""


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


_INSERT_INTENT = (
    "INSERT INTO calls (key_bytes, attempt, trajectory_id, state, parent_thought, role, ordinal, settings_id, context_id, seed,"
    " reserved_tokens, reserved_cost, epoch, created)"
    " VALUES (?, (SELECT coalesce(max(attempt), -1) + 1 FROM calls WHERE key_bytes = ?), ?, 'intent', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


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


def packed(key: str) -> bytes | str:
    """Return the bytes a key's hexadecimal digits stand for, as `calls.key_bytes` holds them; any other text as it is."""
    try:
        made = bytes.fromhex(key)
    except ValueError:
        return key
    return made if made.hex() == key else key


def intern_message(c: Connection, message: Message) -> int:
    """Return the id of a message, storing it if it is new."""
    content = storable(message.content)
    hashed = bytes.fromhex(digest(message.role, content))[:HASH_BYTES]
    found = c.execute("SELECT id, role = ? AND content = ? FROM messages WHERE hash = ?", (message.role, content, hashed)).fetchone()
    if found is not None and not found[1]:
        raise StoreError(f"message {found[0]} has the hash of another text: {content[:40]!r}", hint="it was changed by hand; undo that")
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


def intern_settings(c: Connection, *, template_hash: str, sampling: str, constraint: str | None) -> int:
    """Return the id of what a call shares with most others, storing it if it is new."""
    found = c.execute(
        "SELECT id FROM call_settings WHERE template_hash = ? AND sampling = ? AND constraint_requested IS ?",
        (template_hash, sampling, constraint),
    ).fetchone()
    if found is None:
        sql = "INSERT INTO call_settings (template_hash, sampling, constraint_requested) VALUES (?, ?, ?)"
        return int(c.execute(sql, (template_hash, sampling, constraint)).lastrowid)
    return int(found[0])


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
        return await self._store.write(lambda c: self._insert_intent(c, call), durable=self._durable)

    def _insert_intent(self, c: Connection, call: Intent) -> int:
        self._check_epoch(c)
        key, request = packed(call.key), call.request
        constraint = canonical_json([request.constraint.kind, request.constraint.value]) if request.constraint else None
        settings = intern_settings(
            c, template_hash=call.template_hash, sampling=canonical_json(request.sampling.as_dict()), constraint=constraint
        )
        row = (
            key, key, call.trajectory_id, call.parent_thought, call.role, call.ordinal, settings, intern_context(c, request.messages),
            request.seed, call.reserved_tokens, call.reserved_cost, self._epoch, now(),
        )  # fmt: skip
        return int(c.execute(_INSERT_INTENT, row).lastrowid)

    async def done(self, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], *, retries: int) -> None:
        """Commit a call's result, usage and thoughts in one transaction.

        Raises:
            StoreError: the database refused, or another process has taken the run over.
        """
        await self._store.write(lambda c: self._finish(c, call_id, completion, thoughts, retries), durable=self._durable)

    def _finish(self, c: Connection, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], retries: int) -> None:
        self._check_epoch(c)
        usage = completion.usage
        reply_id = intern_message(c, Message("assistant", completion.text))
        changed = c.execute(
            "UPDATE calls SET state = 'done', reply_id = ?, model = ?, constraint_applied = ?, finish_reason = ?, prompt_tokens = ?,"
            " completion_tokens = ?, cached_tokens = ?, cost = ?, seconds = ?, mean_logprob = ?, retries = ?, reserved_tokens = NULL,"
            " reserved_cost = NULL, finished = ? WHERE id = ? AND state = 'intent' AND epoch = ?",
            (
                reply_id,
                completion.model,
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

    async def failed(self, call_id: int, error: str, *, state: Literal["failed", "unknown"], retries: int) -> None:
        """Commit that a call gave no result: `failed` when it is certain, `unknown` when it may have been processed and billed."""
        sql = (
            "UPDATE calls SET state = ?, error = ?, retries = ?, reserved_tokens = NULL, reserved_cost = NULL, finished = ?"
            " WHERE id = ? AND state = 'intent' AND epoch = ?"
        )
        await self._store.write(
            lambda c: c.execute(sql, (state, error, retries, now(), call_id, self._epoch)).rowcount, durable=self._durable
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
        row = c.execute("SELECT id, reply_id FROM calls WHERE key_bytes = ? AND state = 'done'", (packed(thought.call_key),)).fetchone()
        if row is None:
            return None, None
        return int(row[0]), (int(row[1]) if thought.text is None else None)

    def _check_epoch(self, c: Connection) -> None:
        row = c.execute("SELECT epoch FROM runs WHERE id = ?", (self._run_id,)).fetchone()
        if row is None or row[0] != self._epoch:
            raise StoreError(f"run {self._run_id} was taken over by another process", hint="run the command again when that one has ended")
