"""The file of a shard on local disk: carried on where the last holder left it here, made again from its segments where it did not.

    prepared = prepare(place, lease, manifest, Path("/tmp/reasoner/3f0c.../00003"))
    prepared.db, prepared.carried, prepared.torn

A file counts only while nobody else had the shard in between: what another machine did since is not in it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError, StoreError
from reasoner.files.target import write_text
from reasoner.scale.segments import named, unpacked
from reasoner.store import Store
from reasoner.store.merged import SegmentRow, insert_run, merge_segment
from reasoner.store.place import file_system

if TYPE_CHECKING:
    from reasoner.scale.leases import Lease
    from reasoner.scale.manifest import Manifest
    from reasoner.scale.storage import Shared

DATABASE, MARK = "shard.db", "epoch.json"
REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "9p", "afs", "pvfs2", "orangefs"}
)
"""File systems that other machines see too: SQLite's log is not safe there."""


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A shard's file. `carried`: it is the last holder's own; else it was made from `restored` segments, with `torn` ones left out."""

    db: Path
    carried: bool
    restored: int = 0
    torn: tuple[str, ...] = ()


def default_folder() -> Path:
    """Return where files of shards are kept unless somebody says otherwise: the job's local disk, else the temporary folder."""
    base = os.environ.get("SLURM_TMPDIR") or tempfile.gettempdir()
    return Path(base) / f"reasoner-shards-{os.getuid()}"


def prepare(place: Shared, lease: Lease, manifest: Manifest, folder: Path) -> LocalCopy:
    """Return the file a shard is worked on in, under a lease.

    Raises:
        BadConfig: the folder is on a network file system.
        StoreError: the file or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"cannot make the local folder {folder}: {error.strerror or error}", hint="name a writable one with `local`"
        ) from error
    if (kind := file_system(folder)) in REMOTE:
        raise BadConfig(
            f"the local folder {folder} is on {kind}, where a database may be corrupted", hint="name one on a local disk with `local`"
        )
    db, mark = folder / DATABASE, folder / MARK
    if db.is_file() and _is_current(mark, lease):
        _clear(folder, "seal-*", "e*.seg")  # what a holder that was killed was just sealing
        made = LocalCopy(db, carried=True)
    else:
        _clear(folder, "*")
        made = _restored(place, lease, manifest, db)
    write_text(mark, json.dumps({"run": manifest.head.run, "shard": lease.shard, "epoch": lease.epoch}))
    return made


def held(folder: Path, run: str) -> dict[int, int]:
    """Return which shards of a run have a file in the folder that files of shards are kept in, and of which epoch each is."""
    epochs = {int(db.parent.name): _epoch(db.parent / MARK) for db in folder.glob(f"{run}/[0-9][0-9][0-9][0-9][0-9]/{DATABASE}")}
    return {shard: epoch for shard, epoch in epochs.items() if epoch is not None}


def _epoch(mark: Path) -> int | None:
    """Return the epoch of a file by the mark beside it; None where there is no mark that can be read."""
    try:
        return int(json.loads(mark.read_text(encoding="utf-8"))["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_current(mark: Path, lease: Lease) -> bool:
    """Tell whether the file is the last holder's: no segment that counts is of a later epoch than its own."""
    epoch = _epoch(mark)
    if epoch is None:
        return False
    adopted = [each.version.epoch for name in lease.adopts if (each := named(lease.shard, name)) is not None]
    return max(adopted, default=0) <= epoch < lease.epoch


def _clear(folder: Path, *names: str) -> None:
    for path in [path for name in names for path in folder.glob(name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _restored(place: Shared, lease: Lease, manifest: Manifest, db: Path) -> LocalCopy:
    """Make a shard's file from the segments that count; one that is torn is left out, and what it alone held is done again."""
    segments = sorted((each for name in lease.adopts if (each := named(lease.shard, name)) is not None), key=lambda each: each.version)
    run, torn = manifest.head.run, []
    with Store.open(db) as store:
        store.write_now(lambda c: insert_run(c, run, manifest.head.manifest))
        for segment in segments:
            try:
                with unpacked(place, segment, run=run) as source:
                    merge_segment(store, source, SegmentRow(segment.name, run, segment.shard, segment.version))
            except DataError:
                torn.append(segment.name)
    return LocalCopy(db, carried=False, restored=len(segments) - len(torn), torn=tuple(torn))
