"""Numbered migrations: `m001_initial` and on. A migration that has been released is never edited; a new one is added.

Applied under one `BEGIN IMMEDIATE` lock with the check for what is pending made inside it, so that processes racing to open a
new file do not apply one twice. The applied ones are listed in `_sqlite_migrations` (sqlite-utils' own table).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reasoner.store import crash
from reasoner.store.migrations import (
    m001_initial,
    m002_verdict_metrics,
    m003_durability,
    m010_compact,
    m020_viewer,
    m030_words,
    m040_parts,
    m050_totals,
    m060_application_id,
    m070_judged,
    m080_actions,
    m090_problem_lists,
    m100_annotations,
    m110_edits,
    m120_merged,
    m130_tokens,
)

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

STEPS = {
    module.__name__.rpartition(".")[2]: module.apply
    for module in (
        m001_initial,
        m002_verdict_metrics,
        m003_durability,
        m010_compact,
        m020_viewer,
        m030_words,
        m040_parts,
        m050_totals,
        m060_application_id,
        m070_judged,
        m080_actions,
        m090_problem_lists,
        m100_annotations,
        m110_edits,
        m120_merged,
        m130_tokens,
    )
}
"""All migrations by name, in order."""


@cache
def all_migrations() -> Migrations:
    """Return the migrations as sqlite-utils keeps them; it is loaded only where a file is opened for writing."""
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415

    made = Migrations("reasoner")
    for name, apply in STEPS.items():
        made(name=name)(apply)
    return made


def pending(db: Database) -> list[str]:
    """Return the names of the migrations a database still needs, in order."""
    return [migration.name for migration in all_migrations().pending(db)]


def unknown(db: Database) -> list[str]:
    """Return migrations the file has seen that this version does not know: a newer reasoner wrote it."""
    return [migration.name for migration in all_migrations().applied(db) if migration.name not in STEPS]


def migrate(db: Database) -> None:
    """Bring the schema up to date. A file that needs nothing is not written to."""
    if not pending(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        all_migrations().apply(db)
        crash.passing("in_migration")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
