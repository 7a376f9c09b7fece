"""Write a file atomically: a reader sees the whole of it or what was there before, and a process killed in the middle leaves nothing behind.

On Linux the file has no name until it is whole (`O_TMPFILE`); elsewhere it has a hidden one, which a kill may leave.

    write_text(Path("report.html"), text)
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from reasoner.errors import DataError


class Target:
    """A file that comes into being when it is committed.

    Raises:
        DataError: the name is that of a folder, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = writable(path)
        self._name: str | None = None
        try:
            self.file: IO[bytes] = self._open()
        except OSError as error:
            raise cannot(path, error) from error

    def _open(self) -> IO[bytes]:
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.fdopen(os.open(self.path.parent, os.O_TMPFILE | os.O_RDWR, 0o644), "w+b")
            except OSError:
                if not self.path.parent.is_dir():
                    raise
                # A file system without nameless files: one with a hidden name does.
        handle, self._name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".part")
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
        """Give the file its name, in place of what had it."""
        self.sync()
        try:
            if self._name is None:
                self._name = self._link()
            Path(self._name).replace(self.path)
            self._name = None
            parent = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(parent)  # the name too
            finally:
                os.close(parent)
        except OSError as error:
            raise cannot(self.path, error) from error

    def _link(self) -> str:
        name = str(self.path.with_name(f".{self.path.name}.{os.getpid()}.part"))
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


def writable(path: Path) -> Path:
    """Return the path if a file can have it; `.`, `..`, `/` and whatever else is a folder cannot be written to.

    Raises:
        DataError: it is a folder's.
    """
    if path.name in {"", ".."} or os.path.isdir(path):  # noqa: PTH112 - a name too long for the system is no error here
        raise DataError(f"cannot write {path}: it is a folder", hint=f"name a file, {path / 'NAME'} for example")
    return path


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
