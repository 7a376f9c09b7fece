"""The seam to shared storage: small files that come into being whole, and names that only one of many can take.

place.create("leases/00003/e0002.json", b"{}")   True for the first who asks, False for all others
"""

from __future__ import annotations

import contextlib
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_READ_BYTES = 1 << 26
"""What is read into memory at once; the files that are, are far smaller."""


class Shared(ABC):
    """A place of files, by names like `segments/00003/x.seg`."""

    place: str
    """What the user calls it."""
    faults: tuple[type[Exception], ...]
    """What it raises when it cannot be used."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in their order; none where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None where there is no such file.

        Raises:
            StoreError: it cannot be read, or is larger than any that is written here.
        """
        data = self.begin_of(name, MAX_READ_BYTES + 1)
        if data is not None and len(data) > MAX_READ_BYTES:
            raise StoreError(f"{self.place}/{name} is larger than {MAX_READ_BYTES} bytes", hint="it was changed by hand; put it back")
        return data

    @abstractmethod
    def begin_of(self, name: str, n_bytes: int) -> bytes | None:
        """Return at most so many bytes of a file, from its beginning; None where there is no such file."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there; False where it is, by whomever."""

    @abstractmethod
    def put(self, name: str, source: Path) -> None:
        """Copy a local file there, whole or not at all, in place of what has the name."""

    @abstractmethod
    def local(self, name: str) -> contextlib.AbstractContextManager[Path | None]:
        """Return a local path at which a file can be read, None where there is no such file."""

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all, in place of what has the name."""
        with tempfile.TemporaryDirectory(prefix="reasoner-") as folder:
            made = Path(folder) / "file"
            made.write_bytes(data)
            self.put(name, made)

    @contextlib.contextmanager
    def told(self, what: str, name: str, *, but: tuple[type[OSError], ...] = ()) -> Iterator[None]:
        """Say of what the storage raises which file could not be read or written; `but` is an answer, not a fault, and passes.

        Raises:
            StoreError: the file cannot be read or written.
        """
        try:
            yield
        except but:
            raise
        except self.faults as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else getattr(error, "message", str(error))
            raise StoreError(
                f"cannot {what} {self.place}/{name}: {said or type(error).__name__}",
                hint="check the shared folder, and that it has room; then go on",
            ) from error
