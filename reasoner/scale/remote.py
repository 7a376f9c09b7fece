"""A shared folder behind a URL, through fsspec: S3, GCS, Azure and their kin, where each file is written whole or not at all.

    Remote("s3://bucket/run-7")

Whether a name can be taken by one alone is up to the store: S3, GCS and `memory` do it; where a store cannot, let a coordinator grant the leases.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, MissingDependency
from reasoner.scale.storage import Shared

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = (OSError, ValueError, RuntimeError)
"""What file systems of fsspec raise."""


class Remote(Shared):
    """A place that fsspec opens."""

    faults = FAULTS

    def __init__(self, url: str) -> None:
        if importlib.util.find_spec("fsspec") is None:
            raise MissingDependency(f"fsspec, which opens {url},", extra="shared")
        fsspec: Any = importlib.import_module("fsspec")
        self.place = url.rstrip("/")
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.place)
        except ImportError as error:
            raise BadConfig(
                f"{url} cannot be opened: {error}", hint="install that package too (s3fs for s3://, gcsfs for gs://)"
            ) from error
        except FAULTS as error:
            raise BadConfig(f"{url} cannot be opened: {error}", hint="name a folder, or a URL that fsspec knows") from error

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def names(self, folder: str) -> list[str]:
        """List a folder, as it is now."""
        try:
            with self.told("list", folder, but=(FileNotFoundError,)):
                self._files.invalidate_cache()
                found = self._files.ls(self._at(folder), detail=True)
        except FileNotFoundError:
            return []
        names = [str(entry["name"]).rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "file"]
        return sorted(name for name in names if name and not name.startswith("."))

    def begin_of(self, name: str, n_bytes: int) -> bytes | None:
        """Read a file."""
        try:
            with self.told("read", name, but=(FileNotFoundError,)):
                found: bytes = self._files.cat_file(self._at(name), end=n_bytes)
        except FileNotFoundError:
            return None
        return found

    def create(self, name: str, data: bytes) -> bool:
        """Have the store refuse a name that is taken."""
        try:
            with self.told("write", name, but=(FileExistsError,)):
                self._made(name)
                self._files.pipe_file(self._at(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def put(self, name: str, source: Path) -> None:
        """Send a file: a store of objects shows it once it is whole."""
        with self.told("write", name):
            self._made(name)
            self._files.put_file(str(source), self._at(name))

    def _made(self, name: str) -> None:
        """Make the folder, where the store has folders."""
        with contextlib.suppress(FileExistsError, NotImplementedError):
            self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path | None]:
        """Fetch a file to the temporary folder, for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="reasoner-") as folder:
            fetched = Path(folder) / "file"
            try:
                with self.told("read", name, but=(FileNotFoundError,)):
                    self._files.get_file(self._at(name), str(fetched))
            except FileNotFoundError:
                yield None
                return
            yield fetched
