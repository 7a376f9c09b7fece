"""Export: select, label, clean, split, format, write.

    export(store, "sft", Path("out.jsonl")) -> Tally(seen=120, taken=118, left_out={"the same conversation was taken already": 2})

The same store and options give the same bytes. One record is in memory at a time; what grows with the rows is a hash of eight bytes each.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets.hygiene import Hygiene
from reasoner.datasets.lineage import LineageTexts, complete
from reasoner.datasets.options import Options
from reasoner.datasets.records import THOUGHT_KEYS
from reasoner.datasets.select import Filters, Tally
from reasoner.datasets.source import not_selected, records
from reasoner.datasets.split import Split
from reasoner.datasets.write import open_rows
from reasoner.errors import BadConfig
from reasoner.files.target import folders, writable, write_text
from reasoner.store import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reasoner.datasets.formats import Format
    from reasoner.datasets.records import Kind, Record
    from reasoner.datasets.write import JsonLines
    from reasoner.store import Store

TELL_EVERY = 1000
TOO_MANY = "its level has more rows than the rarest one"
OVER_LIMIT = "its solver, strategy and model have as many rows as `limit` allows"


def export(
    store: Store,
    format_name: str,
    path: Path,
    filters: Filters | None = None,
    options: Options | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Tally:
    """Write trajectories of a store in one format and return the counts.

    `progress` is told from time to time how many trajectories were looked at, and how many rows were taken.

    With a split, `out.jsonl` becomes `out.train.jsonl`, `out.test.jsonl` and so on. No row, no file. Where a format writes a package, `path` is its folder.

    Raises:
        UnknownName: there is no such format.
        BadConfig: the format cannot do what the options ask.
        DataError: a file cannot be written; nothing is left behind.
    """
    job = _Job(store, registry.find("format", format_name)(), path, filters or Filters(), options or Options(), progress)
    return job.run()


class _Job:
    """One export."""

    def __init__(
        self,
        store: Store,
        format_: Format,
        path: Path,
        filters: Filters,
        options: Options,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.progress = progress
        self.store, self.format, self.filters, self.options = store, format_, filters, options
        self.out, self.path = path, writable(format_.rows_at(path))
        self.kind = _kind(format_, options)
        self.split = Split.parse(options.split, seed=options.seed)
        own = format_.lineage
        self.lineage = own if own == "inside" else options.lineage or own
        self.annotated = reading.any_annotated(store, self.filters.where(both=True, verdicts=False))
        self.quota: dict[tuple[str, str], int] | None = None
        if options.thinking in {"thinking", "both"} and not format_.thinking_field:
            raise BadConfig(f"{format_.name} has no field for thinking", hint="use `thinking=tags`")
        if options.pass_rate and self.kind not in {"prompt", "group"}:
            raise BadConfig(
                f"{format_.name} has no pass rates", hint="leave `pass_rate` out, or export grpo, verl, verifiers, rft or grouped"
            )
        if options.tokens and self.kind != "group":
            raise BadConfig(
                f"{format_.name} has no columns for tokens",
                hint="leave `tokens` out, or export grouped; atif writes recorded tokens by itself",
            )
        if own != "column" and (options.ratings or options.context or options.lineage == "column"):
            raise BadConfig(f"{format_.name} allows no column of ours", hint="leave `ratings`, `context` and `lineage` column out")

    def run(self) -> Tally:
        """Do it; with a balance, count first and write then."""
        if self.options.card and not self.options.dry_run:
            from reasoner.datasets.card import check_place  # noqa: PLC0415 - the card knows this job

            check_place(self.path.parent / "README.md")
        if self.options.balance:
            counted: Counter[tuple[str, str, str]] = Counter()
            for record, part, _ in self.accepted(Tally()):
                counted[part, record.origin.solver, str(record.origin.level)] += 1
            self.quota = {}
            for (part, solver, _), n in counted.items():
                self.quota[part, solver] = min(n, self.quota.get((part, solver), n))
        tally = Tally(not_selected=not_selected(self.store, self.kind, self.filters))
        with ExitStack() as stack:
            if self.format.packaged and not self.options.dry_run:
                stack.enter_context(folders(self.path.parent))
            files = _Files(self, stack)
            _count(tally, self._write(files, tally))
            if not self.options.dry_run:
                tally.files = files.commit()
        if self.options.card and tally.files:
            from reasoner.datasets.card import write_card  # noqa: PLC0415 - the card knows this job

            write_card(
                self.path.parent / "README.md",
                format_name=self.format.name,
                kind=self.kind,
                filters=self.filters,
                options=self.options,
                tally=tally,
            )
        return tally

    def example(self) -> dict[str, Any] | None:
        """Return a row with all the columns of the format."""
        how = self.options.thinking
        return self.format.example(self.kind, THOUGHT_KEYS.get(how, ()) if self.format.thinking_field else ())

    def _write(self, files: _Files, tally: Tally) -> Counter[tuple[Any, ...]]:
        """Write all rows and return how many there are of each kind."""
        kinds: Counter[tuple[Any, ...]] = Counter()  # few different ones, so that counting costs a row one look-up
        for record, part, rows in self.accepted(tally):
            o = record.origin
            kinds[part, o.solver, o.level, o.strategies, o.models] += 1
            if len(tally.preview) < self.options.preview:
                self._show(part, rows, record, tally)
            if not self.options.dry_run:
                for row in rows:
                    files.add(part, row, record)
        return kinds

    def _show(self, part: str, rows: list[dict[str, Any]], record: Record, tally: Tally) -> None:
        """Keep rows for the preview."""
        for row in rows[: self.options.preview - len(tally.preview)]:
            last = {"lineage": complete(self.kind, record.lineage, annotated=self.annotated)} if self.lineage == "column" else {}
            tally.preview.append({"split": part, **row, **last})

    def accepted(self, tally: Tally) -> Iterator[tuple[Record, str, list[dict[str, Any]]]]:
        """Yield (record, part, rows) of all that passes; the rows are without their lineage."""
        used: Counter[tuple[str, str, str]] = Counter()
        taken: Counter[tuple[Any, ...]] = Counter()
        with Hygiene(self.options, tally, fields=self.format.thinking_field) as hygiene:
            for n, record in enumerate(records(self.store, self.kind, self.filters, self.options, tally)):
                if self.progress is not None and n % TELL_EVERY == 0:
                    self.progress(tally.seen, tally.taken)
                if not hygiene.passes(record):
                    continue
                rows = self.format.rows(record)
                if rows is None:
                    tally.leave_out(f"its messages cannot be written as {self.format.name}")
                    continue
                origin = record.origin
                part = self.split.of(origin.solver, origin.family)
                if self.quota is not None:
                    place = (part, origin.solver, str(origin.level))
                    if used[place] >= self.quota[part, origin.solver]:
                        tally.leave_out(TOO_MANY)
                        continue
                    used[place] += 1
                if self.options.limit is not None:
                    kind = (origin.solver, origin.strategies, origin.models)
                    if taken[kind] >= self.options.limit:
                        tally.leave_out(OVER_LIMIT)
                        continue
                    taken[kind] += 1
                if record.columns:
                    for row in rows:
                        row.update(record.columns)
                tally.taken += 1
                hygiene.measure(record)
                yield record, part, rows


def _count(tally: Tally, kinds: Counter[tuple[Any, ...]]) -> None:
    """Count the rows for the card, by everything a card tells apart."""
    for (part, solver, level, strategies, models), n in kinds.items():
        tally.count("split", part, n)
        tally.count("solver", solver, n)
        if level is not None:
            tally.count("level", f"{solver} {level}", n)
        for strategy in strategies:
            tally.count("strategy", strategy, n)
        for model in models:
            tally.count("model", model, n)


class _Files:
    """The files of one export, opened when they get their first row and named together at the end."""

    def __init__(self, job: _Job, stack: ExitStack) -> None:
        self._job = job
        self._stack = stack
        self._open: dict[Path, JsonLines] = {}
        self._of_part: dict[str, JsonLines] = {}
        self._lineages = LineageTexts(job.kind, annotated=job.annotated)
        self._place = {name: self._path(name) for name in job.split.names}
        if not job.options.dry_run:
            self._stack.enter_context(open_rows(job.path))  # what cannot be written is said before the work, not after it

    def _path(self, part: str) -> Path:
        path = self._job.path
        if len(self._job.split.names) == 1:
            return path
        return path.with_name(f"{part}{path.suffix}" if self._job.format.bare_names else f"{path.stem}.{part}{path.suffix}")

    def _file(self, path: Path) -> JsonLines:
        if path not in self._open:
            self._open[path] = self._stack.enter_context(open_rows(path, self._job.example()))
        return self._open[path]

    def add(self, part: str, row: dict[str, Any], record: Record) -> None:
        file = self._of_part.get(part)
        if file is None:
            file = self._of_part[part] = self._file(self._place[part])
        if self._job.lineage == "column":
            file.add_ending(row, "lineage", self._lineages.text(record.lineage))
            return
        file.add(row)
        if self._job.lineage == "sidecar":
            self._file(sidecar(self._place[part])).add_line(self._lineages.text(record.lineage))

    def commit(self) -> dict[str, dict[str, Any]]:
        """Name all files, the companion last; whether that can be written is found out first."""
        facts = {path.name: file.facts() for path, file in self._open.items()}
        paths = [path for path in self._place.values() if path in self._open]
        beside: tuple[Path, str] | None = None
        companion = self._job.format.companion(paths, self._job.kind) if paths else None
        if companion is not None:
            name, entries = companion
            beside = (self._job.path.parent / name, _merged(self._job.path.parent / name, entries))
        for file in self._open.values():
            file.commit()
        if beside is not None:
            write_text(*beside)
        for path, text in self._job.format.package(self._job.out, paths).items() if paths else ():
            write_text(path, text)
        return facts


def sidecar(path: Path) -> Path:
    """Return the file that says line for line where the rows of a file come from.

    Its ending is none of a data file, so that `load_dataset(folder)` leaves it alone.
    """
    return path.with_name(f"{path.stem}.lineage")


def found_sidecar(path: Path) -> Path:
    """Return the file beside that says where rows come from: as it is written now, or as earlier versions named it."""
    old = path.with_name(f"{path.stem}.lineage.jsonl")
    return old if old.is_file() and not sidecar(path).is_file() else sidecar(path)


def _merged(path: Path, entries: dict[str, Any]) -> str:
    """Return a JSON object with the entries of a file, if it is there, and these."""
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise BadConfig(f"{path} is there already and is no JSON", hint="move it away, or export to another directory") from error
    if not isinstance(known, dict):
        raise BadConfig(f"{path} is there already and holds no object", hint="move it away, or export to another directory")
    return json.dumps(dict(sorted({**known, **entries}.items())), indent=2) + "\n"


def _kind(format_: Format, options: Options) -> Kind:
    if not options.records:
        return format_.kinds[0]
    if options.records not in format_.kinds:
        raise BadConfig(f"{format_.name} has no rows of kind {options.records!r}", hint=f"it has: {', '.join(format_.kinds)}")
    return options.records
