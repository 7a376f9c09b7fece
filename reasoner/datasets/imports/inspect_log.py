"""Logs of Inspect: `.eval` (an archive with one file a sample, compressed by Zstandard) and `.json`.

Every sample and epoch is a conversation; scores, target and metadata stay with it. Source: Inspect documentation, "Log files".
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.errors import DataError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


ZSTD = 93
"""The number of Zstandard among a ZIP file's methods of compression."""
MAX_SAMPLE_BYTES = 1 << 28
READ = ("input", "messages", "output", "events", "attachments", "store", "model_usage", "timelines", "events_data")
ATTACHED = "attachment://"


class InspectLog(Importer):
    """Samples of an evaluation."""

    name: ClassVar[str] = "inspect-log"
    summary: ClassVar[str] = "Inspect logs, .eval and .json: messages, scores, usage"

    def opens(self, path: Path, head: bytes) -> bool:
        """Tell an archive that holds samples."""
        if not head.startswith(b"PK"):
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                return any(name.startswith("samples/") for name in archive.namelist())
        except (zipfile.BadZipFile, OSError):
            return False

    def rows(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the samples of an archive; one that is damaged is a row that says so."""
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.startswith("samples/") and name.endswith(".json")]
            header = next((name for name in ("header.json", "_journal/start.json") if name in archive.namelist()), "")
            task = _json(archive, path, header) if header else {}
            for name in names:
                sample = _json(archive, path, name)
                yield name, {"eval": task.get("eval", {}), "sample": sample}

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a sample from an archive, or a whole log."""
        if set(row) == {"eval", "sample"}:
            return 90
        return 85 if isinstance(row.get("eval"), dict) and isinstance(row.get("samples"), list) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read a sample, or all of a log."""
        for sample in [row["sample"]] if "sample" in row else row["samples"]:
            yield _sample(sample, row["eval"])


def _sample(sample: Any, task: Mapping[str, Any]) -> Transcript:
    if not isinstance(sample, dict) or not sample:
        raise Unusable("a sample cannot be read")
    attachments = sample.get("attachments") or {}
    messages = v.messages(_resolved(sample.get("messages"), attachments))
    found, _ = v.cut_at_reply(messages)
    model = v.text(v.at(sample, "output.model") or task.get("model"))
    places = v.replies(found)
    usage, bad = v.usage(v.at(sample, "output.usage"), seconds=v.at(sample, "output.time"))
    calls: dict[int, dict[str, Any]] = {place: {"model": model} for place in places}
    calls[places[-1]] |= {**usage, **v.finish(v.at(sample, "output.choices.0.stop_reason"))}
    facts = v.facts(sample, but=READ) | {"task": v.text(task.get("task"))}
    if sample.get("model_usage"):
        facts["model_usage"] = sample["model_usage"]
    return Transcript(
        found, places, model=model, agent=v.text(task.get("solver") or task.get("task")), calls=calls, facts=facts, n_bad_usage=bad
    )


def _resolved(value: Any, attachments: Mapping[str, Any]) -> Any:
    """Put attachments back in their places; a log keeps long texts apart."""
    if isinstance(value, str) and value.startswith(ATTACHED):
        return v.text(attachments.get(value.removeprefix(ATTACHED), value))
    if isinstance(value, list):
        return [_resolved(one, attachments) for one in value]
    if isinstance(value, dict):
        return {name: _resolved(one, attachments) for name, one in value.items()}
    return value


def _json(archive: zipfile.ZipFile, path: Path, name: str) -> dict[str, Any]:
    """Return the object in a member of an archive, empty where it is damaged.

    Raises:
        MissingDependency: it is compressed by Zstandard, and pyarrow is not installed.
    """
    info = archive.getinfo(name)
    if info.file_size > MAX_SAMPLE_BYTES:
        return {}
    try:
        data = _unpacked(path, info) if info.compress_type == ZSTD else archive.read(info)
        value = json.loads(data)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RecursionError, struct.error, NotImplementedError, EOFError):
        return {}
    return value if isinstance(value, dict) else {}


def _unpacked(path: Path, info: zipfile.ZipInfo) -> bytes:
    """Return a member that Zstandard compressed, which this Python's own library cannot read."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependency("pyarrow, which unpacks Inspect's .eval files,", extra="data") from error
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
        n_name, n_extra = struct.unpack("<HH", head[26:30])
        file.seek(info.header_offset + 30 + n_name + n_extra)
        packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        data: bytes = stream.read(MAX_SAMPLE_BYTES + 1)
    if len(data) > MAX_SAMPLE_BYTES or zlib.crc32(data) != info.CRC:
        raise DataError("a member of the archive is damaged")
    return data
