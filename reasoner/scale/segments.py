"""Segments: what a shard has committed since the last one, as a file whose name holds its hash.

    segments/00003/e0002-000017-<hash>.seg

A line of JSON that says what it is, then a compressed SQLite file with whole trajectories: every row of each that was worked on since the last segment.
So segments may be merged in any order and any number of times; the newest version of a trajectory is the one that counts.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from reasoner.canonical import canonical_json
from reasoner.errors import CorruptRecord, DataError, StoreError
from reasoner.scale.small_files import parsed
from reasoner.store import Store
from reasoner.store.merged import check_foreign, insert_run, schema_of
from reasoner.store.transfer import BATCH, Version, put_trajectories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from reasoner.scale.storage import Shared
    from reasoner.store.transfer import Read

FORMAT = "reasoner-segment 1"
MAX_HEAD_BYTES = 1 << 16
MAX_BYTES = 1 << 34
"""A segment that unpacks to more is no segment of ours."""
CHUNK = 1 << 20
HASH_DIGITS = 32
_NAME = re.compile(rf"e([0-9]{{4,9}})-([0-9]{{6,12}})-([0-9a-f]{{{HASH_DIGITS}}})\.seg")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the name of a segment's file tells."""

    shard: int
    version: Version
    hash: str
    name: str

    @property
    def path(self) -> str:
        """Its place in the shared folder."""
        return f"{_folder(self.shard)}/{self.name}"


def _folder(shard: int) -> str:
    return f"segments/{shard:05d}"


def named(shard: int, name: str) -> SegmentName | None:
    """Read the name of a file, None where it is not one of a segment."""
    found = _NAME.fullmatch(name)
    return None if found is None else SegmentName(shard, Version(int(found[1]), int(found[2])), found[3], name)


def names_of(place: Shared, shard: int) -> tuple[list[SegmentName], list[str]]:
    """Return the segments of a shard by their names, oldest first, and the names of files that are none."""
    names = place.names(_folder(shard))
    read = [(name, named(shard, name)) for name in names]
    return sorted((each for _, each in read if each is not None), key=lambda each: (each.version, each.hash)), [
        n for n, each in read if each is None
    ]


def counted(found: Sequence[SegmentName], epoch: int, adopts: Sequence[str]) -> tuple[list[SegmentName], list[str]]:
    """Divide segments into those that count in an epoch, and the names of those that a holder wrote which had lost its lease."""
    known = set(adopts)
    good = [each for each in found if each.version.epoch == epoch or each.name in known]
    return good, [each.name for each in found if each not in good]


class SegmentHead(BaseModel):
    """What a segment says of itself. The last of a lease has `state`, `final` and the numbers of the others as ranges, both ends included."""

    model_config = ConfigDict(frozen=True)

    format: str
    run: str
    shard: int
    epoch: int
    number: int
    state: str = ""
    final: str = ""
    own: tuple[tuple[int, int], ...] = ()

    def lists(self, numbers: AbstractSet[int]) -> bool:
        """Tell whether all that it lists are among some numbers."""
        if sum(max(0, last - first + 1) for first, last in self.own) > len(numbers):
            return False
        return all(number in numbers for first, last in self.own for number in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment that was written to local disk."""

    path: Path
    name: SegmentName
    n_trajectories: int


def seal(read: Read, ids: Sequence[str], *, head: dict[str, Any], shard: int, version: Version, folder: Path) -> Sealed:
    """Write trajectories of a file to a segment in a local folder.

    Args:
        read: reads one state of the shard's file.
        ids: the trajectories.
        head: what the segment says of itself besides; `run` is the run's id.
        shard: its shard.
        version: the epoch and the segment's number in it.
        folder: where it is written.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="seal-") as work:
        db = Path(work) / "segment.db"
        db.write_bytes(_empty()[0])
        with Store.open(db) as store:
            store.write_now(lambda c: insert_run(c, head["run"], {}), durable=False)
            for begin in range(0, len(ids), BATCH):
                some = ids[begin : begin + BATCH]
                store.write_now(lambda c, some=some: put_trajectories(c, read, some, version), durable=False)  # type: ignore[misc]
        told = {**head, "format": FORMAT, "shard": shard, "epoch": version.epoch, "number": version.number, "trajectories": len(ids)}
        packed = Path(work) / "packed"
        hashed = hashlib.sha256()
        with db.open("rb") as source, packed.open("wb") as target:
            line = canonical_json(told).encode() + b"\n"
            hashed.update(line)
            target.write(line)
            packing = zlib.compressobj(3)
            while chunk := source.read(CHUNK):
                data = packing.compress(chunk)
                hashed.update(data)
                target.write(data)
            data = packing.flush()
            hashed.update(data)
            target.write(data)
        digits = hashed.hexdigest()[:HASH_DIGITS]
        name = f"e{version.epoch:04d}-{version.number:06d}-{digits}.seg"
        made = folder / name
        packed.replace(made)
    return Sealed(made, SegmentName(shard, version, digits, name), len(ids))


@cache
def _empty() -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return the bytes of an empty store, and its schema; migrating one anew for every segment would cost more than all the rest."""
    with tempfile.TemporaryDirectory(prefix="reasoner-") as folder:
        path = Path(folder) / "empty.db"
        with Store.open(path) as store:
            schema = schema_of(store)
        return path.read_bytes(), schema


def is_whole(place: Shared, segment: SegmentName) -> bool:
    """Tell whether a segment's bytes are those that its name tells of."""
    with place.local(segment.path) as path:
        return path is not None and _hash_of(path, place, segment) == segment.hash


def _hash_of(path: Path, place: Shared, segment: SegmentName) -> str:
    hashed = hashlib.sha256()
    with place.told("read", segment.path), path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()[:HASH_DIGITS]


@contextmanager
def unpacked(place: Shared, segment: SegmentName, *, run: str) -> Iterator[Read]:
    """Read a segment's file, from a copy that is removed afterwards.

    Raises:
        CorruptRecord: it is torn: its bytes are not those that its name tells of.
        DataError: it is missing, of another run or shard, or holds no store of ours.
        StoreError: the shared folder or the disk for the copy cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="reasoner-") as work, place.local(segment.path) as path:
        if path is None:
            raise DataError(f"{place.place}/{segment.path} is missing", hint="it was removed; its shard can be run again")
        if _hash_of(path, place, segment) != segment.hash:
            raise CorruptRecord(path, 1, "its bytes are not those that were sealed: the copy was torn, or changed")
        db = Path(work) / "segment.db"
        _unpack(path, db, segment, run=run, called=f"{place.place}/{segment.path}")
        with ExitStack() as stack:
            with _ours(segment):
                store = stack.enter_context(Store.read(db))
                check_foreign(store, schema=_empty()[1])

            def read(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                with _ours(segment):
                    return store.tuples(sql, params)

            yield read


@contextmanager
def _ours(segment: SegmentName) -> Iterator[None]:
    """Take what SQLite says of a segment for a fault of the segment: it stands on this machine's disk, and nobody else has it open."""
    try:
        yield
    except StoreError as error:
        raise DataError(f"{segment.path} holds no store of ours: {error.message}", hint="remove it from the folder") from error


def _unpack(path: Path, db: Path, segment: SegmentName, *, run: str, called: str) -> None:
    try:
        with path.open("rb") as source, db.open("wb") as target:
            head = parsed(SegmentHead, source.readline(MAX_HEAD_BYTES))
            if (head.format, head.run, head.shard, head.epoch, head.number) != (FORMAT, run, segment.shard, *segment.version):
                raise DataError(f"{called} is a segment of another run, shard or form", hint="remove it from the folder")
            unpacking, size = zlib.decompressobj(), 0
            while chunk := source.read(CHUNK):
                while chunk:
                    data = unpacking.decompress(chunk, CHUNK)
                    size += len(data)
                    if size > MAX_BYTES:
                        raise DataError(f"{called} unpacks to more than {MAX_BYTES} bytes", hint="remove it from the folder")
                    target.write(data)
                    chunk = unpacking.unconsumed_tail
            target.write(unpacking.flush())
    except OSError as error:
        raise StoreError(
            f"{called} cannot be unpacked to {db.parent}: {error.strerror or error}",
            hint="check both disks, and that there is room; then go on",
        ) from error
    except (ValueError, zlib.error) as error:
        raise DataError(f"{called} cannot be read: {error}", hint="remove it from the folder") from error


def head_of(place: Shared, segment: SegmentName) -> SegmentHead | None:
    """Return what a segment says of itself; None where that cannot be read."""
    try:
        with place.local(segment.path) as path:
            if path is None:
                return None
            with path.open("rb") as file:
                return parsed(SegmentHead, file.readline(MAX_HEAD_BYTES))
    except (OSError, ValueError, StoreError):
        return None
