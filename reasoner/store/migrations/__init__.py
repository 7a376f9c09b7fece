"""Numbered migrations: `m001_initial` and on. A migration that has been released is never edited; a new one is added.

Applied under one `BEGIN IMMEDIATE` lock with the check for what is pending made inside it, so that processes racing to open a
new file do not apply one twice. The applied ones are listed in `_sqlite_migrations` (sqlite-utils' own table).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

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
)

if TYPE_CHECKING:
    from sqlite_utils import Database

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
    )
}
"""All migrations by name, in order."""

MIGRATIONS = Migrations("reasoner")
for _name, _apply in STEPS.items():
    MIGRATIONS(name=_name)(_apply)


def pending(db: Database) -> list[str]:
    """Return the names of the migrations a database still needs, in order."""
    return [migration.name for migration in MIGRATIONS.pending(db)]


def unknown(db: Database) -> list[str]:
    """Return migrations the file has seen that this version does not know: a newer reasoner wrote it."""
    return [migration.name for migration in MIGRATIONS.applied(db) if migration.name not in STEPS]


def migrate(db: Database) -> None:
    """Bring the schema up to date. A file that needs nothing is not written to."""
    if not pending(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        MIGRATIONS.apply(db)
        crash.passing("in_migration")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
