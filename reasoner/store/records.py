"""Runs and trajectories as rows: opening and resuming a run, closing a trajectory.

A run is named by what it does (`manifest`): the same command finds its run again and goes on with it, or joins it while another process
works on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reasoner.errors import StoreError
from reasoner.redaction import redact
from reasoner.store import claims, crash, spending
from reasoner.store.claims import LEASE_S, Worker
from reasoner.store.times import now
from reasoner.types import Verdict, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reasoner.budget import Limits, Spent
    from reasoner.store.connection import Connection
    from reasoner.store.database import Store

RunStatus = Literal["running", "interrupted", "finished", "exhausted", "failed"]
TrajectoryStatus = Literal["open", "closed", "exhausted", "failed"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run this process works on. `resumed` when it existed; `others` are the processes that work on it too."""

    id: str
    worker: Worker
    resumed: bool
    others: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    """Where a run is new although an unfinished one had the same command: its id, and the parts of the manifest that are not the same."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How a trajectory ended."""

    status: TrajectoryStatus
    spent: Spent
    dag_hash: str
    answer: str | None = None
    answer_thought: str | None = None
    verdict: Verdict | None = None
    error: str | None = None
    error_kind: str | None = None
    at_limit: bool = False
    """Whether the reply that holds the answer ended at the token limit. Not a column: it is read from the reply's call."""


def start_run(store: Store, manifest: Mapping[str, Any], **how: Any) -> RunRow:
    """Find the run with this manifest and join it, or make one; `how` as in `starting`. Blocks until it is committed.

    Raises:
        StoreError: a version of reasoner that cannot share a run is at work on it.
    """
    return store.write_now(starting(manifest, **how))


def starting(
    manifest: Mapping[str, Any],
    *,
    plan: str | None = None,
    limits: Limits | None = None,
    command: str = "",
    version: str = "",
    parent: str | None = None,
    run_id: str | None = None,
    fresh: bool = False,
    lease_s: float = LEASE_S,
) -> Callable[[Connection], RunRow]:
    """Return the job that finds the run with a manifest and joins it, or makes one.

    What dead processes had under way becomes `unknown`, and their reservations are used: the calls may have been processed.

    Args:
        manifest: the run's identity.
        plan: how the run is set up again without its command, as JSON (`reasoner.runs.saved_plan`).
        limits: what the whole run may use; None leaves it as it was.
        command: the command line.
        version: the version of this program.
        parent: the run this one continues or forks.
        run_id: join just this run; its manifest is the one given.
        fresh: start anew even where there is a run with this manifest.
        lease_s: how long this worker is waited for when it says nothing, in seconds.
    """
    text = canonical_json(manifest)
    hashed = digest(text)

    def job(c: Connection) -> RunRow:
        found = c.execute(
            "SELECT id, owner, ordinal FROM runs WHERE manifest_hash = ? AND coalesce(? = id, 1) ORDER BY ordinal DESC LIMIT 1",
            (hashed, run_id),
        ).fetchone()
        differs: tuple[str, ...] = ()
        kept = None if plan is None else redact(plan)
        if found is None or fresh:
            ordinal = 0 if found is None else found[2] + 1
            made = _id_of(hashed, ordinal)
            if found is None and parent is None:
                differs = _differs(c, command, manifest)
            c.execute(
                "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated, plan, parent_run)"
                " VALUES (?, ?, ?, ?, 'running', 0, ?, ?, ?, ?, ?, ?)",
                (made, redact(text), hashed, ordinal, redact(command), version, now(), now(), kept, parent),
            )
        else:
            made = found[0]
            _check_older(found[1], made)
            claims.release_dead_workers(c, made)
        others = tuple(claims.at_work(c, made))
        worker = claims.register_worker(c, made, lease_s=lease_s)
        c.execute(
            "UPDATE runs SET status = 'running', owner = NULL, epoch = epoch + 1, updated = ?, plan = coalesce(plan, ?) WHERE id = ?",
            (now(), kept, made),
        )
        spending.set_limits(c, made, limits)
        return RunRow(made, worker, found is not None and not fresh, others, differs)

    return job


def run_id_of(manifest: Mapping[str, Any]) -> str:
    """Return the id that the first run with a manifest gets, in whatever store."""
    return _id_of(digest(canonical_json(manifest)), 0)


def _id_of(hashed: str, ordinal: int) -> str:
    return digest(hashed, str(ordinal))[:12]


def _check_older(owner: str | None, run_id: str) -> None:
    """Refuse a run that a process of an older version may still write to: it knows nothing of claims."""
    if owner is None or owner.count("|") != 2:
        return
    host, pid, started = owner.split("|")
    if claims.presence(claims.seen_here(host, pid, started)) == "there":
        raise StoreError(f"run {run_id} is being worked on by process {pid} of an older reasoner", hint="wait for it or stop it")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the parts in which two manifests are not the same, with both values.

    >>> differences({"seed": 0, "prompts": {"cot": "a1"}}, {"seed": 1, "prompts": {"cot": "a1"}})
    ('seed (0, now 1)',)
    """
    found: list[str] = []
    for name in sorted({*old, *new}):
        was, now_is = old.get(name), new.get(name)
        if was == now_is:
            continue
        if isinstance(was, dict) and isinstance(now_is, dict):
            keys = sorted(key for key in {*was, *now_is} if was.get(key) != now_is.get(key))
            found.extend(f"{name} {key} ({_short(was.get(key))}, now {_short(now_is.get(key))})" for key in keys)
        elif name == "models" and isinstance(was, list) and isinstance(now_is, list):
            pairs = [(a, b) for a, b in zip(was, now_is, strict=False) if a != b]
            found.extend(f"model {_short(a[0])} (fingerprint {_short(a[1])}, now {_short(b[1])})" for a, b in pairs)
            if len(was) != len(now_is):
                found.append(f"models ({len(was)}, now {len(now_is)})")
        else:
            found.append(f"{name} ({_short(was)}, now {_short(now_is)})")
    return tuple(found)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:18] + "…" + text[-18:]


def _differs(c: Connection, command: str, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the newest unfinished run of the same command, and in what it is another one; empty where there is none."""
    row = None
    if command:
        row = c.execute(
            "SELECT id, manifest FROM runs WHERE command = ? AND status <> 'finished' ORDER BY created DESC LIMIT 1", (command,)
        ).fetchone()
    return () if row is None else (row[0], *differences(json.loads(row[1]), manifest))


def close_run(store: Store, run: RunRow, status: RunStatus) -> None:
    """Say how a run ended, unless others still work on it, and give up what this process has of it."""

    def job(c: Connection) -> None:
        if claims.leave(c, run.worker) == 0:
            c.execute("UPDATE runs SET status = ?, updated = ? WHERE id = ?", (status, now(), run.id))

    store.write_now(job)


def close_trajectory(c: Connection, trajectory_id: str, closing: Closing) -> None:
    """Write the answer, the verdict and the totals, and give the claim back. The time at which it was first finished stays as it is."""
    spent = closing.spent
    c.execute(
        "UPDATE trajectories SET status = ?, answer = ?, answer_thought = ?, error = ?, error_kind = ?, dag_hash = ?, calls = ?,"
        " prompt_tokens = ?, completion_tokens = ?, cached_tokens = ?, seconds = ?, cost = ?, cached_calls = ?, owner = NULL, lost_claims = 0,"
        " finished = CASE ? WHEN 'open' THEN finished ELSE coalesce(finished, ?) END WHERE id = ?",
        (
            closing.status,
            closing.answer,
            closing.answer_thought,
            None if closing.error is None else redact(closing.error),
            closing.error_kind,
            closing.dag_hash,
            spent.calls,
            spent.prompt_tokens,
            spent.completion_tokens,
            spent.cached_tokens,
            spent.seconds,
            spent.cost,
            spent.taken_calls,
            closing.status,
            now(),
            trajectory_id,
        ),
    )
    if closing.verdict is not None:
        v = closing.verdict
        c.execute(
            "INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, metrics, grader, reader, judged_by, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (trajectory_id) DO UPDATE SET correct = excluded.correct, score = excluded.score, reason = excluded.reason,"
            " unparsed = excluded.unparsed, metrics = excluded.metrics, grader = excluded.grader, reader = excluded.reader,"
            " judged_by = excluded.judged_by, created = excluded.created",
            (
                trajectory_id,
                None if v.correct is None else int(v.correct),
                v.score,
                v.reason,
                int(v.unparsed),
                canonical_json(dict(v.metrics)) if v.metrics else None,
                v.grader,
                v.reader,
                v.judged_by,
                now(),
            ),
        )
    crash.passing("in_close")
