"""The folder that all machines of a run see: small files that come into being whole, and names that only one of many can take.

    place = shared("/mnt/team/run-7")         a folder, also of a network file system
    place = shared("s3://bucket/run-7")       whatever fsspec opens (extra 'ray')

    place.create("leases/00003/e0002.json", b"{}")   True for the first who asks, False for all others

No database is ever opened there: SQLite's locks do not hold on network file systems.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError, ReasonerError
from reasoner.files.target import KEPT, Target
from reasoner.scale.storage import Shared

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_THERE = (FileNotFoundError, NotADirectoryError)
_URL = re.compile(r"[a-z][a-z0-9+.-]+://")


class Folder(Shared):
    """A folder of this machine, or of a file system that is mounted on it."""

    faults = (OSError, DataError)

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._folder = folder

    def names(self, folder: str) -> list[str]:
        """List a folder; hidden files, which are copies under way, are left out."""
        try:
            with self.told("list", folder, but=NOT_THERE):
                return sorted(entry.name for entry in os.scandir(self._folder / folder) if entry.name[0] != "." and entry.is_file())
        except NOT_THERE:
            return []

    def begin_of(self, name: str, n_bytes: int) -> bytes | None:
        """Read a file."""
        try:
            with self.told("read", name, but=NOT_THERE), (self._folder / name).open("rb") as file:
                return file.read(n_bytes)
        except NOT_THERE:
            return None

    def create(self, name: str, data: bytes) -> bool:
        """Write a hidden file, and give it the name by a link, which fails where the name is taken, also over NFS."""
        with self.told("write", name):
            path = self._made(name)
            handle, hidden = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    os.fchmod(file.fileno(), 0o644)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(hidden, path)
            except FileExistsError:
                return False
            finally:
                Path(hidden).unlink(missing_ok=True)
        return True

    def put(self, name: str, source: Path) -> None:
        """Copy to a file without a name, sync it, and give it the name."""
        with self.told("write", name), source.open("rb") as file, contextlib.closing(Target(self._made(name), over=KEPT)) as target:
            shutil.copyfileobj(file, target.file, 1 << 20)
            target.commit()

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path | None]:
        """Return the file itself."""
        path = self._folder / name
        with self.told("read", name):
            there = path.is_file()
        yield path if there else None

    def _made(self, name: str) -> Path:
        """Make the folder of a file."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def shared(place: str | Path | Shared) -> Shared:
    """Return the shared folder of a path or URL.

    Raises:
        MissingDependency: it is a URL, and fsspec or what it needs for it is not installed.
        BadConfig: the URL cannot be used.
    """
    if isinstance(place, Shared):
        return place
    text = str(place)
    if not _URL.match(text):
        if "\0" in text or not text:
            raise BadConfig(f"{text!r} is no name of a folder", hint="name the shared folder of the run")
        return Folder(Path(text))
    from reasoner.scale.remote import Remote  # noqa: PLC0415 - only where there is a URL

    return Remote(text)


def is_sharded(place: str | Path) -> bool:
    """Tell whether a path or URL is the shared folder of a run that was cut into shards."""
    if _URL.match(str(place)):
        return True
    with contextlib.suppress(ReasonerError, OSError, ValueError):
        return (Path(place) / "run.json").is_file()
    return False


__all__ = ["Folder", "Shared", "is_sharded", "shared"]
