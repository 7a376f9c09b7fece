"""Keep what was committed to a database whose file was removed, replaced or moved while it was open.

The connection still has the file, though nobody else can reach it; once the process has ended it is gone for good. So a copy is made
beside the place it had.

    rescued = Rescue(connection, Path("t.db")); rescued.save(); rescued.error -> FileGone("... kept in t.db.rescued")
"""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reasoner.errors import FileGone
from reasoner.store.connection import DatabaseError, opened
from reasoner.store.place import LOG

if TYPE_CHECKING:
    from reasoner.store.connection import Connection

MOST_NAMES = 1000


class Rescue:
    """The copy of one lost database, and the error that tells of it."""

    def __init__(self, connection: Connection, path: Path, *, lost: Literal["file", "log"], replaced: bool) -> None:
        self._connection = connection
        self._path = path
        self._lost = lost
        self._replaced = replaced
        self._copy: Path | None = None
        self._failure = ""
        self.saved = False
        """Whether it was tried."""

    def save(self) -> None:
        """Save what is committed by now; a second time brings the copy up to date."""
        self.saved = True
        try:
            if self._lost == "log":
                self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
                return
            self._copy = self._copy or _new_file(self._path)
            with contextlib.closing(opened(self._copy)) as copy:
                self._connection.backup(copy)
        except (DatabaseError, OSError) as error:
            self._failure = str(error)

    @property
    def error(self) -> FileGone:
        """What to tell whoever wrote to the database."""
        if self._lost == "log":
            what, kept = f"the log {self._path}{LOG} of the database was removed while it was in use", f"in {self._path} itself"
            next_step = "give the same command again"
        else:
            how = "replaced by another file" if self._replaced else "removed or moved"
            what, kept = f"the database {self._path} was {how} while it was in use", f"in {self._copy}"
            move = f"mv {shlex.quote(str(self._copy))} {shlex.quote(str(self._path))}"
            next_step = f"put it back ({move}) and give the same command again"
        if self._failure:
            return FileGone(f"{what}, and what was committed could not be saved: {self._failure}", hint="no further call was made")
        return FileGone(f"{what}; what was committed is kept {kept}", hint=f"no further call was made; {next_step}")


def _new_file(path: Path) -> Path:
    """Make an empty file beside a path, under a name that was free.

    Raises:
        OSError: none can be made, neither there nor in the working directory.
    """
    folders = [path.parent, Path.cwd()]
    for folder in folders:
        for number in range(1, MOST_NAMES):
            made = folder / f"{path.name}.rescued{'' if number == 1 else number}"
            try:
                os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            except FileExistsError:
                continue
            except OSError:
                if folder is folders[-1]:
                    raise
                break
            return made
    raise FileExistsError(f"{path}.rescued and {MOST_NAMES} more are taken")
