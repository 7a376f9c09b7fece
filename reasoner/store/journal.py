"""The journal of calls: `intent` before a call, `done` with result, usage and thoughts in one transaction after it.

A call's key is made from the trajectory, the place in the search and the canonical request, so that a rerun asks for the same keys:
what is `done` is replayed, what was only intended when a process died is `unknown` and asked again as a further attempt. A
transaction is refused when another process has claimed the trajectory since (`epoch`), so a process that was only thought dead
cannot write. Where the run has limits, a call is reserved and settled in the same transactions (see `reasoner.store.spending`).

    intent(key) -> 41 ... done(41, completion, thoughts)
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reasoner.budget import Reserve
from reasoner.redaction import redact
from reasoner.store import claims, crash, spending
from reasoner.store.interning import MESSAGE, intern_context, intern_message, intern_settings, message_of, packed, tools_text
from reasoner.store.refusals import Refusals
from reasoner.store.times import now
from reasoner.types import Completion, Message, Request, Usage, canonical_json

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from reasoner.store.connection import Connection
    from reasoner.store.database import Store
    from reasoner.trajectory import Thought, Trajectory


@dataclass(frozen=True, slots=True)
class Intent:
    """A call about to be made. `path` is where in the search its answer will stand, the same in every search that goes the same way."""

    parent_thought: str
    path: str
    role: str
    ordinal: int
    template_hash: str
    request: Request
    reserved_tokens: int = 0
    reserved_cost: float | None = None


class Kept(NamedTuple):
    """A committed answer. `source` is the call it was first given to, where it was taken over from another trajectory; else None."""

    completion: Completion
    source: int | None = None
    lost: Reserve | None = None
    """What attempts before it may have been billed, in all, with `n_lost` of them."""
    n_lost: int = 0


class Lost(NamedTuple):
    """A call whose outcome is unknown: it may have been processed, and have cost up to `cost` dollars (None: no price is known)."""

    id: int
    cost: float | None
    reserved: Reserve = Reserve(0)
    """What all attempts at it may have been billed, `n` of them."""
    n: int = 0


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
    status: str
    depth: int
    call_key: str | None
    action_key: str | None = None
    """The action whose result is the text, which is then None."""
    root_text: str | None = None
    written: bool = False
    """Whether it was handed to the database before, so that nothing but its mark may have changed."""


@functools.cache
def _insert_call(more: tuple[str, ...]) -> str:
    """Return the statement that inserts a call as its next attempt. `more` are the columns that not every call has."""
    marks = ", ".join("?" * (9 + len(more)))
    return (
        "INSERT INTO calls (key_bytes, attempt, trajectory_id, parent_thought, role, ordinal, settings_id, context_id, seed, epoch, created,"  # noqa: S608 - only names of columns go into it
        f" {', '.join(more)}) VALUES (?, (SELECT coalesce(max(attempt), -1) + 1 FROM calls WHERE key_bytes = ?), {marks})"
    )


@functools.cache
def _finish_call(columns: tuple[str, ...]) -> str:
    """Return the statement that closes a call of a claim, and tells whether its run has limits; NULL where another process has claimed it since."""
    return (
        f"UPDATE calls SET state = 'done', reserved_tokens = NULL, reserved_cost = NULL, {', '.join(f'{name} = ?' for name in columns)}"  # noqa: S608 - only names of columns go into it
        " WHERE id = ? AND state = 'intent' AND epoch = ?"
        " RETURNING (SELECT r.limits IS NOT NULL FROM trajectories t JOIN runs r ON r.id = t.run_id"
        " WHERE t.id = calls.trajectory_id AND t.epoch = calls.epoch)"
    )


def thought_row(dag: Trajectory, thought_id: str, *, written: bool = False) -> ThoughtRow:
    """Return a thought of a graph as it is stored."""
    node = dag.graph.nodes[thought_id]
    thought: Thought = node["thought"]
    mark = dag.mark_of(thought)
    is_root, action = thought is dag.root, node["action"]
    elsewhere = bool(thought.finish_reason) or is_root or action is not None  # where the text stands
    return ThoughtRow(
        id=thought.id, trajectory_id=dag.key, parents=tuple(parent.id for parent in dag.parents(thought)), position=node["index"],
        ordinal=node["ordinal"], role=thought.role, label=thought.label, operation=thought.operation,
        text=None if elsewhere else thought.text, state=None if mark.state is None else canonical_json(mark.state),
        score=mark.score, status=mark.status, depth=node["depth"], call_key=node["call"], action_key=action, root_text=thought.text if is_root else None,
        written=written,
    )  # fmt: skip


COMPLETION = (
    f"{MESSAGE}, c.finish_reason, c.prompt_tokens, c.completion_tokens, c.cached_tokens, c.cost, c.reasoning_tokens, c.usage_estimated,"
    " c.model, c.constraint_applied, c.seconds, c.mean_logprob, c.tokens"
)
"""The columns of a committed answer, from `calls c JOIN messages m ON m.id = c.reply_id`."""


def completion_of(row: Sequence[Any]) -> Completion:
    """Return the completion in a row of `COMPLETION`."""
    reply = message_of(*row[:4])
    finish, prompt, said, cached, cost, thought, estimated, model, constraint, seconds, logprob, tokens = row[4:]
    return Completion(
        reply.content, finish, Usage(prompt, said, cached, cost, thought, bool(estimated)), model, constraint, seconds, logprob, reply.reasoning, reply.tool_calls,
        reply.opaque, tokens=tokens or "",
    )  # fmt: skip


_Told = tuple[str, str, str | None, str | None]
"""Settings as their row holds them: hash of the template, sampling, constraint, tools."""


class Journal(Refusals):
    """The calls of one trajectory, as the process that claimed it writes them."""

    def __init__(self, store: Store, *, run_id: str, trajectory_id: str, epoch: int, durable: bool) -> None:
        self._store = store
        self._run_id = run_id
        self.trajectory_id = trajectory_id
        self._epoch = epoch
        self._durable = durable
        self._settings: dict[_Told, int] = {}
        """Ids of settings, of calls whose intent is committed: what a transaction that is undone had stored is never among them."""
        self._met: dict[int, tuple[_Told, int]] = {}

    def load(self) -> tuple[dict[str, Kept], dict[str, Lost]]:
        """Return by call key the trajectory's committed answers, and the calls that may have been processed and gave no answer."""
        if self._store.row("SELECT 1 FROM calls WHERE trajectory_id = ? LIMIT 1", (self.trajectory_id,)) is None:
            return {}, {}
        done = self._store.tuples(
            f"SELECT c.key, c.cached_from, {COMPLETION} FROM calls c JOIN messages m ON m.id = c.reply_id"  # noqa: S608 - columns named above
            " WHERE c.trajectory_id = ? AND c.state = 'done'",
            (self.trajectory_id,),
        )
        unknown = self._store.tuples(
            "SELECT key, id, lost_cost FROM calls WHERE trajectory_id = ? AND state = 'unknown' ORDER BY id", (self.trajectory_id,)
        )
        use = self._lost_use()
        kept = {row[0]: Kept(completion_of(row[2:]), row[1], *use.get(row[0], (None, 0))) for row in done}
        return kept, {key: Lost(call_id, cost, *use.get(key, (Reserve(0), 0))) for key, call_id, cost in unknown}

    def _lost_use(self) -> dict[str, tuple[Reserve, int]]:
        """Return what attempts of the trajectory may have been billed for nothing, and how many they were, by key."""
        rows = self._store.tuples(
            "SELECT min(key), sum(lost_tokens), sum(coalesce(lost_cost, 0)), sum(lost_calls) FROM calls"
            " WHERE trajectory_id = ? AND lost_calls > 0 GROUP BY key_bytes",
            (self.trajectory_id,),
        )
        return {key: (Reserve(tokens or 0, cost), n) for key, tokens, cost, n in rows}

    def bounded(self) -> bool:
        """Tell whether the run has a budget of tokens or money, so that no call may be without a bound."""
        row = self._store.row("SELECT limits FROM runs WHERE id = ?", (self._run_id,))
        limits = json.loads(row["limits"] or "{}") if row else {}
        return limits.get("tokens") is not None or limits.get("cost") is not None

    def intent(self, call: Intent) -> asyncio.Future[int | None]:
        """Commit that a call is about to be made, with its reservation; the result is its row id. It is committed though nobody waits for it.

        None where the run's budget has room only if other calls under way use less than what is reserved for them: ask again.

        Raises:
            RunBudgetExhausted: the run's budget has no room for it; nothing is written.
            StoreError: the database refused, or another process has taken the trajectory over.
        """
        crash.passing("before_intent")
        return self._store.written(lambda c: self._insert_intent(c, call), durable=self._durable)

    def _insert_intent(self, c: Connection, call: Intent) -> int | None:
        limited = self.check(c)
        if limited and not spending.room(c, self._run_id, tokens=call.reserved_tokens, cost=call.reserved_cost):
            # Those who hold the rest may be dead; what they held is then used, and whether this call fits is decided for good.
            if not claims.release_dead_workers(c, self._run_id):
                return None
            if not spending.room(c, self._run_id, tokens=call.reserved_tokens, cost=call.reserved_cost):
                return None
        return self._insert(c, call, state="intent", reserved_tokens=call.reserved_tokens, reserved_cost=call.reserved_cost)

    def _insert(self, c: Connection, call: Intent, **more: Any) -> int:
        request = call.request
        key = packed(request.key)
        sampling, tools = canonical_json(request.sampling.as_dict()), tools_text(request.tools, request.tool_choice)
        told = (call.template_hash, sampling, constraint_text(request), tools)
        settings = self._settings.get(told) or intern_settings(
            c, template_hash=call.template_hash, sampling=sampling, constraint=told[2], tools=tools
        )
        row = (
            key, key, self.trajectory_id, call.parent_thought, call.role, call.ordinal, settings, intern_context(c, request.messages),
            request.seed, self._epoch, now(), *more.values(),
        )  # fmt: skip
        call_id = int(c.execute(_insert_call(tuple(more)), row).lastrowid)
        if told not in self._settings:
            self._met[call_id] = told, settings
        return call_id

    async def repeat(self, call_id: int) -> None:
        """Commit that a call is made once more although the attempt before may have been billed: its worst case is used, and reserved anew.

        Raises:
            RunBudgetExhausted: the run's budget has no room for a further attempt.
            StoreError: the database refused, or another process has taken the trajectory over.
        """

        def job(c: Connection) -> None:
            self.check(c)
            tokens, cost = c.execute("SELECT reserved_tokens, reserved_cost FROM calls WHERE id = ?", (call_id,)).fetchone()
            # While one attempt is counted as used, the next stands in its reservation: what is asked is room for one more of the same.
            if not spending.room(c, self._run_id, tokens=tokens, cost=cost):
                raise spending.no_room(self._run_id)
            c.execute(
                "UPDATE calls SET lost_calls = lost_calls + 1, lost_tokens = lost_tokens + ?, lost_cost = coalesce(lost_cost, 0) + ? WHERE id = ?",
                (tokens, cost or 0.0, call_id),
            )
            spending.book(c, self.trajectory_id, calls=1, tokens=tokens, seconds=0.0, cost=cost)

        await self._store.write(job, durable=self._durable)

    async def done(self, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], *, retries: int, key: str = "") -> None:
        """Commit a call's result, usage and thoughts in one transaction; with its `key`, it need not be looked up for its own thoughts.

        Raises:
            StoreError: the database refused, or another process has taken the trajectory over.
        """
        crash.passing("before_done")
        await self._store.write(lambda c: self._finish(c, call_id, completion, thoughts, retries, key), durable=self._durable)
        crash.passing("after_done")

    def _finish(self, c: Connection, call_id: int, completion: Completion, thoughts: Sequence[ThoughtRow], retries: int, key: str) -> None:
        if (met := self._met.pop(call_id, None)) is not None:
            self._settings[met[0]] = met[1]
        answer = {**_answer(c, completion), "retries": retries}
        # What `check` looks at is looked at in the same statement: one less for every call.
        changed = c.execute(_finish_call(tuple(answer)), (*answer.values(), call_id, self._epoch)).fetchall()
        if len(changed) != 1 or changed[0][0] is None:
            raise claims.taken_over(self.trajectory_id)
        if changed[0][0]:
            usage = completion.usage
            tokens = usage.prompt_tokens + usage.completion_tokens
            spending.book(c, self.trajectory_id, calls=1, tokens=tokens, seconds=completion.seconds, cost=usage.cost)
        self.put_thoughts(c, thoughts, known={key: (call_id, answer["reply_id"])})
        crash.passing("in_done")

    async def taken_from(self, call: Intent, source: int, completion: Completion, thoughts: Sequence[ThoughtRow]) -> None:
        """Commit that a call was answered from another one, without asking.

        Raises:
            StoreError: the database refused, or another process has taken the trajectory over.
        """

        def job(c: Connection) -> None:
            self.check(c)
            self._insert(c, call, state="done", cached_from=source, **_answer(c, completion))
            self.put_thoughts(c, thoughts)

        await self._store.write(job, durable=self._durable)

    async def failed(self, call_id: int, error: str, *, state: Literal["failed", "unknown"], retries: int, seconds: float = 0.0) -> None:
        """Commit that a call gave no result: `failed` when it is certain, `unknown` when it may have been processed and billed.

        An unknown one counts against the run's budget with its worst case.
        """

        def job(c: Connection) -> None:
            ours = (call_id, self._epoch)
            row = c.execute(
                "SELECT reserved_tokens, reserved_cost FROM calls WHERE id = ? AND state = 'intent' AND epoch = ?", ours
            ).fetchone()
            if row is None:
                return  # whoever took it over has closed it
            lost = state == "unknown"
            tokens, cost = (row[0] or 0, row[1] or 0.0) if lost else (0, 0.0)
            c.execute(
                "UPDATE calls SET state = ?, error = ?, retries = ?, seconds = ?, lost_calls = lost_calls + ?, lost_tokens = lost_tokens + ?,"
                " lost_cost = CASE WHEN ? THEN coalesce(lost_cost, 0) + ? ELSE lost_cost END, reserved_tokens = NULL, reserved_cost = NULL,"
                " finished = ? WHERE id = ?",
                (state, redact(error), retries, seconds, int(lost), tokens, lost and row[1] is not None, cost, now(), call_id),
            )
            spending.book(c, self.trajectory_id, calls=int(lost), tokens=tokens, seconds=seconds, cost=cost)

        await self._store.write(job, durable=self._durable)

    def check(self, c: Connection) -> bool:
        """Refuse to write once another process has claimed the trajectory; tell whether its run has limits.

        Raises:
            TakenOver: one has.
        """
        return claims.check(c, self.trajectory_id, self._epoch)

    def put_thoughts(self, c: Connection, thoughts: Sequence[ThoughtRow], *, known: dict[str, tuple[int, int]] | None = None) -> None:
        """Insert or update thoughts and their edges. `known` are ids of calls and of their replies by key, which need not be looked up."""
        calls = dict(known or {})
        for thought in thoughts:
            if thought.written:
                what = (thought.state, thought.score, thought.status, thought.id)
                if c.execute("UPDATE thoughts SET state = ?, score = ?, status = ? WHERE id = ?", what).rowcount:
                    continue  # what a thought is, and what it hangs on, never changes
            call_id, message_id = self._source(c, thought, calls)
            action_id = None
            if thought.action_key is not None:
                action_id, message_id = _action_of(c, thought.action_key)
            c.execute(
                "INSERT INTO thoughts (id, trajectory_id, call_id, position, ordinal, role, label, operation, message_id, text, state, score,"
                " status, depth, action_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state, score = excluded.score, status = excluded.status,"
                " call_id = excluded.call_id, message_id = excluded.message_id, position = excluded.position, action_id = excluded.action_id",
                (
                    thought.id, thought.trajectory_id, call_id, thought.position, thought.ordinal, thought.role, thought.label, thought.operation,
                    message_id, thought.text, thought.state, thought.score, thought.status, thought.depth, action_id,
                ),
            )  # fmt: skip
            for parent in thought.parents:
                c.execute("INSERT OR IGNORE INTO thought_edges (parent, child) VALUES (?, ?)", (parent, thought.id))

    def _source(self, c: Connection, thought: ThoughtRow, calls: dict[str, tuple[int, int]]) -> tuple[int | None, int | None]:
        """Return (call id, message id) a thought's text comes from; `calls` grows by what is looked up."""
        if thought.root_text is not None:
            return None, intern_message(c, Message("user", thought.root_text))
        if thought.call_key is None:
            return None, None
        found = calls.get(thought.call_key)
        if found is None:
            row = c.execute("SELECT id, reply_id FROM calls WHERE key_bytes = ? AND state = 'done'", (packed(thought.call_key),)).fetchone()
            if row is None:
                return None, None
            found = calls[thought.call_key] = (int(row[0]), int(row[1]))
        return found[0], (found[1] if thought.text is None else None)


def _action_of(c: Connection, key: str) -> tuple[int | None, int | None]:
    """Return (action id, message id) of an action with a result."""
    row = c.execute("SELECT id, result_id FROM actions WHERE key_bytes = ? AND result_id IS NOT NULL", (packed(key),)).fetchone()
    return (int(row[0]), int(row[1])) if row is not None else (None, None)


def constraint_text(request: Request) -> str | None:
    """Return a request's constraint as rows hold it."""
    return canonical_json(request.constraint.as_list()) if request.constraint else None


def _answer(c: Connection, completion: Completion) -> dict[str, Any]:
    """Return the columns of a call that hold its answer."""
    usage = completion.usage
    return {
        "reply_id": intern_message(c, completion.message()),
        "model": redact(completion.model),
        "constraint_applied": completion.constraint_applied,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "cost": usage.cost,
        "reasoning_tokens": usage.reasoning_tokens,
        "usage_estimated": int(usage.estimated),
        "seconds": completion.seconds,
        "mean_logprob": completion.mean_logprob,
        "tokens": completion.tokens or None,
        "finished": now(),
    }
