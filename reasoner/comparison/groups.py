"""A run's results by what the problems carry: a row for each value of a column (`subject`, `level`, `hazard`), and the macro average over them.

    grouped_rows(results, ["subject"])  ->  [Group(column="subject", value="algebra", row=Row(n=120, correct=66, ...)), ...]
    macro(groups)                        ->  {("question:math.jsonl", "cot", "local", ""): 0.52}

A macro average is the mean of the groups' accuracies: every group counts alike, however many problems it has.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.comparison.rows import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reasoner.runs.results import Result
    from reasoner.types import Problem

MAX_GROUPS = 200
"""Values of one column that are shown; a column with more is an id."""


@dataclass(frozen=True, slots=True)
class Group:
    """The row of those problems whose column has this value."""

    column: str
    value: str
    row: Row

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"column": self.column, "value": self.value, **self.row.as_dict()}


def meta_of(problem: Problem) -> Mapping[str, str]:
    """Return the columns a problem was kept with; none for families that keep none."""
    try:
        meta = json.loads(problem.instance).get("meta", {})
    except (ValueError, AttributeError):
        return {}
    return meta if isinstance(meta, dict) else {}


def value_of(problem: Problem, column: str) -> str:
    """Return a problem's value of a column; `level` is the difficulty level where no column is called so."""
    return value_in(meta_of(problem), column) or (str(problem.level) if column == "level" and problem.level is not None else "")


def value_in(meta: Mapping[str, str], column: str) -> str:
    """Return the value of a column, found without regard to case; empty where there is none."""
    return next((str(value) for name, value in meta.items() if name.lower() == column.lower()), "")


def grouped_rows(results: Iterable[Result], by: Sequence[str]) -> list[Group]:
    """Return a group for each column and value, columns as they are named, values sorted; problems without the column are one group `-`."""
    found: dict[str, dict[str, Table]] = {column: defaultdict(Table) for column in by}
    for result in results if by else ():
        for column, values in found.items():
            values[value_of(result.problem, column) or "-"].add(result)
    made: list[Group] = []
    for column, values in found.items():
        for value in sorted(values)[:MAX_GROUPS]:
            made += [Group(column, value, row) for row in values[value].rows()]
    return made


def macro(groups: Iterable[Group]) -> dict[tuple[str, str, str, str, str], float]:
    """Return the mean accuracy over the groups, by (column, solver, strategy, model, judge)."""
    found: dict[tuple[str, str, str, str, str], list[float]] = defaultdict(list)
    for group in groups:
        if group.row.n_judged:
            found[group.column, group.row.solver, group.row.strategy, group.row.model, group.row.judge].append(group.row.accuracy)
    return {key: sum(shares) / len(shares) for key, shares in found.items()}
