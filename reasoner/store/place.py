"""The file behind a database's path: its kind, its names, and whether it is still the one that was opened.

SQLite keeps its log (`-wal`) beside the file, under the file's name. So a file with a second name, or one that is mounted alone, has a log
that others do not see; and a file that is removed or replaced while it is open takes what is written to it out of everybody's sight.

    check_place(Path("trajectories.db"))       raises StoreError for a FIFO, a device, a hard link, a mounted file
    Watch(Path("trajectories.db")).lost()      None, "file" or "log"

Knows the file system; does not know SQL.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from reasoner.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG, SHARED_MEMORY, JOURNAL = "-wal", "-shm", "-journal"
"""What SQLite keeps beside a database, by what it adds to its name."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def beside(path: Path, part: str) -> Path:
    """Return the name of a part (`-wal`, `-shm`, `-journal`) of a database; symbolic links are followed, as SQLite does."""
    return Path(os.path.realpath(path) + part)


def check_place(path: Path) -> None:
    """Refuse a path at which no database can be kept.

    Raises:
        StoreError: it is no regular file, has several names, or is mounted alone.
    """
    found = path.stat()
    if (kind := next((name for test, name in _KINDS if test(found.st_mode)), None)) is not None:
        raise StoreError(f"cannot open the database {path}: it is {kind}", hint="name a regular file with `db` or REASONER_DB")
    if found.st_nlink > 1:
        raise StoreError(
            f"the database {path} has {found.st_nlink} names (hard links), and SQLite keeps its log beside one of them: what is written"
            " under one name may be missing under another",
            hint="copy the file (cp) and use the copy, or remove the other names; to share it, share its folder",
        )
    if os.path.realpath(path) in _mount_points():
        raise StoreError(
            f"the database {path} is mounted alone, so that its log ({path.name}{LOG}) would stay behind and be lost",
            hint="mount the folder it stands in, not the file",
        )


def _mount_points() -> frozenset[str]:
    """Return what is mounted where, as this process sees it; empty where the system does not say. Source: proc(5), mountinfo."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    fields = [line.split(" ") for line in lines]
    return frozenset(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), each[4]) for each in fields if len(each) > 4)


def file_system(path: Path) -> str:
    """Return the kind of file system a path is on (`ext4`, `nfs4`), empty where the system does not say. Source: proc(5), mountinfo."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        number = path.stat().st_dev
    except OSError:
        return ""
    device = f"{os.major(number)}:{os.minor(number)}"
    found = [line.partition(" - ")[2].split(" ")[0] for line in lines if line.split(" ")[2:3] == [device]]
    return found[-1] if found else ""


@contextlib.contextmanager
def creating(path: Path) -> Iterator[None]:
    """Hold off other processes that would make a file in the same folder, where the file system has locks."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def remove_leftovers(path: Path) -> None:
    """Remove log and shared memory of a database that is no longer there, so that a new one of its name does not take them for its own."""
    for part in (LOG, SHARED_MEMORY, JOURNAL):
        beside(path, part).unlink(missing_ok=True)


class Identity(NamedTuple):
    """What tells a file from every other file that exists."""

    device: int
    inode: int


def identity(path: Path) -> Identity | None:
    """Return the identity of the file that has a name now, None where none has.

    Raises:
        OSError: it cannot be told.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity(found.st_dev, found.st_ino)


class Watch:
    """Tells whether a database and its log are still those that were there when it was made, with the database open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = beside(path, LOG)
        self._memory = beside(path, SHARED_MEMORY)
        self._opened = {place: identity(place) for place in (self._path, self._log, self._memory)}

    def lost(self) -> Literal["file", "log"] | None:
        """Return what is no longer there; None where both are, or where the system does not say."""
        try:
            if identity(self._path) != self._opened[self._path]:
                return "file"
            if self._opened[self._log] is not None and identity(self._log) != self._opened[self._log]:
                return "log"
        except OSError:
            return None
        return None

    def replaced(self) -> bool:
        """Tell whether another file has the name by now."""
        with contextlib.suppress(OSError):
            return identity(self._path) is not None
        return False

    def disown(self) -> None:
        """Remove the names of the log and the shared memory, where they still are ours: a file put in our place must not take them for its own."""
        for place in (self._log, self._memory):
            with contextlib.suppress(OSError):
                if self._opened[place] is not None and identity(place) == self._opened[place]:
                    place.unlink()
