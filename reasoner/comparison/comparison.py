"""A comparison: standings, paired tests, claims, from the trials of one run.

    made = compare_trials(read_trials(store, run_id), baseline="cot")
    made.as_dict()["rows"][0]["accuracy"]

The same trials give the same comparison.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.comparison.ats_claim import AtsClaim, ats_claims
from reasoner.comparison.equal_tokens import at_equal_tokens
from reasoner.comparison.groups import MAX_GROUPS, value_in
from reasoner.comparison.paired_tests import PairedTest, paired_tests
from reasoner.comparison.standings import Scope, Standing, by_contender, standings
from reasoner.comparison.translation_quality import Quality, qualities
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.comparison.trials import Trial, Trials
    from reasoner.store.run_queries import InsideThought


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """A standing on the problems whose column has this value."""

    column: str
    value: str
    standing: Standing

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"column": self.column, "value": self.value, **self.standing.as_dict()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison. `rows`, `tests` and `claims` hold those of each solver first, then the pooled ones (solver None)."""

    run: str
    command: str
    baseline: str | None
    samples: int
    rows: tuple[Standing, ...]
    levels: tuple[Standing, ...]
    """The same, level by level, for problems that have a level."""
    tests: tuple[PairedTest, ...]
    claims: tuple[AtsClaim, ...]
    groups: tuple[GroupStanding, ...]
    """The same by the columns that were asked for."""
    left_out: int
    open: int
    inside_thought: tuple[InsideThought, ...] = ()
    """Replies that the token limit ended before they had begun to answer, by strategy and model."""
    qualities: tuple[Quality, ...] = ()
    """How well strategies translate, where sentences have references."""

    @property
    def failed(self) -> int:
        """Answers whose call never came back; they count as wrong."""
        return sum(row.failed for row in self.rows if row.solver is not None)

    @property
    def solvers(self) -> list[str]:
        """The solvers compared, in the order of the rows."""
        return list(dict.fromkeys(row.solver for row in self.rows if row.solver is not None))

    @property
    def models(self) -> list[str]:
        """The models compared, in the order of the rows."""
        return list(dict.fromkeys(row.model for row in self.rows))

    def _repr_html_(self) -> str:
        """Draw it for a notebook: chart, tables, claims."""
        from reasoner.comparison.notebook import comparison_html  # noqa: PLC0415 - it draws what is defined here

        return comparison_html(self)

    def as_dict(self) -> dict[str, Any]:
        """Return what `reasoner compare --json` prints."""
        return {
            "run": self.run,
            "command": self.command,
            "baseline": self.baseline,
            "samples": self.samples,
            "left_out": self.left_out,
            "open": self.open,
            "rows": [row.as_dict() for row in self.rows],
            "levels": [row.as_dict() for row in self.levels],
            "tests": [test.as_dict() for test in self.tests],
            "claims": [claim.as_dict() for claim in self.claims],
            "groups": [group.as_dict() for group in self.groups],
            "inside_thought": [each._asdict() for each in self.inside_thought],
            **({"translation": [each.as_dict() for each in self.qualities]} if self.qualities else {}),
        }


def choose_baseline(strategies: Mapping[str, bool], wanted: str | None) -> str | None:
    """Return the strategy to test against: the one that is wanted, else the first that is no upper bound, else None.

    `strategies` maps a label to whether it is an upper bound.

    Raises:
        BadConfig: the wanted one is not compared, or is an upper bound.
    """
    if wanted is None:
        return next((label for label, upper_bound in strategies.items() if not upper_bound), None)
    if wanted not in strategies:
        raise BadConfig(f"the baseline {wanted!r} is none of the strategies", hint=f"they are: {', '.join(strategies)}")
    if strategies[wanted]:
        raise BadConfig(
            f"the baseline {wanted!r} uses the verifier to choose its answer: it is an upper bound", hint="name a strategy that does not"
        )
    return wanted


def compare_trials(trials: Trials, *, baseline: str | None = None, by: Sequence[str] = ()) -> Comparison:
    """Compute a comparison, also for each value of the columns `by` that problems were kept with.

    Raises:
        BadConfig: the baseline is none of the strategies, or an upper bound.
    """
    made = trials.trials
    chosen = choose_baseline({trial.strategy: trial.upper_bound for trial in made}, baseline if made else None)
    rows: list[Standing] = []
    tests: list[PairedTest] = []
    claimed: list[AtsClaim] = []
    scopes: tuple[Scope, ...] = ("solver", "pooled")
    for scope in scopes:
        taken = made if scope == "solver" else _poolable(made)
        scoped = standings(taken, scope=scope)
        claimed += ats_claims(taken, scoped, scope=scope)
        rows += _with_equal_tokens(scoped, taken, chosen, scope)
        tests += paired_tests(taken, baseline=chosen, scope=scope) if chosen is not None else []
    levels = standings([trial for trial in made if trial.level is not None], scope="level")
    return Comparison(
        run=trials.run, command=trials.command, baseline=chosen, samples=trials.samples, rows=tuple(rows), levels=tuple(levels),
        tests=tuple(tests), claims=tuple(claimed), groups=tuple(_groups(made, by)), left_out=trials.left_out, open=trials.open,
        inside_thought=trials.inside_thought, qualities=tuple(qualities(made, baseline=chosen)),
    )  # fmt: skip


def _poolable(trials: Sequence[Trial]) -> Sequence[Trial]:
    """Return the trials that one number may hold: exact verdicts; where there are none, those of one judge."""
    exact = [trial for trial in trials if not trial.judge]
    return exact or (trials if len({trial.judge for trial in trials}) == 1 else [])


def _groups(trials: Sequence[Trial], by: Sequence[str]) -> list[GroupStanding]:
    """Return the standings for each value of each column; problems without the column are one group `-`."""
    made: list[GroupStanding] = []
    for column in by:
        values: dict[str, list[Trial]] = defaultdict(list)
        for trial in trials:
            values[value_in(trial.meta, column) or "-"].append(trial)
        for value in sorted(values)[:MAX_GROUPS]:
            made += [GroupStanding(column, value, standing) for standing in standings(values[value], scope="solver")]
    return made


def _with_equal_tokens(rows: Sequence[Standing], trials: Sequence[Trial], baseline: str | None, scope: Scope) -> list[Standing]:
    """Add accuracy at equal tokens to the rows it is defined for: all but the baseline itself and upper bounds."""
    groups = by_contender(trials, scope)
    return [
        row
        if baseline is None or row.strategy == baseline or row.upper_bound
        else replace(
            row,
            equal_tokens=at_equal_tokens(
                groups[row.model, row.solver, row.level, row.strategy], groups[row.model, row.solver, row.level, baseline]
            ),
        )
        for row in rows
    ]
