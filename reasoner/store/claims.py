"""Who works on what: processes as workers with a lease, and trajectories that a worker claims.

Several processes may work on one run. Each trajectory is claimed in a transaction by one of them; `epoch` counts its claims, and
every later write says which claim it belongs to, so a process that only seemed dead (stopped, asleep past its lease) can write nothing
once another has claimed its work. What a dead worker had under way becomes `unknown`: it may have been processed and billed.

    worker = register_worker(c, run_id, lease_s=30)
    claim(c, row, worker) -> Claim(state="ours", epoch=3)

Leases are told by the machine's monotonic clock, which all its processes share and which no change of the date moves. Knows rows and
process identities; does not know strategies or clients.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reasoner.errors import TakenOver
from reasoner.redaction import redact
from reasoner.store.spending import lose
from reasoner.store.times import now

if TYPE_CHECKING:
    from reasoner.store.connection import Connection
    from reasoner.types import Problem

LEASE_S = 30.0
"""How long a worker that says nothing is waited for, in seconds, while its process is there; it says something three times as often."""

POISON_AFTER = 3
"""So many workers may die on a trajectory, with no call of it committed in between, before it is set aside.

Who died with several under way does not tell which of them it was. So the last chance is given to each alone: what dies then is at fault,
and the others come to their end.
"""

SHARED_BUDGET = "RunBudgetExhausted"
"""`error_kind` of trajectories that the run's budget ended; they go on when there is room again."""


def has_ended(status: str, error_kind: str | None, *, failed_too: bool = False) -> bool:
    """Tell whether a trajectory needs no more work.

    One that the budget of its run ended goes on when there is room again; one that failed is tried again, unless `failed_too`.
    """
    return status == "closed" or (status == "exhausted" and error_kind != SHARED_BUDGET) or (failed_too and status == "failed")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process at work on a run."""

    id: str
    run_id: str
    lease_s: float


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
    fork_of: str | None = None
    fork_at: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of an attempt to claim a trajectory.

    `busy`: another worker has it. `ended`: it needs no work. `suspect`: so many workers died while they had it that it may be taken only
    alone. `set aside`: too many did.
    """

    state: Literal["ours", "busy", "ended", "suspect", "set aside"]
    epoch: int = 0


def identity() -> str:
    """Return host, boot and PID namespace, pid and start time of this process, and a random part: a pid alone may be taken over by another program."""
    where = f"{boot()}/{_namespace()}"
    return "|".join((socket.gethostname(), where, str(os.getpid()), _start_time(os.getpid()), secrets.token_hex(4)))


def boot() -> str:
    """Return what tells this start of the machine from others, `?` where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "?"


def _namespace() -> str:
    """Return what tells this PID namespace from others, `?` where nothing does: the same number is another process in another container."""
    try:
        return "".join(filter(str.isdecimal, str(Path("/proc/self/ns/pid").readlink()))) or "?"
    except OSError:
        return "?"


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "?"
    fields = stat.rpartition(")")[2].split()
    return "dead" if fields[0] == "Z" else fields[19]


Presence = Literal["there", "gone", "unseen"]


def presence(owner: str) -> Presence:
    """Tell whether a worker's process is still there, as far as this process can see.

    `unseen`: it runs on this machine in another PID namespace (another container), or under another host name, so that its number says
    nothing here; only its lease does. A worker of another start of the machine is gone: the file is local.
    """
    host, where, pid, started, _ = owner.split("|")
    started_up, _, namespace = where.partition("/")
    here = boot()
    if started_up != here and "?" not in {started_up, here}:
        return "gone"
    if started_up != here or host != socket.gethostname() or namespace != _namespace():
        return "unseen"
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return "gone"
    except PermissionError:
        return "there"
    now_there = _start_time(int(pid))
    return "there" if "?" in {started, now_there} or started == now_there else "gone"


def seen_here(host: str, pid: str, started: str) -> str:
    """Return the identity of a process of a version that told neither boot nor namespace, as if it ran where this one does."""
    return "|".join((host, f"{boot()}/{_namespace()}", pid, started, ""))


def pid_of(owner: str) -> str:
    """Return the process id in a worker's identity."""
    return owner.split("|")[2]


def register_worker(c: Connection, run_id: str, *, lease_s: float) -> Worker:
    """Make this process a worker of a run."""
    worker = Worker(identity(), run_id, lease_s)
    c.execute(
        "INSERT INTO workers (id, run_id, lease_until, created) VALUES (?, ?, ?, ?)", (worker.id, run_id, time.monotonic() + lease_s, now())
    )
    return worker


def renew(c: Connection, worker: Worker) -> bool:
    """Say that a worker is still at work; False when somebody has unregistered it."""
    found = c.execute("UPDATE workers SET lease_until = ? WHERE id = ?", (time.monotonic() + worker.lease_s, worker.id))
    return bool(found.rowcount == 1)


def leave(c: Connection, worker: Worker) -> int:
    """Give up what a worker still has, and strike it off; return how many others are at work on the run.

    Its claims count as given back, not as lost; what it still has under way may have been processed.
    """
    for (trajectory_id,) in c.execute("SELECT id FROM trajectories WHERE run_id = ? AND owner = ?", (worker.run_id, worker.id)).fetchall():
        lose(c, trajectory_id, "the run ended while the call was in flight")
    c.execute("UPDATE trajectories SET owner = NULL WHERE run_id = ? AND owner = ?", (worker.run_id, worker.id))
    c.execute("DELETE FROM workers WHERE id = ?", (worker.id,))
    return len(at_work(c, worker.run_id))


def at_work(c: Connection, run_id: str) -> list[str]:
    """Return the workers of a run that are there."""
    return [owner for (owner,) in c.execute("SELECT id FROM workers WHERE run_id = ?", (run_id,)).fetchall() if not is_free(c, owner)]


def is_free(c: Connection, owner: str | None) -> bool:
    """Tell whether what an owner had may be claimed: there is none, its process has ended, or its lease has run out.

    Where the process cannot be seen from here the lease alone decides.
    """
    if owner is None:
        return True
    row = c.execute("SELECT lease_until FROM workers WHERE id = ?", (owner,)).fetchone()
    return row is None or presence(owner) == "gone" or bool(row[0] < time.monotonic())


def release_dead_workers(c: Connection, run_id: str) -> int:
    """Release what the dead workers of a run held; return how many trajectories that were."""
    owned = c.execute("SELECT DISTINCT owner FROM trajectories WHERE run_id = ? AND owner IS NOT NULL", (run_id,)).fetchall()
    dead = [owner for (owner,) in owned if is_free(c, owner)]
    released = 0
    for owner in dead:
        for (trajectory_id,) in c.execute("SELECT id FROM trajectories WHERE run_id = ? AND owner = ?", (run_id, owner)).fetchall():
            _release(c, trajectory_id)
            released += 1
    for (worker_id,) in c.execute("SELECT id FROM workers WHERE run_id = ?", (run_id,)).fetchall():
        if is_free(c, worker_id):
            c.execute("DELETE FROM workers WHERE id = ?", (worker_id,))
    return released


def _release(c: Connection, trajectory_id: str) -> None:
    """Take a trajectory from a dead worker: fence it off, mark what it had under way, and count the claim unless it got somewhere."""
    lose(c, trajectory_id, "the process ended while the call was in flight")
    c.execute(
        "UPDATE trajectories SET owner = NULL, epoch = epoch + 1,"
        " lost_claims = CASE WHEN (SELECT count(*) FROM calls c WHERE c.trajectory_id = trajectories.id AND c.state = 'done')"
        " > done_at_claim THEN 0 ELSE lost_claims + 1 END WHERE id = ?",
        (trajectory_id,),
    )


def claim(c: Connection, row: TrajectoryRow, worker: Worker, *, recheck: bool = False, alone: bool = False, retry_failed: bool = True, retry_poisoned: bool = False) -> Claim:  # fmt: skip
    """Take a trajectory to work on it, making it where there is none.

    `recheck` takes one that has ended too; `alone` says that the worker has no other under way. `retry_failed` takes one that had failed; `retry_poisoned` one that had been set aside.
    """
    found = c.execute("SELECT status, owner, epoch, lost_claims, error_kind FROM trajectories WHERE id = ?", (row.id,)).fetchone()
    if found is None:
        insert_trajectory(c, row, owner=worker.id, epoch=1)
        return Claim("ours", 1)
    status, owner, epoch, lost, error_kind = found
    if has_ended(status, error_kind, failed_too=not retry_failed) and not recheck:
        return Claim("ended", epoch)
    if not is_free(c, owner):
        return Claim("busy", epoch)
    if owner is not None:
        _release(c, row.id)
        epoch, lost = c.execute("SELECT epoch, lost_claims FROM trajectories WHERE id = ?", (row.id,)).fetchone()
    if lost >= POISON_AFTER and not retry_poisoned:
        c.execute(
            "UPDATE trajectories SET status = 'failed', error_kind = 'WorkerLost', error = ?, finished = coalesce(finished, ?) WHERE id = ?",
            (f"worker_lost: {lost} processes in a row died while they worked on it; `retry_poisoned` tries again", now(), row.id),
        )
        return Claim("set aside", epoch)
    if lost == POISON_AFTER - 1 and not (alone or retry_poisoned):
        return Claim("suspect", epoch)
    lose(c, row.id, "the process ended while the call was in flight")
    c.execute(
        "UPDATE trajectories SET owner = ?, epoch = ?, finished = CASE status WHEN 'failed' THEN NULL ELSE finished END, status = 'open',"
        " error = NULL, error_kind = NULL, lost_claims = ?,"
        " done_at_claim = (SELECT count(*) FROM calls c WHERE c.trajectory_id = trajectories.id AND c.state = 'done') WHERE id = ?",
        (worker.id, epoch + 1, 0 if retry_poisoned else lost, row.id),
    )
    return Claim("ours", epoch + 1)


def insert_trajectory(c: Connection, row: TrajectoryRow, *, owner: str | None, epoch: int) -> None:
    """Insert an open trajectory with its problem; one that is there stays as it is."""
    problem = row.problem
    c.execute(
        "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, ?, ?, ?, ?)",
        (problem.id, problem.solver, problem.instance, problem.line, problem.level),
    )
    c.execute(
        "INSERT OR IGNORE INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, created, owner,"
        " epoch, fork_of, fork_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, ?, ?, ?)",
        (row.id, row.run_id, problem.id, row.strategy, row.params, redact(row.model), redact(row.model_fingerprint), row.sample, now(), owner, epoch,
         row.fork_of, row.fork_at),
    )  # fmt: skip


def check(c: Connection, trajectory_id: str, epoch: int) -> bool:
    """Refuse to write for a claim that is no longer the last one; tell whether the trajectory's run has limits.

    Raises:
        TakenOver: another process has claimed the trajectory since.
    """
    row = c.execute(
        "SELECT t.epoch, r.limits IS NOT NULL FROM trajectories t JOIN runs r ON r.id = t.run_id WHERE t.id = ?", (trajectory_id,)
    ).fetchone()
    if row is None or row[0] != epoch:
        raise taken_over(trajectory_id)
    return bool(row[1])


def taken_over(trajectory_id: str) -> TakenOver:
    """Return the error for a claim that was lost."""
    return TakenOver(
        f"trajectory {trajectory_id} was taken over by another process, which took this one for dead",
        hint="nothing is lost; this process stops, the other continues",
    )
