"""A file of the user's own behind the colon of a family: its path, its options, and its rows, good and bad.

    OwnFile.read("extract", "notes.jsonl?schema=tumour.json", ("schema",))  ->  OwnFile(path=notes.jsonl, options={"schema": "tumour.json"})

A row that cannot be used is left out, counted and told of; with `strict=1` the file is refused. `FromFile` is a family that draws its problems, or takes
them from such a file. Knows files; what a row means says the family.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import unquote

from reasoner.errors import BadConfig
from reasoner.files import complaint, read_records
from reasoner.files.faults import Fault
from reasoner.solver import I, Solver
from reasoner.text import shorten
from solvers._record import why

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OwnRows(Generic[T]):
    """What a file holds: the instances that can be used, and what is wrong with the other rows."""

    path: Path
    rows: tuple[T, ...]
    faults: tuple[Fault, ...]

    def remark(self) -> str:
        """Say which rows are left out; empty where none are."""
        if not self.faults:
            return ""
        n = len(self.rows) + len(self.faults)
        return f"{shorten(str(self.path), 100)}: {len(self.faults)} of {n} rows are left out; {shorten(str(self.faults[0]), 160)}"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A path and the options behind its question mark."""

    family: str
    path: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, family: str, source: str, known: Sequence[str] = ()) -> OwnFile:
        """Read what stands behind the colon. A file whose name has a question mark in it is found as it is.

        Raises:
            BadConfig: it names no file, or an option is not known.
        """
        name, mark, query = source.partition("?")
        if mark and Path(source).is_file():
            name, query = source, ""
        if not name.strip():
            raise BadConfig(f"{family}: names no file", hint=f"write {family}:FILE, or {family} for problems that are drawn")
        options: dict[str, str] = {}
        for part in query.split("&") if query else ():
            key, equals, value = part.partition("=")
            if key not in (*known, "strict") or not equals:
                raise BadConfig(f"{family}:{name[:80]}: there is no option {part[:60]!r}", hint=f"known: {', '.join((*known, 'strict'))}")
            options[key] = unquote(value)
        return cls(family, Path(name), options)

    def rows(self, made: Callable[[dict[str, Any]], T], *, path: Path | None = None) -> OwnRows[T]:
        """Read the rows, each made an instance by `made`, which raises ValueError where it cannot be one.

        Raises:
            MissingAsset: the file cannot be read.
            CorruptRecord: no row can be used, or with `strict` one cannot.
        """
        path = path or self.path
        read = read_records(path, hint=f"write {self.family}:FILE")
        kept: list[T] = []
        faults = list(read.faults)
        for record in read.rows:
            try:
                kept.append(made(record.values))
            except ValueError as error:
                faults.append(Fault(record.line, 0, shorten(why(error), 200)))
        faults.sort(key=lambda fault: fault.line)
        if faults and (not kept or self.options.get("strict", "") in {"1", "true", "yes"}):
            raise complaint(path, faults, len(kept) + len(faults))
        if not kept:
            raise BadConfig(f"{shorten(str(path), 200)} holds no rows", hint="see docs/reference/solvers.md for the form")
        return OwnRows(path, tuple(kept), tuple(faults))


class FromFile(Solver[I], Generic[I]):
    """A family that draws its problems, or takes them from a file behind the colon, which is read when the first is asked for."""

    file_options: ClassVar[tuple[str, ...]] = ()
    """What may stand behind the question mark, besides `strict`."""

    def __init__(self, source: str = "", file: OwnFile | None = None) -> None:
        self.source = source
        self.file = file
        self._read: OwnRows[I] | None = None

    @classmethod
    def open(cls, source: str) -> Self:
        """Take the problems of a file.

        Raises:
            BadConfig: the source names no file, or an option is unknown.
        """
        return cls(source, OwnFile.read(cls.name, source, cls.file_options))

    @abstractmethod
    def read_rows(self, file: OwnFile) -> OwnRows[I]:
        """Read the file."""

    @abstractmethod
    def draw(self, rng: random.Random, level: int) -> I:
        """Draw a problem where there is no file."""

    def generate(self, rng: random.Random, level: int) -> I:
        """Draw a problem; of a file, one of its rows."""
        own = self._own()
        return self.draw(rng, level) if own is None else rng.choice(own.rows)

    def listed(self, level: int) -> Sequence[I] | None:  # noqa: ARG002 - a file has one level
        """Return the problems of the file; None where they are drawn."""
        own = self._own()
        return None if own is None else own.rows

    def remarks(self) -> Sequence[str]:
        """Say which rows of the file are left out."""
        own = self._own()
        return [remark] if own is not None and (remark := own.remark()) else []

    def _own(self) -> OwnRows[I] | None:
        if self._read is None and self.file is not None:
            self._read = self.read_rows(self.file)
        return self._read


def first_of(values: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first of several columns that is there; None where none is."""
    return next((values[name] for name in names if values.get(name) is not None), None)
