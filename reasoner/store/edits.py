"""Edits: what a person made of a trajectory's answer, one text of each trajectory, changed and removed at will.

    put_edit(store, "9f3c...", "L cian cor.")
    edit(store, "9f3c...") -> "L cian cor."
    edited(store, "3f0c...") -> the edited trajectories of a run, with their problems

An edit that is the same as the answer says that the answer is right. Verdicts, tables and reruns do not look at edits. Knows texts; does not know
what they answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, UnknownName
from reasoner.store.times import now
from reasoner.text import clean

if TYPE_CHECKING:
    from reasoner.store.connection import Connection
    from reasoner.store.database import Store

MAX_EDIT_CHARS = 40_000
NOTED = ("cover", "memory", "glossary")
"""Last words of the roles of thoughts that say what was looked up."""


def put_edit(store: Store, trajectory_id: str, text: str) -> str:
    """Write the edit of a trajectory, in the place of the one it has; return it as it is stored, on one line.

    Raises:
        BadConfig: the text is empty or too long.
        UnknownName: there is no such trajectory.
    """
    said = checked_edit(text)

    def job(c: Connection) -> None:
        if c.execute("SELECT 1 FROM trajectories WHERE id = ?", (trajectory_id,)).fetchone() is None:
            raise UnknownName("trajectory", trajectory_id, [])
        c.execute(
            "INSERT INTO edits (trajectory_id, text, created, updated) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (trajectory_id) DO UPDATE SET text = excluded.text, updated = excluded.updated WHERE text <> excluded.text",
            (trajectory_id, said, now(), now()),
        )

    store.write_now(job)
    return said


def remove_edit(store: Store, trajectory_id: str) -> bool:
    """Remove the edit of a trajectory; False where it had none."""
    return bool(store.write_now(lambda c: c.execute("DELETE FROM edits WHERE trajectory_id = ?", (trajectory_id,)).rowcount))


def edit(store: Store, trajectory_id: str) -> str | None:
    """Return the edit of a trajectory, None where it has none."""
    found = store.tuples("SELECT text FROM edits WHERE trajectory_id = ?", (trajectory_id,))
    return found[0][0] if found else None


def any_edit(store: Store) -> bool:
    """Tell whether any trajectory has one."""
    return bool(store.tuples("SELECT 1 FROM edits LIMIT 1"))


def checked_edit(text: str) -> str:
    """Return an edit as it is stored: on one line, without what hides in a text.

    Raises:
        BadConfig: nothing is left of it, or it is too long.
    """
    said = " ".join(clean(text).split())
    if not said:
        raise BadConfig("an edit has a text", hint="give one, or remove the edit")
    if len(said) > MAX_EDIT_CHARS:
        raise BadConfig(f"the edit has {len(said):,} characters", hint=f"{MAX_EDIT_CHARS:,} are the most")
    return said


def solved(store: Store, run_id: str, family: str, *, edited: bool = False, trajectory: str = "") -> list[dict[str, Any]]:
    """Return the trajectories of a run on one solver family: problem, answer, measures and edit, in the order they were opened.

    All that have ended; with `edited` those that have an edit, with `trajectory` only this one.
    """
    also = f"{' AND e.text IS NOT NULL' if edited else ''}{' AND t.id = ?' if trajectory else ''}"
    return store.rows(
        "SELECT t.id, t.strategy, t.status, t.answer, t.error, p.instance, v.metrics, e.text AS edit"  # noqa: S608 - a constant is joined
        " FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id"
        " LEFT JOIN edits e ON e.trajectory_id = t.id"
        " WHERE t.run_id = ? AND t.status <> 'open' AND (p.solver = ? OR substr(p.solver, 1, length(?) + 1) = ? || ':')"
        f"{also} ORDER BY t.rowid",
        (run_id, family, family, family, *([trajectory] if trajectory else [])),
    )


def lookups(store: Store, run_id: str) -> list[tuple[str, str, str]]:
    """Return (trajectory, what, state as JSON) of what was looked up for the trajectories of a run; `what` is one of `NOTED`."""
    ends = " OR ".join(f"h.role LIKE '%/{what}'" for what in NOTED)
    rows = store.tuples(
        "SELECT h.trajectory_id, h.role, h.state FROM thoughts h JOIN trajectories t ON t.id = h.trajectory_id"  # noqa: S608 - constants are joined
        f" WHERE t.run_id = ? AND h.state IS NOT NULL AND ({ends}) ORDER BY h.rowid",
        (run_id,),
    )
    return [(name, role.rpartition("/")[2], state) for name, role, state in rows]


def latest_run(store: Store, family: str) -> str | None:
    """Return the newest run on a solver family, None where there is none."""
    found = store.tuples(
        "SELECT t.run_id FROM trajectories t JOIN problems p ON p.id = t.problem_id"
        " WHERE p.solver = ? OR substr(p.solver, 1, length(?) + 1) = ? || ':' ORDER BY t.rowid DESC LIMIT 1",
        (family, family, family),
    )
    return found[0][0] if found else None
