"""What a comparison looks like as tables of text; the terminal and Markdown both draw these.

Texts are not escaped here.

    tables(comparison)[0].columns -> (Column("solver", words=True), Column("strategy", words=True), Column("#"), ...)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.comparison.comparison import Comparison
    from reasoner.comparison.paired_tests import PairedTest
    from reasoner.comparison.standings import Standing

UPPER_BOUND = "upper bound"
NONE = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, whether it holds words, and whether a narrow terminal leaves it out."""

    name: str
    words: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """One table."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[str, ...], ...]

    def narrow(self) -> ComparisonTable:
        """Return the table without what only a wide terminal has room for."""
        kept = [index for index, column in enumerate(self.columns) if not column.wide]
        return ComparisonTable(self.title, tuple(self.columns[i] for i in kept), tuple(tuple(line[i] for i in kept) for line in self.lines))


def tables(comparison: Comparison) -> list[ComparisonTable]:
    """Return the tables: accuracy, what was used, and accuracy by level where there are several."""
    many = len(comparison.solvers) > 1
    rows = [row for row in comparison.rows if many or row.solver is not None]
    made = [_accuracy(comparison, rows), _used(comparison, rows)]
    if len({row.level for row in comparison.levels}) > 1:
        made.append(_levels(comparison))
    if comparison.qualities:
        made.append(_translation(comparison))
    return [*made, *_groups(comparison)]


def percent(share: float | None) -> str:
    """Write a share as a percentage."""
    return NONE if share is None else f"{100 * share:.1f} %"


def _who(comparison: Comparison, row: Standing) -> list[tuple[Column, str]]:
    cells = [
        (Column("solver", words=True), row.solver or "all"),
        (Column("strategy", words=True), f"{row.strategy} ({UPPER_BOUND})" if row.upper_bound else row.strategy),
    ]
    models = comparison.models
    return [*cells, (Column("model", words=True), short_models(models)[row.model])] if len(models) > 1 else cells


def short_models(models: Sequence[str]) -> dict[str, str]:
    """Shorten the names of models for tables and pictures: what all begin with is left out, the quantization at the end stays.

    >>> short_models(["SmolLM2-135M.Q4_1", "SmolLM2-135M.Q8_0"])
    {'SmolLM2-135M.Q4_1': '…Q4_1', 'SmolLM2-135M.Q8_0': '…Q8_0'}
    """
    first = models[0] if models else ""
    shared = next((n for n in range(len(first), 0, -1) if all(model.startswith(first[:n]) for model in models)), 0)
    cut = max((first.rfind(mark, 0, shared) for mark in ".-_/:@ "), default=-1) + 1
    if len(models) < 2 or cut < 6 or any(len(model) == cut for model in models):
        short = {model: model if len(model) <= 32 else f"{model[:12]}…{model[-19:]}" for model in models}
    else:
        short = {model: f"…{model[cut:]}" if len(model) - cut <= 31 else f"…{model[-31:]}" for model in models}
    return short if len(set(short.values())) == len(short) else {model: model for model in models}


def _accuracy(comparison: Comparison, rows: Sequence[Standing]) -> ComparisonTable:
    tests = {(test.model, test.solver, test.strategy): test for test in comparison.tests}
    k = comparison.samples
    lines = []
    for row in rows:
        low, high = row.interval
        cells = [
            *_who(comparison, row),
            (Column("#"), NONE if row.rank is None else str(row.rank)),
            (Column("correct", wide=True), f"{row.correct}/{row.n_answers}"),
            (Column("accuracy"), percent(row.accuracy)),
            (Column("95 % CI"), f"{100 * low:.1f}–{100 * high:.1f}"),
        ]
        if k > 1:
            cells.append((Column(f"pass@{k}"), percent(dict(row.pass_at).get(k))))
        cells += _measures(comparison, row)
        cells.append((Column("unparsed"), str(row.unparsed)))
        if any(each.at_limit for each in comparison.rows):
            cells.append((Column("at token limit"), str(row.at_limit)))
        if any(each.unjudged for each in comparison.rows):
            cells.append((Column("not judged"), str(row.unjudged)))
        if comparison.failed:
            cells.append((Column("failed"), str(row.failed)))
        cells += _tested(comparison, row, tests.get((row.model, row.solver, row.strategy)))
        lines.append(cells)
    return _table_of("Accuracy of a single answer", lines)


def _measures(comparison: Comparison, row: Standing) -> list[tuple[Column, str]]:
    """Return exact match and token F1, where any row has F1: elsewhere exact match is the accuracy; and the scores of single turns."""
    turns = sorted({name for each in comparison.rows for name in each.metrics if name.startswith("turn_")})
    cells = [(Column(name.replace("_", " ")), percent(row.metrics.get(name))) for name in turns]
    if any("f1" in each.metrics for each in comparison.rows):
        cells += [(Column(name.upper()), percent(row.metrics.get(name))) for name in ("em", "f1")]
    return cells


def _tested(comparison: Comparison, row: Standing, test: PairedTest | None) -> list[tuple[Column, str]]:
    if comparison.baseline is None:
        return []
    same = row.equal_tokens
    if same is None:
        equal = NONE
    elif same.samples_needed is not None:
        equal = f"needs {same.samples_needed} samples"
    else:
        equal = f"{percent(same.accuracy)} : {percent(same.baseline_accuracy)}"
    gained = "baseline" if row.strategy == comparison.baseline else NONE if test is None else f"+{test.gained} -{test.lost}"
    return [
        (Column(f"vs {comparison.baseline}"), gained),
        (Column("p", wide=True), NONE if test is None else probability(test.p)),
        (Column("p (Holm)"), NONE if test is None else probability(test.p_holm)),
        (Column("at equal tokens", wide=True), equal),
    ]


def probability(p: float | None) -> str:
    """Write a p value."""
    return NONE if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _used(comparison: Comparison, rows: Sequence[Standing]) -> ComparisonTable:
    lines = []
    for row in rows:
        spent = row.spent
        cost = "unknown" if spent.cost is None else f"{spent.cost:.4f}"
        lines.append(
            [
                *_who(comparison, row),
                (Column("calls"), str(spent.calls)),
                (Column("prompt"), str(spent.prompt_tokens)),
                (Column("reply"), str(spent.completion_tokens)),
                (Column("cached", wide=True), str(spent.cached_tokens)),
                (Column("tokens/answer", wide=True), f"{row.mean_tokens:.0f}"),
                (Column("tokens/correct"), NONE if row.tokens_per_correct is None else f"{row.tokens_per_correct:.0f}"),
                (Column("cost $"), cost),
                (Column("seconds"), f"{spent.seconds:.1f}"),
            ]
        )
    return _table_of("What was used", lines)


def _levels(comparison: Comparison) -> ComparisonTable:
    levels = sorted({row.level for row in comparison.levels if row.level is not None})
    found = {(row.model, row.solver, row.strategy, row.level): row for row in comparison.levels}
    lines = []
    for row in comparison.rows:
        if row.solver is None or not any((row.model, row.solver, row.strategy, level) in found for level in levels):
            continue
        cells = _who(comparison, row)
        for level in levels:
            at = found.get((row.model, row.solver, row.strategy, level))
            cells.append((Column(f"level {level}"), f"{percent(at.accuracy)} ({at.correct}/{at.n_answers})" if at else NONE))
        lines.append(cells)
    return _table_of("Accuracy by level", lines)


def _translation(comparison: Comparison) -> ComparisonTable:
    """Return the table of translation quality: scores over the set with intervals and p values, and what the model was shown and did."""
    lines = []
    for each in comparison.qualities:
        cells = [(Column("strategy", words=True), each.strategy), (Column("sentences"), str(each.n))]
        if len({quality.solver for quality in comparison.qualities}) > 1:
            cells.insert(0, (Column("solver", words=True), each.solver))
        if len(comparison.models) > 1:
            cells.insert(-1, (Column("model", words=True), short_models(comparison.models)[each.model]))
        for name, score in (("chrF++", each.chrf), ("BLEU", each.bleu)):
            cells.append((Column(name), f"{score.score:.1f}" + ("" if score.ci is None else f" ± {score.ci:.1f}")))
            cells += [(Column(f"p ({name})"), probability(score.p)), (Column(f"p ({name}, AR)", wide=True), probability(score.p_ar))]
        cells += [
            (Column("copies"), percent(each.copies)),
            (Column("no answer"), percent(each.missing)),
            (Column("coverage"), percent(each.coverage)),
            (Column("examples"), NONE if each.examples is None else f"{each.examples:.1f}"),
            (Column("ρ", wide=True), NONE if each.correlation is None else f"{each.correlation:.2f}"),
        ]
        lines.append(cells)
    return _table_of("Translation", lines)


def _groups(comparison: Comparison) -> list[ComparisonTable]:
    """Return a table for each column that was asked for: a line for each value, a column for each contender, and the macro average."""
    made = []
    for name in dict.fromkeys(group.column for group in comparison.groups):
        groups = [group for group in comparison.groups if group.column == name]
        heads = {(g.standing.solver, g.standing.strategy, g.standing.model): _head(comparison, g.standing) for g in groups}
        lines = []
        for value in dict.fromkeys(group.value for group in groups):
            found = {(g.standing.solver, g.standing.strategy, g.standing.model): g.standing for g in groups if g.value == value}
            n = max(standing.n_problems for standing in found.values())
            cells = [(Column(name, words=True), value), (Column("problems"), str(n))]
            lines.append(cells + [(Column(head), _share(found.get(key))) for key, head in heads.items()])
        means = []
        for key, head in heads.items():
            shares = [g.standing.accuracy for g in groups if (g.standing.solver, g.standing.strategy, g.standing.model) == key]
            means.append((Column(head), percent(sum(shares) / len(shares) if shares else None)))
        lines.append([(Column(name, words=True), "macro average"), (Column("problems"), NONE), *means])
        made.append(_table_of(f"Accuracy by {name}", lines))
    return made


def _head(comparison: Comparison, row: Standing) -> str:
    parts = [row.strategy]
    if len(comparison.solvers) > 1 or row.judges:
        parts.insert(0, row.solver or "")
    if len(comparison.models) > 1:
        parts.append(short_models(comparison.models)[row.model])
    return ", ".join(parts)


def _share(row: Standing | None) -> str:
    return NONE if row is None else f"{percent(row.accuracy)} ({row.correct}/{row.n_answers - row.unjudged})"


def _table_of(title: str, lines: Sequence[Sequence[tuple[Column, str]]]) -> ComparisonTable:
    columns = tuple(column for column, _ in lines[0]) if lines else ()
    return ComparisonTable(title, columns, tuple(tuple(cell for _, cell in line) for line in lines))
