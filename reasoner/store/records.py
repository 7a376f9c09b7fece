"""Runs, problems and trajectories as rows: opening and resuming a run, opening and closing a trajectory.

A run is named by what it does (`manifest`): the same command finds its run again and goes on with it. Knows rows and process
identities; does not know strategies or clients.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reasoner.errors import StoreError
from reasoner.secrets import redact
from reasoner.store import crash
from reasoner.store.journal import now
from reasoner.types import Problem, Verdict, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.budget import Spent
    from reasoner.store.connection import Connection
    from reasoner.store.database import Store

RunStatus = Literal["running", "interrupted", "finished", "failed"]
TrajectoryStatus = Literal["open", "closed", "exhausted", "failed"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run this process has taken. `resumed` when it existed; `epoch` fences off whoever had it before."""

    id: str
    epoch: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class TrajectoryRow:
    """What identifies one trajectory."""

    id: str
    run_id: str
    problem: Problem
    strategy: str
    params: str
    model: str
    model_fingerprint: str
    sample: int


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


def process_identity() -> str:
    """Return host, pid and start time of this process: a pid alone may be taken over by another program."""
    return f"{socket.gethostname()}|{os.getpid()}|{_start_time(os.getpid())}"


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "?"
    return stat.rpartition(")")[2].split()[19]


def is_alive(owner: str | None) -> bool:
    """Tell whether the process that owns a run is still there. Another host's processes are taken for dead: the file is local."""
    if not owner:
        return False
    host, pid, started = owner.split("|")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return started in {"?", _start_time(int(pid))}


def open_run(store: Store, manifest: Mapping[str, Any], *, command: str, version: str, fresh: bool = False) -> RunRow:
    """Find the run with this manifest and take it, or make one.

    Calls the previous owner had only intended become `unknown`: they may have been processed.

    Raises:
        StoreError: another live process works on the run.
    """
    text = canonical_json(manifest)
    hashed = digest(text)
    me = process_identity()

    def job(c: Connection) -> RunRow:
        found = c.execute(
            "SELECT id, epoch, owner, ordinal FROM runs WHERE manifest_hash = ? ORDER BY ordinal DESC LIMIT 1", (hashed,)
        ).fetchone()
        if found is None or fresh:
            ordinal = 0 if found is None else found[3] + 1
            run_id = digest(hashed, str(ordinal))[:12]
            c.execute(
                "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, owner, epoch, command, version, created, updated)"
                " VALUES (?, ?, ?, ?, 'running', ?, 1, ?, ?, ?, ?)",
                (run_id, redact(text), hashed, ordinal, me, redact(command), version, now(), now()),
            )
            return RunRow(run_id, 1, resumed=False)
        run_id, epoch, owner, _ = found
        if owner != me and is_alive(owner):
            raise StoreError(f"run {run_id} is being worked on by process {owner.split('|')[1]}", hint="wait for it, stop it, or add --new")
        c.execute("UPDATE runs SET epoch = ?, owner = ?, status = 'running', updated = ? WHERE id = ?", (epoch + 1, me, now(), run_id))
        c.execute(
            "UPDATE calls SET state = 'unknown', error = 'the process ended while the call was under way', finished = ?,"
            " reserved_tokens = NULL, reserved_cost = NULL WHERE state = 'intent'"
            " AND trajectory_id IN (SELECT id FROM trajectories WHERE run_id = ?)",
            (now(), run_id),
        )
        return RunRow(run_id, epoch + 1, resumed=True)

    return store.write_now(job)


def close_run(store: Store, run: RunRow, status: RunStatus) -> None:
    """Say how a run ended and give it up; nothing happens when another process has it by now."""
    sql = "UPDATE runs SET status = ?, owner = NULL, updated = ? WHERE id = ? AND epoch = ?"
    store.write_now(lambda c: c.execute(sql, (status, now(), run.id, run.epoch)).rowcount)


def open_trajectory(c: Connection, row: TrajectoryRow) -> None:
    """Insert a problem and an open trajectory, or reopen one that had failed."""
    problem = row.problem
    c.execute(
        "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, ?, ?, ?, ?)",
        (problem.id, problem.solver, problem.instance, problem.line, problem.level),
    )
    c.execute(
        "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?) ON CONFLICT (id) DO UPDATE SET"
        " finished = CASE status WHEN 'failed' THEN NULL ELSE finished END, status = 'open', error = NULL, error_kind = NULL",
        (row.id, row.run_id, problem.id, row.strategy, row.params, redact(row.model), redact(row.model_fingerprint), row.sample, now()),
    )


def close_trajectory(c: Connection, trajectory_id: str, closing: Closing) -> None:
    """Write the answer, the verdict and the totals. A replay leaves the time at which a trajectory was first finished as it is."""
    spent = closing.spent
    c.execute(
        "UPDATE trajectories SET status = ?, answer = ?, answer_thought = ?, error = ?, error_kind = ?, dag_hash = ?, calls = ?,"
        " prompt_tokens = ?, completion_tokens = ?, cached_tokens = ?, seconds = ?, cost = ?, finished = coalesce(finished, ?) WHERE id = ?",
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
            now(),
            trajectory_id,
        ),
    )
    if closing.verdict is not None:
        v = closing.verdict
        c.execute(
            "INSERT OR REPLACE INTO verdicts (trajectory_id, correct, score, reason, unparsed, metrics, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                trajectory_id,
                int(v.correct),
                v.score,
                v.reason,
                int(v.unparsed),
                canonical_json(dict(v.metrics)) if v.metrics else None,
                now(),
            ),
        )
    crash.passing("in_close")
