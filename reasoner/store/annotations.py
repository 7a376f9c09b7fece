"""Annotations: a person's label and note on a trajectory, one of each, changed and removed at will.

    annotate(store, "9f3c...", label="good", note="short, and right for the right reason")
    annotation(store, "9f3c...") -> {"label": "good", "note": "short, ...", "created": "2026-...", "updated": "2026-..."}

They say nothing to a verifier, a table or a rerun; exports can choose by them, and carry them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, UnknownName
from reasoner.redaction import redact
from reasoner.store.times import now
from reasoner.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.store.connection import Connection
    from reasoner.store.database import Store

MAX_LABEL_CHARS = 80
MAX_NOTE_CHARS = 4000


def annotate(store: Store, trajectory_id: str, *, label: str | None = None, note: str | None = None) -> dict[str, Any]:
    """Set the label, the note or both of a trajectory, and return its annotation. None leaves what is there; what looks like a key is taken out.

    Args:
        store: opened for writing.
        trajectory_id: the whole id.
        label: one line of at most 80 characters.
        note: at most 4,000 characters.

    Raises:
        BadConfig: a text is too long, or nothing is left that could be noted.
        UnknownName: there is no such trajectory.
    """
    said = None if label is None else checked_label(label)
    told = None if note is None else _checked_note(note)

    def job(c: Connection) -> None:
        if c.execute("SELECT 1 FROM trajectories WHERE id = ?", (trajectory_id,)).fetchone() is None:
            raise UnknownName("trajectory", trajectory_id, [])
        kept = c.execute("SELECT label, note FROM annotations WHERE trajectory_id = ?", (trajectory_id,)).fetchone() or ("", "")
        made = (kept[0] if said is None else redact(said), kept[1] if told is None else redact(told))
        if not any(made):
            raise BadConfig("an annotation needs a `label` or a `note`", hint="give one of the two, or remove the annotation")
        put_annotation(c, trajectory_id, *made)

    store.write_now(job)
    return annotation(store, trajectory_id) or {}


def put_annotation(c: Connection, trajectory_id: str, label: str, note: str) -> None:
    """Write the annotation of a trajectory, in the place of the one it has."""
    c.execute(
        "INSERT INTO annotations (trajectory_id, label, note, created, updated) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (trajectory_id) DO UPDATE SET label = excluded.label, note = excluded.note, updated = excluded.updated",
        (trajectory_id, label, note, now(), now()),
    )


def remove_annotation(store: Store, trajectory_id: str) -> bool:
    """Remove the annotation of a trajectory; False where it had none."""
    return bool(store.write_now(lambda c: c.execute("DELETE FROM annotations WHERE trajectory_id = ?", (trajectory_id,)).rowcount))


def annotation(store: Store, trajectory_id: str) -> dict[str, Any] | None:
    """Return `label`, `note`, `created` and `updated` of a trajectory's annotation, None where it has none."""
    return store.row("SELECT label, note, created, updated FROM annotations WHERE trajectory_id = ?", (trajectory_id,))


def any_annotation(store: Store) -> bool:
    """Tell whether any trajectory has one."""
    return bool(store.tuples("SELECT 1 FROM annotations LIMIT 1"))


def labels(store: Store, *, limit: int = 50) -> list[str]:
    """Return the labels that are in use, in their order."""
    return [name for (name,) in store.tuples("SELECT DISTINCT label FROM annotations WHERE label <> '' ORDER BY label LIMIT ?", (limit,))]


def checked_label(text: str) -> str:
    """Return a label as it is stored: on one line, without what hides in a text.

    Raises:
        BadConfig: it is too long.
    """
    return _bounded("label", " ".join(clean(text).split()), MAX_LABEL_CHARS)


def _checked_note(text: str) -> str:
    return _bounded("note", clean(text.replace("\r\n", "\n").replace("\r", "\n")).strip(), MAX_NOTE_CHARS)


def _bounded(name: str, text: str, most: int) -> str:
    if len(text) > most:
        raise BadConfig(f"the `{name}` has {len(text):,} characters", hint=f"{most:,} are the most")
    return text


def said_in(lineage: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the label and note that the lineage of an exported row holds, None where it holds none, or none that could be stored."""
    found = lineage.get("annotation")
    label, note = (found.get("label"), found.get("note")) if isinstance(found, dict) else (None, None)
    if not isinstance(label, str) or not isinstance(note, str):
        return None
    try:
        made = checked_label(label), _checked_note(note)
    except BadConfig:
        return None
    return made if any(made) else None
