"""Write a file atomically: a reader sees the whole of it or what was there before, and a process killed in the middle leaves nothing behind.

On Linux the file has no name until it is whole (`O_TMPFILE`); elsewhere it has a hidden one, which a kill may leave. Behind a link the file it leads to is
replaced, not the link. A device or a pipe (`/dev/null`, `/dev/stdout`) is written into once everything is there, and never replaced.

    write_text(Path("report.html"), text)
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from reasoner.errors import DataError
from reasoner.files.devices import in_place
from reasoner.files.signatures import CORPUS, DATABASE, MODEL

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping


KEPT: Mapping[bytes, str] = {DATABASE: "a database", MODEL: "a model or an adapter", CORPUS: "a corpus"}
"""How files begin that are never replaced by a file of another kind: a slip of the keyboard must not cost what a run has paid for."""


class Target:
    """A file that comes into being when it is committed. `over` is the kind of file (see `KEPT`) that it may replace beside all others.

    Raises:
        DataError: the name is that of a folder, a disk, a socket or such a file, or the file cannot be written.
    """

    def __init__(self, path: Path, *, over: Container[bytes] = ()) -> None:
        self.path = writable(path, over=over)
        self._name: str | None = None
        try:
            self._in_place = in_place(path)
            self._place = path if self._in_place else Path(os.path.realpath(path))
            self.file: IO[bytes] = self._open()
        except OSError as error:
            raise cannot(path, error) from error

    def _open(self) -> IO[bytes]:
        if self._in_place:
            return tempfile.TemporaryFile()
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.fdopen(os.open(self._place.parent, os.O_TMPFILE | os.O_RDWR, 0o644), "w+b")
            except OSError:
                if not self._place.parent.is_dir():
                    raise
                # A file system without nameless files: one with a hidden name does.
        handle, self._name = tempfile.mkstemp(dir=self._place.parent, prefix=f".{self._place.name}.", suffix=".part")
        os.fchmod(handle, 0o644)
        return os.fdopen(handle, "w+b")

    def sync(self) -> None:
        """Bring everything to the disk."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise cannot(self.path, error) from error

    def commit(self) -> None:
        """Give the file its name, in place of what had it; what is no file gets its bytes."""
        self.sync()
        try:
            if self._in_place:
                self._pour()
                return
            if self._name is None:
                self._name = self._link()
            Path(self._name).replace(self._place)
            self._name = None
            parent = os.open(self._place.parent, os.O_RDONLY)
            try:
                os.fsync(parent)  # the name too
            finally:
                os.close(parent)
        except OSError as error:
            raise cannot(self.path, error) from error

    def _pour(self) -> None:
        self.file.seek(0)
        with self._place.open("wb") as device:
            shutil.copyfileobj(self.file, device, 1 << 20)

    def _link(self) -> str:
        name = str(self._place.with_name(f".{self._place.name}.{os.getpid()}.part"))
        Path(name).unlink(missing_ok=True)
        own = os.open("/proc/self/fd", os.O_RDONLY)
        try:
            os.link(str(self.file.fileno()), name, src_dir_fd=own, follow_symlinks=True)
        finally:
            os.close(own)
        return name

    def close(self) -> None:
        """Close it; what was not committed is gone."""
        self.file.close()
        if self._name is not None:
            Path(self._name).unlink(missing_ok=True)
            self._name = None


def writable(path: Path, *, over: Container[bytes] = ()) -> Path:
    """Return the path if a file can have it: not `.`, `..`, `/` and what else is a folder, and no database, model or corpus but those of `over`.

    Raises:
        DataError: it is a folder's, or that of a file which would be lost.
    """
    if path.name in {"", ".."} or os.path.isdir(path):  # noqa: PTH112 - a name too long for the system is no error here
        raise DataError(f"cannot write {path}: it is a folder", hint=f"name a file, {path / 'NAME'} for example")
    lost = kept(path)
    if lost and lost not in over:
        raise DataError(f"cannot write {path}: it is {KEPT[lost]}, which would be lost", hint="name another file")
    return path


_databases: dict[tuple[int, int], int] = {}
"""Descriptors of databases that were looked at, by device and inode."""


def kept(path: Path) -> bytes:
    """Return how the file begins that has the name now, where it is one of `KEPT`; empty where it is none, or cannot be read.

    A database stays open: closing it would end the locks that SQLite has on it in this process.
    """
    try:
        there = os.stat(path)  # noqa: PTH116 - a name too long for the system is no error here
        place = there.st_dev, there.st_ino
        if not stat.S_ISREG(there.st_mode):
            return b""
        if place in _databases:
            return DATABASE
        handle = os.open(path, os.O_RDONLY)
        head = os.read(handle, 16)
    except (OSError, ValueError):
        return b""
    if head == DATABASE:
        _databases[place] = handle
    else:
        os.close(handle)
    return next((each for each in KEPT if head.startswith(each)), b"")


def replaceable(path: Path, *, over: Container[bytes] = ()) -> Path:
    """Return the path that a file can be put at, links followed, by those who need a file there; for `over` see `Target`.

    Raises:
        DataError: it is a folder's, a device's or a pipe's, or that of a file which would be lost.
    """
    try:
        is_no_file = in_place(writable(path, over=over))
    except OSError as error:
        raise cannot(path, error) from error
    if is_no_file:
        raise cannot(path, OSError(errno.ENODEV, "it is a device or a pipe"))
    return Path(os.path.realpath(path))


@contextmanager
def folders(path: Path) -> Iterator[None]:
    """Make a folder and those above it; what was made and is empty at the end is removed.

    Raises:
        DataError: it cannot be made.
    """
    made = [folder for folder in (path, *path.parents) if not os.path.exists(folder)]  # noqa: PTH110 - as in `writable`
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot(path, error) from error
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; half of a surrogate pair, which UTF-8 cannot hold, becomes a question mark.

    Raises:
        DataError: the name is that of a folder, or the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        DataError: the name is that of a folder, or the file cannot be written.
    """
    target = Target(path)
    try:
        try:
            target.file.write(data)
        except OSError as error:
            raise cannot(path, error) from error
        target.commit()
    finally:
        target.close()


def cannot(path: Path, error: OSError) -> DataError:
    """Return what is raised when the system refuses to write `path`."""
    return DataError(f"cannot write {path}: {error.strerror or error}", hint="name a writable file with room on its disk")
