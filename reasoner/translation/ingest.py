"""From files to an index file and, when asked, a file of held-out sentences to test on.

    made = ingest([Path("train.tsv"), Path("more.tmx")], Path("my.corpus"), columns={"Italian": "it", "Ladin": ("lld", "ladin")}, hold_out=100)
    made.report.counts, made.held_out       what was wrong with the input; my.heldout.tsv
    ingest(Path("new.po"), Path("my.corpus"), columns={"Italian": "msgid", "Ladin": "msgstr"}, add=True)

Knows readers and the index; does not know models or scores. The same input and seed give the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from reasoner.errors import BadConfig, DataError
from reasoner.files.signatures import CORPUS
from reasoner.files.target import replaceable, write_text
from reasoner.translation.build import DEFAULT_WINDOW, Builder
from reasoner.translation.index import Index, sound
from reasoner.translation.readers import read
from reasoner.translation.rows import Report, Wanted, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reasoner.translation.normalise import Normalisation
    from reasoner.translation.rows import Row

Source = Path | Mapping[str, Path]
"""A file, or files aligned by line by their language."""
Columns = Mapping[str, "str | Sequence[str]"]
"""Of each language the column, key or language code in the files; where there are several, the first that a file has."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of building an index."""

    path: Path
    held_out: Path | None
    n_lines: int
    n_held_out: int
    size_bytes: int
    report: Report


def ingest(
    source: Source | Sequence[Source],
    out: Path,
    *,
    columns: Columns,
    normalisation: Normalisation = "full",
    window: int = DEFAULT_WINDOW,
    searched: Sequence[str] | None = None,
    hold_out: int = 0,
    seed: int = 0,
    add: bool = False,
    strict: bool = False,
    report: Report | None = None,
    on_row: Callable[[int], None] | None = None,
) -> Ingested:
    """Build an index at `out` from one source or several, in their order.

    With `hold_out`, that many rows, drawn by the seed, are kept out of the index and written to `<out>.heldout.tsv` beside it. With `add`
    the lines of the index that is there come first, and normalisation, window and searched languages are its own. `report` is filled also
    where an error ends the work.

    Raises:
        BadConfig: languages, window or the number to hold out do not fit the input.
        DataError: a file cannot be read or written, nothing in it can be used, or `strict` and a row cannot be.
    """
    place = replaceable(out, over=(CORPUS,))
    if not place.parent.is_dir():
        raise DataError(f"cannot write {out}: there is no folder {out.parent}", hint="create it first")
    sources: list[Source] = [source] if isinstance(source, Path | Mapping) else list(source)
    report = Report() if report is None else report
    base = _base(out, columns, hold_out) if add else None
    if base:
        columns = {language: columns[language] for language in base.languages}
        normalisation, window, searched = base.normalisation, base.window, base.searched
    chosen = _chosen(sources, columns, hold_out, seed)
    kept_out: list[str] = []
    with Builder(list(columns), normalisation=normalisation, window=window, searched=searched, folder=place.parent) as builder:
        n_before = _copied(base, builder) if base else 0
        for number, row in enumerate(_rows(sources, columns, report, strict=strict)):
            if number in chosen:
                kept_out.append("\t".join(row.cells))
            else:
                builder.add(row.cells)
            if on_row and number % 1000 == 0:
                on_row(number)
        if not report.n_rows:
            _nothing(report)
        notes = dict(base.notes) if base else {"seed": seed, "held_out": len(kept_out)}
        builder.write(out, notes=notes | {"faults": dict(report.counts)} | ({"added": builder.n_lines - n_before} if base else {}))
        n_lines = builder.n_lines
    held_out = None
    if hold_out:
        held_out = out.with_suffix(".heldout.tsv")
        write_text(held_out, "\n".join(["\t".join(columns), *kept_out]) + "\n")
    return Ingested(out, held_out, n_lines, len(kept_out), out.stat().st_size, report)


def lines_of(source: Source | Sequence[Source], columns: Columns, report: Report) -> Iterator[dict[str, str]]:
    """Yield the usable lines of files, language to text; what is wrong with the others is reported.

    Raises:
        DataError: a file cannot be read, or nothing in them can be used.
    """
    sources: list[Source] = [source] if isinstance(source, Path | Mapping) else list(source)
    for row in _rows(sources, columns, report):
        yield dict(zip(columns, row.cells, strict=True))
    if not report.n_rows:
        _nothing(report)


def _nothing(report: Report) -> NoReturn:
    why = next((fault.what for fault in report.faults if fault.kind == "no row taken"), "there is no source")
    raise DataError(f"no line can be taken: {why}", hint="name each language as the files do; the report says what was left out")


def _rows(sources: Sequence[Source], columns: Columns, report: Report, *, strict: bool = False) -> Iterator[Row]:
    """Yield the usable rows of all sources; one that gives none is told, with what it has."""
    seen: set[int] = set()
    for source in sources:
        wanted = Wanted(columns)
        before = report.n_rows
        yield from checked(read(source, wanted), report, strict=strict, seen=seen)
        if report.n_rows == before:
            name = source if isinstance(source, Path) else next(iter(source.values()))
            what = wanted.why_nothing() if isinstance(source, Path) else "its lines have no partner with a text"
            report.note("no row taken", name, 0, what)
            if strict:
                raise DataError(f"{name}: no row taken: {what}", hint="leave this file out")


def _base(out: Path, columns: Columns, hold_out: int) -> Index:
    """Open the index that is added to.

    Raises:
        BadConfig: its languages are others, or rows are to be held out.
        DataError: there is none, or it is damaged.
    """
    if hold_out:
        raise BadConfig("rows cannot be held out of what is added", hint="build the index anew from all files with `hold_out`")
    index = Index.open(out)
    if set(index.languages) != set(columns):
        raise BadConfig(f"{out} has the languages {', '.join(index.languages)}, not {', '.join(columns)}", hint="name the same ones")
    return index


def _copied(base: Index, builder: Builder) -> int:
    """Add the lines of an index; return how many there are."""
    with sound(base):
        for line in range(base.n_lines):
            builder.add([base.text(line, column) for column in range(len(base.languages))], preferred=line in base.preferred)
    return base.n_lines


def _chosen(sources: Sequence[Source], columns: Columns, hold_out: int, seed: int) -> frozenset[int]:
    """Draw the numbers of the rows to hold out; the input is read once more for it."""
    if not hold_out:
        return frozenset()
    n_rows = sum(1 for _ in _rows(sources, columns, Report()))
    if not 0 < hold_out < n_rows:
        raise BadConfig(f"{hold_out} rows cannot be held out of {n_rows}", hint="hold out fewer")
    return frozenset(random.Random(f"hold out|{seed}").sample(range(n_rows), hold_out))
