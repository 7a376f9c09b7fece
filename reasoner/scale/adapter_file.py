"""The adapter of a run's local models, in the shared folder beside the manifests: it was trained on one machine, and all of them need it.

    send(place, Path("loop/round-1/adapter.gguf"), manifest)      files/9f86d081…/adapter.gguf
    fetch(place, head, Path("/scratch/3f0c…/00003"))              Path("/scratch/3f0c…/00003/adapter/adapter.gguf")

It has its hash for a folder, so that what was torn is noticed, and its own name in it, which is a part of the model's name.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.errors import DataError, StoreError
from reasoner.files.signatures import MODEL
from reasoner.files.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.scale.manifest import Head
    from reasoner.scale.storage import Shared

_SHA256 = re.compile(r"[0-9a-f]{64}")


def send(place: Shared, adapter: Path | str | None, manifest: Mapping[str, Any]) -> None:
    """Put the adapter that a run's models are opened with into the shared folder, unless it is there, whole. A run without one sends nothing.

    Raises:
        BadConfig: it cannot be read.
        StoreError: the shared folder cannot be used.
    """
    if adapter is None or (sha256 := _sha256(manifest, Path(adapter).name)) is None:
        return
    name = _name(sha256, Path(adapter).name)
    with place.local(name) as there:
        if there is not None and file_sha256(there, remember=False) == sha256:
            return
    place.put(name, Path(adapter).expanduser())


def fetch(place: Shared, head: Head, folder: Path) -> Path | None:
    """Return the adapter of a run as a file in a local folder; None where the run has none, or where each machine has its own.

    Raises:
        DataError: what the shared folder holds is not what was sent.
        StoreError: it cannot be read, or not be written here.
    """
    said = head.plan.get("options", {}).get("adapter")
    name = Path(said).name if isinstance(said, str) else ""
    if (sha256 := _sha256(head.manifest, name)) is None:
        return None
    own = folder / "adapter" / name
    if own.is_file() and file_sha256(own) == sha256:
        return own
    with place.local(_name(sha256, name)) as there:
        if there is None:
            return None
        if file_sha256(there, remember=False) != sha256:
            raise DataError(
                f"{place.place}/{_name(sha256, name)} is not what was put there", hint="give the command that cut the run again"
            )
        try:
            own.parent.mkdir(parents=True, exist_ok=True)
            with there.open("rb") as file, contextlib.closing(Target(own, over=(MODEL,))) as target:
                shutil.copyfileobj(file, target.file, 1 << 20)
                target.commit()
        except OSError as error:
            raise StoreError(f"cannot write {own}: {error.strerror or error}", hint="check the local disk") from error
    return own


def _name(sha256: str, name: str) -> str:
    return f"files/{sha256}/{name}"


def _sha256(manifest: Mapping[str, Any], name: str) -> str | None:
    """Return the hash of the adapter of a name that a run's models bear; None where none of them does."""
    adapters = manifest.get("adapters")
    for found in adapters.values() if isinstance(adapters, dict) else ():
        if isinstance(found, dict) and name and found.get("adapter") == name and _SHA256.fullmatch(str(found.get("sha256"))):
            return str(found["sha256"])
    return None
