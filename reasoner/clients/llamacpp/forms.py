"""The forms a model's weights can be used in, and the folder where converted ones are kept.

A form is a type that all large tensors of a file are converted to, by llama.cpp's own quantizer, once. An entry of the folder is a folder of its
own, which appears whole, by one rename, and is taken only when the file in it is the one its `entry.json` describes.

    cache = FormCache.default()
    key = form_key(sha256, "q8_0", version="0.3.36")
    with cache.hold(key) as held:        # None where there is none; while it is held, nobody evicts it
        held.model, held.entry.quality.mean_kl

Knows files, locks and numbers. Does not know llama.cpp: `reasoner.clients.llamacpp.worker.convert` makes what lies here.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.clients.llamacpp.caches import cache_folder, limit_bytes, processor
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.errors import BadConfig
from reasoner.types import digest

Form = Literal["as-is", "q4_0", "iq4_nl", "q8_0", "f16"]
FORMS: tuple[Form, ...] = get_args(Form)

RECIPE = "1"
"""Raised whenever the same file and form would be converted otherwise."""
DEFAULT_LIMIT_GIB = 16.0
MAX_ENTRY_BYTES = 1 << 16
MAX_MEAN_KL = 0.01
MIN_TOP1 = 0.94
"""Bounds of `auto`. The rounding of activations alone moves 4 % of the likeliest tokens of a small model (0.963 agree after a conversion to f16)."""


class Quality(BaseModel):
    """How far the model in this form is from the file as it is, over a text that ships with the package."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mean_kl: float = Field(allow_inf_nan=False)
    """Mean Kullback-Leibler divergence of the next-token distribution, in nats."""
    top1: float = Field(ge=0, le=1)
    """How often both find the same token the likeliest."""
    tokens: int = Field(ge=1)

    @property
    def within_bounds(self) -> bool:
        """Whether `auto` would use it."""
        return self.mean_kl <= MAX_MEAN_KL and self.top1 >= MIN_TOP1

    def told(self) -> str:
        """Say it in a line."""
        return f"mean KL divergence {self.mean_kl:.4f}, top-1 agreement {self.top1:.3f} over {self.tokens} tokens"


class Entry(BaseModel):
    """What `entry.json` says of the file beside it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    form: Form
    source: str
    """The name of the file it was made of."""
    source_sha256: str
    quantizer: str
    sha256: str
    size_bytes: int = Field(ge=1)
    quality: Quality


@dataclass(frozen=True, slots=True)
class Held:
    """A converted file in use: it stays until it is let go."""

    model: Path
    entry: Entry
    _lock: int

    def release(self) -> None:
        """Let it go. Call it once."""
        os.close(self._lock)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as a list shows it; `entry` is None where it is broken."""

    folder: Path
    size_bytes: int
    used_at: float
    entry: Entry | None


def form_key(source_sha256: str, form: str, *, version: str) -> str:
    """Return what an entry is called: weights, form, quantizer and processor."""
    return digest("form", source_sha256, form, RECIPE, version, processor())[:32]


class FormCache:
    """See the module."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    @classmethod
    def default(cls) -> FormCache:
        """Return the user's: `REASONER_FORMS`, else `reasoner/forms` in the cache folder; `REASONER_FORMS_GIB` bounds it.

        Raises:
            BadConfig: the bound is no positive number.
        """
        return cls(cache_folder("forms"), limit_bytes=limit_bytes("forms", DEFAULT_LIMIT_GIB))

    def find(self, key: str) -> Entry | None:
        """Return what is known of an entry; None where there is none, or it is broken."""
        folder = self.folder / key
        try:
            with (folder / "entry.json").open("rb") as file:
                entry = Entry.model_validate_json(file.read(MAX_ENTRY_BYTES))
            if (folder / "model.gguf").stat().st_size != entry.size_bytes or file_sha256(folder / "model.gguf") != entry.sha256:
                return None
        except (OSError, ValidationError, BadConfig):
            return None
        return entry

    def hold(self, key: str) -> Held | None:
        """Return an entry that nobody evicts until it is released, and note that it is used; None where there is none."""
        model = self.folder / key / "model.gguf"
        try:
            lock = os.open(model, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            entry = self.find(key)
            # Evicted, and perhaps made again, between opening and locking: what we hold is another file then.
            if entry is not None and os.path.samestat(os.fstat(lock), model.stat()):
                with suppress(OSError):
                    os.utime(self.folder / key / "entry.json")
                return Held(model, entry, lock)
        except OSError:
            pass  # a file system without locks: converted files are of no use here
        os.close(lock)
        return None

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Be the only process that makes something of this name. The lock ends with the process, however it ends.

        Raises:
            OSError: the folder cannot be written.
        """
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = os.open(locks / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def begin(self, key: str) -> Path:
        """Return an empty folder to make an entry in, without what an earlier process left of one. Only under `locked(key)`.

        Raises:
            OSError: the folder cannot be written.
        """
        for left in self.folder.glob(f"{key}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        made = self.folder / f"{key}.{os.getpid()}.part"
        made.mkdir(parents=True)
        return made

    def commit(self, key: str, made: Path, entry: Entry) -> None:
        """Put a folder with a converted `model.gguf` in its place, on disk before anybody sees it. Only under `locked(key)`.

        Raises:
            OSError: it cannot be written.
        """
        _sync(made / "model.gguf")
        (made / "entry.json").write_text(entry.model_dump_json(indent=1) + "\n", encoding="utf-8")
        _sync(made / "entry.json")
        _sync(made)
        place, broken = self.folder / key, self.folder / f"{key}.broken.part"
        if place.exists():  # what is whole is not made again
            os.replace(place, broken)  # noqa: PTH105 - as text, as all calls here that name two places
        os.replace(made, place)  # noqa: PTH105
        _sync(self.folder)
        shutil.rmtree(broken, ignore_errors=True)
        self.evict(keep=key)

    def entries(self) -> list[Kept]:
        """Return what is there, broken entries too, the one used last first."""
        found = []
        for folder in self.folder.glob("*/entry.json") if self.folder.is_dir() else ():
            with suppress(OSError):
                model = folder.parent / "model.gguf"
                size = model.stat().st_size if model.exists() else 0
                if not folder.parent.name.endswith(".part"):
                    found.append(Kept(folder.parent, size, folder.stat().st_mtime, self.find(folder.parent.name)))
        return sorted(found, key=lambda kept: -kept.used_at)

    def evict(self, *, keep: str) -> None:
        """Remove what was used longest ago until the rest is within the bound; what is in use stays, and `keep`."""
        entries = self.entries()
        size = sum(kept.size_bytes for kept in entries)
        for kept in reversed(entries):
            if size <= self.limit_bytes:
                return
            if kept.folder.name != keep and self.remove(kept.folder.name):
                size -= kept.size_bytes

    def remove(self, key: str) -> bool:
        """Remove an entry; False where it is in use."""
        folder = self.folder / key
        try:
            lock = os.open(folder / "model.gguf", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            lock = None
        try:
            if lock is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = self.folder / f"{key}.gone.{os.getpid()}.part"
            os.replace(folder, gone)  # noqa: PTH105
            shutil.rmtree(gone, ignore_errors=True)
        except OSError:
            return False
        finally:
            if lock is not None:
                os.close(lock)
        return True

    def clear(self) -> tuple[int, int]:
        """Remove all that is not in use, with remembered choices; return how many bytes were freed, and how many entries are in use."""
        freed = in_use = 0
        for kept in self.entries():
            if self.remove(kept.folder.name):
                freed += kept.size_bytes
            else:
                in_use += 1
        for left in self.folder.glob("*.part"):
            self._sweep(left)
        for choice in self.folder.glob("choices/*.json"):
            with suppress(OSError):
                choice.unlink()
        return freed, in_use

    def _sweep(self, left: Path) -> None:
        """Remove a folder that a process left when it was killed; not one that is being worked in."""
        with suppress(OSError):
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "locks" / left.name.partition(".")[0], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)

    def choice(self, name: str) -> dict[str, Any] | None:
        """Return a remembered choice of `auto`; None where there is none that can be read."""
        try:
            with (self.folder / "choices" / f"{name}.json").open("rb") as file:
                found = json.loads(file.read(MAX_ENTRY_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) and str(found.get("form")) in FORMS else None

    def remember(self, name: str, choice: dict[str, Any]) -> None:
        """Keep a choice of `auto`. Only under `locked(name)`.

        Raises:
            OSError: it cannot be written.
        """
        place = self.folder / "choices" / f"{name}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        part.write_text(json.dumps(choice, indent=1) + "\n", encoding="utf-8")
        _sync(part)
        os.replace(part, place)  # noqa: PTH105


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Source:
    """A model file to be converted, and by what: all that a converter is told of it."""

    path: str
    name: str
    sha256: str
    size_bytes: int
    quantizer: str
    text: str
    """The path of the text on which forms are compared."""

    def key(self, form: str) -> str:
        """Return what its entry in a form is called."""
        return form_key(self.sha256, form, version=self.quantizer)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)
