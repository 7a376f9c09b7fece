"""From files to an index file and, when asked, a file of held-out sentences to test on.

    made = ingest(Path("train.tsv"), Path("my.corpus"), columns={"Italian": "it", "Ladin": "lld"}, hold_out=100)
    made.report.counts, made.held_out       what was wrong with the input; my.heldout.tsv

Knows readers and the index; does not know models or scores. The same input and seed give the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError
from reasoner.files.target import writable, write_text
from reasoner.translation.build import DEFAULT_WINDOW, Builder
from reasoner.translation.rows import Report, checked, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reasoner.translation.normalise import Normalisation


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
    source: Path | Mapping[str, Path],
    out: Path,
    *,
    columns: Mapping[str, str],
    normalisation: Normalisation = "full",
    window: int = DEFAULT_WINDOW,
    searched: Sequence[str] | None = None,
    hold_out: int = 0,
    seed: int = 0,
    on_row: Callable[[int], None] | None = None,
) -> Ingested:
    """Build an index at `out`; `columns` maps languages to column names, keys or language codes of `source`.

    With `hold_out`, that many rows, drawn by the seed, are kept out of the index and written to `<out>.heldout.tsv` beside it.

    Raises:
        BadConfig: languages, window or the number to hold out do not fit the input.
        DataError: a file cannot be read or written, or nothing in it can be used.
    """
    if not writable(out).parent.is_dir():
        raise DataError(f"cannot write {out}: there is no folder {out.parent}", hint="create it first")
    chosen = _chosen(source, columns, hold_out, seed)
    report = Report()
    kept_out: list[str] = []
    with Builder(list(columns), normalisation=normalisation, window=window, searched=searched, folder=out.parent) as builder:
        for number, row in enumerate(checked(read(source, columns), report)):
            if number in chosen:
                kept_out.append("\t".join(row.cells))
            else:
                builder.add(row.cells)
            if on_row and number % 1000 == 0:
                on_row(number)
        builder.write(out, notes={"seed": seed, "held_out": len(kept_out), "faults": dict(report.counts)})
        n_lines = builder.n_lines
    held_out = None
    if hold_out:
        held_out = out.with_suffix(".heldout.tsv")
        write_text(held_out, "\n".join(["\t".join(columns), *kept_out]) + "\n")
    return Ingested(out, held_out, n_lines, len(kept_out), out.stat().st_size, report)


def _chosen(source: Path | Mapping[str, Path], columns: Mapping[str, str], hold_out: int, seed: int) -> frozenset[int]:
    """Draw the numbers of the rows to hold out; the input is read once more for it."""
    if not hold_out:
        return frozenset()
    n_rows = sum(1 for _ in checked(read(source, columns), Report()))
    if not 0 < hold_out < n_rows:
        raise BadConfig(f"{hold_out} rows cannot be held out of {n_rows}", hint="hold out fewer")
    return frozenset(random.Random(f"hold out|{seed}").sample(range(n_rows), hold_out))
