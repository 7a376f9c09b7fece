"""What a whole run has spent, and whether a further call fits: asked and booked inside the transaction of the call itself.

A run's limits stand in its row, so that all its processes are held to the same ones. Every write transaction is `BEGIN IMMEDIATE`, so
between the question whether a call fits and the row that reserves it no other process can come: what is settled and what is reserved
together never pass a limit. What is reserved is read from the calls under way themselves; there is no counter that could leak.

    room(c, run_id, tokens=900, cost=0.002) -> True, or False when there will be room only if calls under way use less than reserved

Books are kept for runs that have limits; `recount` makes them from the calls when a run gets its first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import RunBudgetExhausted
from reasoner.store.times import now

if TYPE_CHECKING:
    from reasoner.budget import Limits
    from reasoner.store.connection import Connection

ROUNDING = 1 + 1e-12
"""Sums of many small amounts differ in the last digits by their order; a limit is not passed by that."""

_HELD = """
SELECT count(*), coalesce(sum(c.reserved_tokens), 0), coalesce(sum(c.reserved_cost), 0)
FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE c.state = 'intent' AND t.run_id = ?
"""

_USED = """
SELECT coalesce(sum((c.state = 'done' AND c.cached_from IS NULL) + c.lost_calls), 0),
       coalesce(sum(CASE WHEN c.state = 'done' AND c.cached_from IS NULL THEN c.prompt_tokens + c.completion_tokens ELSE 0 END + c.lost_tokens), 0),
       coalesce(sum(coalesce(c.seconds, 0)), 0.0),
       coalesce(sum(CASE WHEN c.state = 'done' THEN coalesce(c.cost, 0) ELSE 0 END + coalesce(c.lost_cost, 0)), 0.0)
FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE t.run_id = ?
"""


def set_limits(c: Connection, run_id: str, limits: Limits | None) -> None:
    """Hold a run to limits from now on; what they leave open stays as it was, and so does everything where there are none."""
    (stored,) = c.execute("SELECT limits FROM runs WHERE id = ?", (run_id,)).fetchone()
    given = limits.model_dump(mode="json", exclude_none=True) if limits else {}
    if given:
        c.execute("UPDATE runs SET limits = ? WHERE id = ?", (json.dumps({**json.loads(stored or "{}"), **given}, sort_keys=True), run_id))
    if given or stored:
        recount(c, run_id)


def limits_of(c: Connection, run_id: str) -> Limits | None:
    """Return the limits a run is held to, None where it has none."""
    (stored,) = c.execute("SELECT limits FROM runs WHERE id = ?", (run_id,)).fetchone()
    if not stored:
        return None
    from reasoner.budget import Limits  # noqa: PLC0415 - pydantic builds its models, and who only looks at a store has no use for them

    return Limits.model_validate_json(stored)


def used(c: Connection, run_id: str) -> tuple[int, int, float, float]:
    """Count what a run has used from its calls: calls, tokens, seconds, dollars. A lost call counts with its worst case."""
    found: Any = c.execute(_USED, (run_id,)).fetchone()
    return int(found[0]), int(found[1]), float(found[2]), float(found[3])


def recount(c: Connection, run_id: str) -> None:
    """Make a run's books from its calls."""
    c.execute("UPDATE runs SET used_calls = ?, used_tokens = ?, used_seconds = ?, used_cost = ? WHERE id = ?", (*used(c, run_id), run_id))


def room(c: Connection, run_id: str, *, tokens: int, cost: float | None) -> bool:
    """Tell whether a call fits in what is left of a run's limits. A cost of None (no price is known) counts as none.

    False means: not now, but it will if the calls under way use less than what is reserved for them.

    Raises:
        RunBudgetExhausted: it fits in no case.
    """
    limits = limits_of(c, run_id)
    if limits is None:
        return True
    row = c.execute("SELECT used_calls, used_tokens, used_seconds, used_cost FROM runs WHERE id = ?", (run_id,)).fetchone()
    held = c.execute(_HELD, (run_id,)).fetchone()
    again = f"raise --run-max-{{}} and give the command again, or 'reasoner resume {run_id} --run-max-{{}} N'"
    if limits.seconds is not None and row[2] >= limits.seconds:
        raise RunBudgetExhausted(
            f"the run's budget of {limits.seconds:g} s of calls is used up ({row[2]:.1f} s spent)", hint=again.format("seconds", "seconds")
        )
    if limits.calls is not None and row[0] + 1 > limits.calls:
        raise RunBudgetExhausted(f"the run's budget of {limits.calls} calls is used up", hint=again.format("calls", "calls"))
    if limits.tokens is not None and row[1] + tokens > limits.tokens:
        raise RunBudgetExhausted(
            f"the next call may bring the run to {row[1] + tokens} tokens, over its budget of {limits.tokens}",
            hint=again.format("tokens", "tokens"),
        )
    price = cost or 0.0
    if limits.cost is not None and row[3] + price > limits.cost * ROUNDING:
        raise RunBudgetExhausted(
            f"the next call may bring the run to ${row[3] + price:.4f}, over its budget of ${limits.cost:.4f}",
            hint=again.format("cost", "cost"),
        )
    return (
        (limits.calls is None or row[0] + held[0] + 1 <= limits.calls)
        and (limits.tokens is None or row[1] + held[1] + tokens <= limits.tokens)
        and (limits.cost is None or row[3] + held[2] + price <= limits.cost * ROUNDING)
    )


def no_room(run_id: str) -> RunBudgetExhausted:
    """Return the error for a further attempt that does not fit beside what is reserved."""
    return RunBudgetExhausted(
        "an attempt may have been billed, and the run's budget has no room for a further one",
        hint=f"raise its --run-max- options: 'reasoner resume {run_id} --run-max-cost N', for example",
    )


def book(c: Connection, trajectory_id: str, *, calls: int, tokens: int, seconds: float, cost: float | None) -> None:
    """Add to the books of a trajectory's run, where it has limits."""
    # Asked first, in the same transaction: where there are no limits a read costs half of what an update that changes nothing does.
    limited = c.execute(
        "SELECT r.id FROM trajectories t JOIN runs r ON r.id = t.run_id WHERE t.id = ? AND r.limits IS NOT NULL", (trajectory_id,)
    ).fetchone()
    if limited is None:
        return
    c.execute(
        "UPDATE runs SET used_calls = used_calls + ?, used_tokens = used_tokens + ?, used_seconds = used_seconds + ?, used_cost = used_cost + ?"
        " WHERE id = ?",
        (calls, tokens, seconds, cost or 0.0, limited[0]),
    )


def lose(c: Connection, trajectory_id: str, error: str) -> None:
    """Mark what a trajectory has under way as `unknown`, actions too; what was reserved for calls counts as used, since it may have been billed."""
    c.execute(
        "UPDATE actions SET state = 'unknown', error = ?, finished = ? WHERE trajectory_id = ? AND state = 'intent'",
        (error, now(), trajectory_id),
    )
    rows = c.execute(
        "SELECT id, reserved_tokens, reserved_cost FROM calls WHERE trajectory_id = ? AND state = 'intent'", (trajectory_id,)
    ).fetchall()
    for call_id, tokens, cost in rows:
        c.execute(
            "UPDATE calls SET state = 'unknown', error = ?, finished = ?, lost_calls = lost_calls + 1, lost_tokens = lost_tokens + ?,"
            " lost_cost = CASE WHEN ? IS NULL THEN lost_cost ELSE coalesce(lost_cost, 0) + ? END, reserved_tokens = NULL, reserved_cost = NULL"
            " WHERE id = ?",
            (error, now(), tokens or 0, cost, cost, call_id),
        )
        book(c, trajectory_id, calls=1, tokens=tokens or 0, seconds=0.0, cost=cost)
