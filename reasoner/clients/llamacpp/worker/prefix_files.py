"""Prefixes that outlive a process: what the cache holds of a prefix that several requests shared, in a file, for the next worker of the same model.

    files = PrefixFiles(folder, limit_bytes=1 << 30)       # the folder of one model, form, adapter and version of llama.cpp
    if files.wants(tokens):
        files.keep(tokens, state)                            # written by a thread of its own
    found = files.longest(tokens)                            # Found(length=812, ...): its first 812 tokens are these
    files.read(found)                                        # their state, None where the file is damaged

A file is a line of JSON (tokens, size, sha256 of the state) and the state. It gets its name when it is whole, and is used only when the checksum holds, so
nothing has to be synced. Knows files; what a state is, only llama.cpp knows.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from reasoner.sequences import n_common

MIN_TOKENS = 256
"""A shorter prefix is read as fast as it is looked for."""
MIN_GAIN_TOKENS = 128
"""So many tokens a prefix on disk must have beyond what is in memory, or beyond what is on disk already."""
MAX_HEAD_BYTES = 8 << 20
MAX_KEPT = 32
"""Prefixes one worker writes at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file whose first tokens are those that were asked about; it holds `n_tokens` in all."""

    path: Path
    length: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class _Head:
    tokens: tuple[int, ...]
    size_bytes: int
    sha256: str


class PrefixFiles:
    """See the module. Not for several threads at once, but for the one that writes."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._known: dict[Path, tuple[int, ...]] = {}
        self._pending: queue.SimpleQueue[tuple[tuple[int, ...], bytes] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._n_kept = 0
        for path in sorted(folder.glob("*.state")) if folder.is_dir() else ():
            with suppress(OSError), path.open("rb") as file:
                if (head := _read_head(file)) is not None:
                    self._known[path] = head.tokens

    def longest(self, tokens: Sequence[int]) -> Found | None:
        """Return the file that has the most first tokens in common with these; None where none has one."""
        best: Found | None = None
        for path, known in self._known.items():
            length = n_common(known, tokens)
            if length > (best.length if best is not None else 0):
                best = Found(path, length, len(known))
        return best

    def wants(self, tokens: Sequence[int]) -> bool:
        """Tell whether a shared prefix is worth a file: long enough, and not on disk already, or nearly."""
        if len(tokens) < MIN_TOKENS or self._n_kept >= MAX_KEPT:
            return False
        found = self.longest(tokens)
        return found is None or found.length + MIN_GAIN_TOKENS <= len(tokens)

    def keep(self, tokens: Sequence[int], state: bytes) -> None:
        """Write a prefix, soon: the caller does not wait for the disk."""
        if 2 * len(state) > self._limit_bytes:
            return
        self._n_kept += 1
        kept = tuple(tokens)
        self._known[self._path(kept)] = kept  # so that it is not wanted a second time
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="prefixes", daemon=True)
            self._writer.start()
        self._pending.put((kept, state))

    def read(self, found: Found) -> bytes | None:
        """Return the state of a file, and note that it is used; a damaged file is removed, and None is returned."""
        with suppress(OSError), found.path.open("rb") as file:
            head = _read_head(file)
            if head is not None and head.tokens == self._known.get(found.path):
                state = file.read(head.size_bytes + 1)
                if len(state) == head.size_bytes and hashlib.sha256(state).hexdigest() == head.sha256:
                    os.utime(found.path)
                    return state
            found.path.unlink()
        self.forget(found)
        return None

    def forget(self, found: Found) -> None:
        """Do not find a file again."""
        self._known.pop(found.path, None)

    def close(self) -> None:
        """Wait until everything is written. The worker does not: what is half written when it ends is nothing."""
        if self._writer is not None:
            self._pending.put(None)
            self._writer.join()
            self._writer = None

    def _path(self, tokens: tuple[int, ...]) -> Path:
        return self._folder / f"{hashlib.sha256(json.dumps(tokens).encode()).hexdigest()[:32]}.state"

    def _write_all(self) -> None:
        while (item := self._pending.get()) is not None:
            with suppress(OSError):  # a full disk, a folder that cannot be written: the next worker reads the tokens
                self._write(*item)

    def _write(self, tokens: tuple[int, ...], state: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(tokens)
        part = path.with_suffix(f".{os.getpid()}.part")
        head = {"tokens": tokens, "size_bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
                file.write(state)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        evict(self._folder.parent, limit_bytes=self._limit_bytes, keep=path)


def evict(folder: Path, *, limit_bytes: int, keep: Path | None = None) -> int:
    """Remove the files of all models that were used longest ago until the rest is within the bound; return how many bytes were freed."""
    files = sorted(_sizes(folder), key=lambda each: each[1])
    size = sum(size for _, _, size in files)
    freed = 0
    for path, _, n_bytes in files:
        if size - freed <= limit_bytes:
            break
        if path != keep:
            with suppress(OSError):
                path.unlink()
                freed += n_bytes
    return freed


def _sizes(folder: Path) -> Iterator[tuple[Path, float, int]]:
    for path in folder.glob("*/*"):
        with suppress(OSError):
            stat = path.stat()
            yield path, stat.st_mtime, stat.st_size


def _read_head(file: IO[bytes]) -> _Head | None:
    line = file.readline(MAX_HEAD_BYTES)
    try:
        head: Any = json.loads(line)
        tokens = tuple(head["tokens"])
        if tokens and all(isinstance(token, int) for token in tokens) and isinstance(head["size_bytes"], int) and head["size_bytes"] > 0:
            return _Head(tokens, head["size_bytes"], str(head["sha256"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None
