"""The short way from stored answers to lines, for the export most people make: a million plain conversations to one file.

    for lines in Express(source, hygiene, long_way, lineage=True).blocks(): file.add_lines(lines)

It does what the long way does (every answer verified, every text scanned, every row compared with those before) and gives the same bytes,
which a test holds it to. What it saves is building records: a row goes from the query's tuple to its line, and a block of rows is
scanned at once; and what it would only do again: a problem is read once, and a reply that comes again to the same problem was verified,
scanned and written as JSON the first time. A row that needs more (several calls, an answer that is not the whole reply, an imported run,
a text the scan has to look at closely) goes the long way, in its turn. Knows the shape `{"messages": [...], "lineage": {...}}` and no other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from reasoner.datasets.select import MAX_REMEMBERED, MAX_REMEMBERED_CHARS
from reasoner.store import reading
from reasoner.store.reading import MAX_KEPT_CONTEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reasoner.datasets.hygiene import Hygiene
    from reasoner.datasets.options import Options
    from reasoner.datasets.records import Conversation
    from reasoner.datasets.source import Source
    from reasoner.solver import Solver
    from reasoner.store.reading import Answered

BLOCK = 50
"""Rows scanned at once. Where one of them needs a closer look, each is scanned by itself."""

Row = tuple[Any, ...]
"""A row of `reading.plain_pages`."""


def fits(options: Options) -> bool:
    """Tell whether options ask for nothing the short way does not do."""
    more = (options.split, options.balance, options.search_to_text, options.tokenizer, options.contamination, options.preview)
    columns = options.ratings or options.context or options.thinking != "none"
    return not (any(more) or columns or options.dry_run or options.limit is not None or options.near_duplicates is not None)


@dataclass(slots=True)
class _Before:
    """The messages a conversation began with: as hygiene joins them, as JSON, how many characters they have, and whether they are clean."""

    text: str
    json: str
    length: int
    clean: bool


@dataclass(slots=True)
class _Problem:
    """A problem, its part of the lineage as JSON, and the replies that were scanned, stand as its answer, and are JSON already."""

    id: str
    solver: Solver[Any]
    written: str
    kind: tuple[str, int | None]
    lineage: str
    known: dict[str, str] = field(default_factory=dict)
    _instance: Any = None

    def instance(self) -> Any:
        if self._instance is None:
            self._instance = self.solver.Instance.model_validate_json(self.written)
        return self._instance


@dataclass(slots=True)
class _By:
    """What many rows share: how the last message and the lineage begin and how this ends, as JSON; and rows taken by solver and level."""

    strategy: str
    model: str
    opening: str
    begin: str
    end: str
    n: dict[tuple[str, int | None], int] = field(default_factory=dict)


class Express:
    """One pass over a store. `long_way` gives the line of a record, None (counted) where it is left out."""

    def __init__(self, source: Source, hygiene: Hygiene, long_way: Callable[[Conversation], str | None], *, lineage: bool) -> None:
        self._source, self._hygiene, self._long_way, self._lineage = source, hygiene, long_way, lineage
        self._judge, self._tally = source.judge, source.tally
        self._where = source.filters.where(both=False)
        self._before: dict[int, _Before] = {}
        self._problems: dict[str, _Problem | None] = {}
        self._by: dict[str, _By | None] = {}
        self._n_known = 0
        self._kinds: dict[tuple[str, int | None, str, str], int] = {}

    @property
    def kinds(self) -> dict[tuple[str, int | None, str, str], int]:
        """Rows taken, by solver, level, strategy and model."""
        found = dict(self._kinds)
        for by in filter(None, self._by.values()):
            for (solver, level), n in by.n.items():
                kind = (solver, level, by.strategy, by.model)
                found[kind] = found.get(kind, 0) + n
        return found

    def blocks(self) -> Iterator[list[str]]:
        """Yield the lines of a block of trajectories after another, in the order these were opened."""
        for page in reading.plain_pages(self._source.store, self._where):
            self._read_problems({row[3] for row in page if row[1]})
            for start in range(0, len(page), BLOCK):
                yield self._block(page[start : start + BLOCK])

    def _block(self, rows: list[Row]) -> list[str]:
        problems = self._cleared(rows, [self._problem(row) for row in rows])
        late = [row[0] for row, problem in zip(rows, problems, strict=True) if problem is None]
        full = reading.answered_at(self._source.store, self._where, late)
        lines: list[str] = []
        lengths: list[int] = []
        for row, problem in zip(rows, problems, strict=True):
            line = self._long(full.get(row[0])) if problem is None else self._line(row, problem, lengths)
            if line is not None:
                lines.append(line)
        self._tally.seen += len(rows) - len(late) + len(full)
        self._tally.taken += len(lengths)
        self._tally.measure_all("characters", lengths)
        return lines

    def _problem(self, row: Row) -> _Problem | None:
        """Return the problem of a row, None where the row has to go the long way."""
        _, plain, _, pid, by, _, parent, _, _ = row
        if not plain or (self._by[by] if by in self._by else self._read_by(by)) is None:
            return None
        return self._problems[pid] if parent is None or self._context(parent).clean else None

    def _cleared(self, rows: list[Row], problems: list[_Problem | None]) -> list[_Problem | None]:
        """Return the problems again, without those of rows a scan may find something in."""
        texts = [row[7] for row, problem in zip(rows, problems, strict=True) if problem is not None]
        texts += [row[8] for row, problem in zip(rows, problems, strict=True) if problem is not None and row[8] not in problem.known]
        clean = self._hygiene.clean_together
        if clean(texts):
            return problems
        return [problem if problem is not None and clean(row[7:]) else None for row, problem in zip(rows, problems, strict=True)]

    def _line(self, row: Row, problem: _Problem, lengths: list[int]) -> str | None:
        _, _, name, _, by_name, key, parent, content, reply = row
        said = problem.known.get(reply) or self._verified(problem, reply)
        if said is None:
            return None
        length = len(content) + len(reply)
        begun = ""
        if parent is None:
            whole = f"{content}\x1f\x1e\x1f\x1f{reply}"
        else:
            before = self._context(parent)
            whole, begun, length = f"{before.text}{content}\x1f\x1e\x1f\x1f{reply}", before.json, length + before.length
        if not self._hygiene.is_first(whole):
            return None
        lengths.append(length)
        by: _By = self._by[by_name]  # type: ignore[assignment]  # the rows that have none went the long way
        by.n[problem.kind] = by.n.get(problem.kind, 0) + 1
        if not self._lineage:
            return f'{{"messages": [{begun}{by.opening}{quoted(content)}}}, {{"role": "assistant", "content": {said}}}]}}'
        call = f'"{key.hex()}"' if type(key) is bytes else quoted(key)
        return (
            f'{{"messages": [{begun}{by.opening}{quoted(content)}}}, {{"role": "assistant", "content": {said}}}], {by.begin}{quoted(name)},'
            f' "calls": [{call}], {problem.lineage}, {by.end}'
        )

    def _verified(self, problem: _Problem, reply: str) -> str | None:
        """Return a reply as JSON where it stands as an answer to the problem, and remember it; None (counted) where it does not."""
        if not self._judge.still_right(problem.solver, problem.id, problem.instance, reply, self._tally):
            return None
        said = quoted(reply)
        if len(reply) <= MAX_REMEMBERED_CHARS:
            if self._n_known >= MAX_REMEMBERED:
                for known in filter(None, self._problems.values()):
                    known.known.clear()
                self._n_known = 0
            problem.known[reply] = said
            self._n_known += 1
        return said

    def _read_by(self, by: str) -> _By | None:
        """Read what many rows share; None for an imported run, whose lineage was noted elsewhere."""
        run, strategy, model, role = json.loads(by)
        made = None
        if run not in self._judge.imported:
            opening = f'{{"role": {quoted(role)}, "content": '
            begin = f'"lineage": {{"run": {quoted(run)}, "trajectory": '
            made = _By(strategy, model, opening, begin, f'"strategy": {quoted(strategy)}, "model": {quoted(model)}}}}}')
        self._by[by] = made
        return made

    def _read_problems(self, ids: set[str]) -> None:
        """Read the problems that are not known yet; None for those whose solver is not installed."""
        new = ids - self._problems.keys()
        if not new:
            return
        if len(self._problems) + len(new) > MAX_REMEMBERED:
            self._problems.clear()
            self._n_known, new = 0, ids
        for pid, name, instance, line, level in reading.problems(self._source.store, new):
            solver = self._judge.solver(name)
            place = f'"level": {"null" if level is None else level}'
            lineage = f'"problem": {quoted(pid)}, "solver": {quoted(name)}, "instance": {quoted(line)}, {place}'
            self._problems[pid] = None if solver is None else _Problem(pid, solver, instance, (name, level), lineage)

    def _context(self, context_id: int) -> _Before:
        """Return the messages a conversation began with."""
        found = self._before.get(context_id)
        if found is None:
            if len(self._before) >= MAX_KEPT_CONTEXTS:
                self._before.clear()
            messages = self._source.contexts.get(context_id)
            found = self._before[context_id] = _Before(
                "".join(f"{m.content}\x1f" for m in messages),
                "".join(f'{{"role": {quoted(m.role)}, "content": {quoted(m.content)}}}, ' for m in messages),
                sum(len(m.content) for m in messages),
                self._hygiene.clean_together(m.content for m in messages),
            )
        return found

    def _long(self, row: Answered | None) -> str | None:
        if row is None:  # it changed while this ran
            return None
        judged = self._judge.judge(row, self._tally)
        record = None if judged is None else self._source.conversation(judged)
        line = None if record is None else self._long_way(record)
        if record is not None and line is not None:
            origin = record.origin
            kind = (origin.solver, origin.level, origin.strategies[0], origin.models[0])
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
        return line
