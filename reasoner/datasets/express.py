"""The short way from stored answers to lines, for the export most people make: a million plain conversations to one file.

    for lines in Express(source, hygiene, long_way, lineage=True).blocks(): file.add_lines(lines)

It does what the long way does (every answer verified, every text scanned, every row compared with those before) and gives the same bytes,
which a test holds it to. What it saves is building records: a row goes from the query's tuple to its line, and a block of rows is
scanned at once. A row that needs more (several calls, an answer that is not the whole reply, an imported run, a text the scan has to
look at closely) goes the long way, in its turn. Knows the shape `{"messages": [...], "lineage": {...}}` and no other.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from reasoner.datasets.write import encode
from reasoner.store import reading
from reasoner.store.reading import MAX_KEPT_CONTEXTS, Answered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reasoner.datasets.hygiene import Hygiene
    from reasoner.datasets.options import Options
    from reasoner.datasets.records import Conversation
    from reasoner.datasets.source import Source

BLOCK = 50
"""Rows scanned at once. Where one of them needs a closer look, each is scanned by itself."""

Row = tuple[Any, ...]


def fits(options: Options) -> bool:
    """Tell whether options ask for nothing the short way does not do."""
    more = (options.split, options.balance, options.search_to_text, options.tokenizer, options.contamination, options.preview)
    columns = options.ratings or options.context or options.thinking != "none"
    return not (any(more) or columns or options.dry_run or options.limit is not None or options.near_duplicates is not None)


class Express:
    """One pass over a store. `long_way` gives the line of a record, None (counted) where it is left out."""

    def __init__(self, source: Source, hygiene: Hygiene, long_way: Callable[[Conversation], str | None], *, lineage: bool) -> None:
        self._source, self._hygiene, self._long_way, self._lineage = source, hygiene, long_way, lineage
        self._judge, self._tally, self._trust = source.judge, source.tally, source.options.trust_verdicts
        self.kinds: dict[tuple[str, int | None, str, str], int] = {}
        """Rows taken, by solver, level, strategy and model."""
        self._before: dict[int, tuple[str, str, int]] = {}
        self._by: dict[tuple[str, int | None, str, str], str] = {}

    def blocks(self) -> Iterator[list[str]]:
        """Yield the lines of a block of trajectories after another, in the order these were opened."""
        for page in reading.answered_pages(self._source.store, self._source.filters.where(both=False)):
            for start in range(0, len(page), BLOCK):
                yield self._block(page[start : start + BLOCK])

    def _block(self, rows: list[Row]) -> list[str]:
        self._tally.seen += len(rows)
        texts = list(map(self._text, rows))
        clean = self._hygiene.clean_together(text for text in texts if text)
        lines: list[str] = []
        for row, text in zip(rows, texts, strict=True):
            line = self._line(row, text) if clean and text else self._long(row)
            if line is not None:
                lines.append(line)
        return lines

    def _text(self, row: Row) -> str:
        """Return all texts of a row, as hygiene joins them; nothing for a row that has to go the long way."""
        _, _, run, _, _, answer, n_calls, _, solver, _, _, _, correct, _, _, key, _, parent, role, content, reply = row
        if correct != 1 or n_calls != 1 or key is None or role is None or content is None or answer is None or answer != reply:
            return ""
        if run in self._judge.imported or self._judge.solver(solver) is None:
            return ""
        before = "" if parent is None else self._context(parent)[0]
        return f"{before}{content}\x1f\x1e\x1f\x1f{reply}"

    def _context(self, context_id: int) -> tuple[str, str, int]:
        """Return the messages a conversation began with: as hygiene joins them, as JSON, and how many characters they have."""
        found = self._before.get(context_id)
        if found is None:
            if len(self._before) >= MAX_KEPT_CONTEXTS:
                self._before.clear()
            messages = self._source.contexts.get(context_id)
            found = self._before[context_id] = (
                "".join(f"{m.content}\x1f" for m in messages),
                "".join(f'{{"role": {quoted(m.role)}, "content": {quoted(m.content)}}}, ' for m in messages),
                sum(len(m.content) for m in messages),
            )
        return found

    def _line(self, row: Row, text: str) -> str | None:
        _, name, run, strategy, model, answer, _, pid, solver, _, problem, level, _, _, _, key, _, parent, role, content, reply = row
        if not self._trust and self._judge.remembered(pid, answer) is not True and not self._stands(row):
            return None
        if not self._hygiene.is_first(text):
            return None
        _, before, length = ("", "", 0) if parent is None else self._context(parent)
        self._tally.taken += 1
        self._tally.measure("characters", length + len(content) + len(reply))
        kind = (solver, level, strategy, model)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        said = f'{{"messages": [{before}{{"role": {quoted(role)}, "content": {quoted(content)}}}, {{"role": "assistant", "content": {quoted(reply)}}}]'
        if not self._lineage:
            return said + "}"
        by = self._by.get(kind)
        if by is None:
            by = self._by[kind] = encode({"level": level, "strategy": strategy, "model": model})[1:-1]
        return (
            f'{said}, "lineage": {{"run": {quoted(run)}, "trajectory": {quoted(name)}, "calls": [{quoted(key)}], "problem": {quoted(pid)},'
            f' "solver": {quoted(solver)}, "instance": {quoted(problem)}, {by}}}}}'
        )

    def _stands(self, row: Row) -> bool:
        return self._judge.judge(Answered._make(row), self._tally) is not None

    def _long(self, row: Row) -> str | None:
        judged = self._judge.judge(Answered._make(row), self._tally)
        record = None if judged is None else self._source.conversation(judged)
        line = None if record is None else self._long_way(record)
        if record is not None and line is not None:
            origin = record.origin
            kind = (origin.solver, origin.level, origin.strategies[0], origin.models[0])
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return line
