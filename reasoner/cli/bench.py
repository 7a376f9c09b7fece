"""`reasoner bench`: many problems under several strategies and models, with a table."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import cluster_options as c
from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli import question_options as q
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.flags import in_flags
from reasoner.cli.output import err, guarded, out, percent, print_json, safe, say

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reasoner.comparison import Row
    from reasoner.comparison.groups import Group
    from reasoner.runs.events import Event
    from reasoner.runs.results import Result

EPILOG = (
    "Examples:\n\n  reasoner bench number_path game24 --strategy cot,ats -n 50\n\n"
    "  reasoner bench drop_water --strategy ats,ats:order=dfs --model teacher --level 2 --json\n\n"
    "After an interruption or a kill, the same command resumes."
)


NARROW = 100
"""Columns a terminal must have for the whole table."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(bench)


@guarded
@o.expanded
@q.expanded
@c.expanded
def bench(
    solvers: Annotated[
        list[str],
        typer.Argument(
            help="Problem families, see 'reasoner list'; NAME or NAME:SOURCE (question:FILE.jsonl, gym:NAME).",
            show_default=False,
            autocompletion=completing.families,
        ),
    ],
    strategy: Annotated[
        list[str],
        typer.Option(
            "--strategy", "-s", help="Strategies, separated by commas; NAME or NAME:key=value.", autocompletion=completing.strategies
        ),
    ] = ["cot,ats"],
    model: Annotated[
        list[str],
        typer.Option(
            "--model", "-m", help="local, a .gguf, openai:NAME or teacher; may be given more than once.", autocompletion=completing.models
        ),
    ] = ["local"],
    n: Annotated[str, typer.Option("-n", help="Problems of each family; all: every row of a file.")] = "20",
    level: Annotated[int | None, typer.Option("--level", help="Difficulty level (default: the family's own).", show_default=False)] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Times each problem is tried, each with its own seed.")] = 1,
    *,
    questions: q.Questions,
    cluster: c.OnCluster,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Run n problems of each family under each strategy and model, and print accuracy, calls, tokens and seconds."""
    from reasoner.api.bench import bench as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick
    from reasoner.comparison.groups import grouped_rows  # noqa: PLC0415 - keeps --help quick

    watch = Watch()
    names = questions.names(solvers)
    try:
        with watch:
            made = run(
                names, strategy=strategy, model=model, n=q.count(n), level=level, shots=questions.shots,
                **common.settings(samples=samples, progress=watch, **cluster.settings()),
            )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        say(watch.interrupted(common.db))
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    groups = grouped_rows(made.report.results, questions.columns(names))
    if json:
        print_json(made.as_dict() | ({"groups": [each.as_dict() for each in groups]} if groups else {}))
    else:
        out.print(table(made.rows))
        for each in group_tables(groups):
            out.print()
            out.print(each)
        if n_cut := sum(row.at_limit for row in made.rows):
            out.print(safe(f"{n_cut} answers ended at the token limit (--max-tokens)"))
        for line in (*reversed_lines(made.report.results), *(in_flags(each.sentence()) for each in made.report.inside_thought)):
            out.print(safe(line))
        out.print(safe(f"run {made.report.run_id}: look with 'reasoner show {made.report.run_id}'", style="dim"))
    watch.finish()


def reversed_lines(results: Iterable[Result]) -> list[str]:
    """Return a line per strategy and model on facts that were asked both ways; none where no pair was asked."""
    from reasoner.comparison.reversal import by_strategy  # noqa: PLC0415 - keeps --help quick

    return [
        f"reversed pairs, {strategy} on {model}: forward {ways.forward} of {ways.n_forward}, backward {ways.backward} of {ways.n_backward},"
        f" both {ways.both} of {ways.n_pairs}"
        for (strategy, model), ways in by_strategy(results).items()
    ]


class Watch:
    """Counts what a run tells, prints its notes, and draws the progress bar on standard error (only where that is a terminal)."""

    def __init__(self) -> None:
        from reasoner.api.progress import Bar  # noqa: PLC0415

        self.run_id = "(none)"
        self.total = self.done = self.failed = 0
        self.last_error = ""
        self.poisoned = self.cut_short = self.taken = 0
        self.waiting: dict[str, None] = {}
        self._in_shards = 0
        self._budget = ""
        self._bar = Bar(err, notes=False)

    def __call__(self, event: Event) -> None:
        """Take one event of a run."""
        from reasoner.runs.events import Note, ShardsMoved, Started, TrajectoryClosed  # noqa: PLC0415

        self._bar(event)
        if isinstance(event, Note):
            say(event.text)
        elif isinstance(event, ShardsMoved):
            self.run_id, self.total, self._in_shards = event.run_id, event.total, event.done
        elif isinstance(event, Started):
            self.run_id, self.total = event.run_id, event.total
        elif isinstance(event, TrajectoryClosed):
            self._count(event.result)

    def _count(self, result: Result) -> None:
        self.done += 1
        self.waiting.pop(result.trajectory_id, None)
        if result.status == "open":
            self.waiting[result.trajectory_id] = None
        if result.status == "failed":
            self.failed += 1
            self.last_error = result.error or ""
        self.poisoned += result.error_kind == "WorkerLost"
        self.taken += result.spent.taken_calls
        if result.error_kind == "RunBudgetExhausted":
            self.cut_short += 1
            self._budget = result.error or ""

    def interrupted(self, db: Path | None, *, what: str = "trajectories", then: str = "the same command resumes there") -> str:
        """Say how far an interrupted run is: what it holds, which is more than what this process came to where it was resumed."""
        from reasoner.errors import StoreError  # noqa: PLC0415 - keeps --help quick
        from reasoner.store import Store  # noqa: PLC0415
        from reasoner.store.run_queries import totals  # noqa: PLC0415

        there: dict[str, Any] = {}
        with contextlib.suppress(StoreError), Store.read(db) as store:  # interrupted before there was a file, or it is gone
            there = totals(store, [self.run_id]).get(self.run_id, {})
        done = max(self.done, self._in_shards, there.get("closed", 0) + there.get("exhausted", 0))
        return f"interrupted: {done} of {self.total} {what} are done and kept in run {self.run_id}; {then}"

    def finish(self, what: str = "trajectories") -> None:
        """Say what did not go as asked for, and end the command where that is a fault.

        Raises:
            typer.Exit: 3 where calls failed, 1 where the run's budget ended it.
        """
        if self.waiting:
            say(
                f"{len(self.waiting)} {what} wait for a person: 'reasoner actions' lists what they want to do, 'reasoner approve N' allows it"
            )
        if self.taken:
            say(f"{self.taken} calls were answered from earlier ones and cost nothing")
        if self.poisoned:
            say(f"{self.poisoned} {what} were set aside: processes died on them three times; --retry-poisoned tries them again")
        if self.cut_short:
            say(f"{self.cut_short} of {self.total} {what} were ended by the run's budget, with the best answer so far: {self._budget}")
        if self.failed:
            say(f"{self.failed} {what} failed and count as wrong; last error: {self.last_error}; the same command tries them again")
            raise typer.Exit(3)
        if self.cut_short or self.waiting:
            raise typer.Exit(1)

    def __enter__(self) -> Watch:
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()


def table(rows: Iterable[Row]) -> Any:
    """Return the result table.

    A family or a model that is the same in every row goes into the title, a column of zeros is left out, and on a narrow terminal tokens
    are summed and columns are left out rather than cut (`--json` always has everything).
    """
    from reasoner.cli.columns import Fit, fitted  # noqa: PLC0415 - keeps --help quick

    rows = list(rows)
    same = {name: len({getattr(row, name) for row in rows}) == 1 for name in ("solver", "model")}
    shown = {"model": not same["model"], "solver": not same["solver"] or len(rows) == 1, "failed": any(row.failed for row in rows)}
    shown |= {"judged by": any(row.judge for row in rows)}
    shown |= {"at limit": any(row.at_limit for row in rows), "not judged": any(row.unjudged for row in rows)}
    shown |= dict.fromkeys(("EM", "F1"), any("f1" in row.metrics for row in rows))
    for name in ("calls", "prompt", "reply"):
        shown[name] = out.width >= NARROW
    shown["tokens"] = not shown["prompt"]
    turns = sorted({name for row in rows for name in row.metrics if name.startswith("turn_")})
    lines = [{name: cell for name, cell in _cells(row, turns).items() if shown.get(name, True)} for row in rows]
    names = list(lines[0]) if lines else []
    columns = [Fit(name, text=name in WORDS, drop=DROPS.get(name, 0), right=name not in WORDS) for name in names]
    made = fitted(columns, [[safe(cell) if isinstance(cell, str) else cell for cell in line.values()] for line in lines], width=out.width)
    made.title_justify, made.title_style = "left", "dim"
    told = [f"{name} {getattr(rows[0], name)}" for name in ("solver", "model") if rows and not shown[name]]
    made.title = safe(", ".join(told)) if told else None
    return made


WORDS = frozenset({"solver", "strategy", "model", "judged by"})
DROPS = {
    "lvl": 9,
    "calls": 8,
    "reply": 7,
    "prompt": 7,
    "tokens": 6,
    "unparsed": 5,
    "seconds": 4,
    "EM": 3,
    "F1": 3,
    "at limit": 2,
    "95 % CI": 1,
}
"""What a narrow terminal leaves out, the greatest first; `--json` always has everything."""


def group_tables(groups: Iterable[Group]) -> list[Any]:
    """Return a table for each column: a line for each value and contender, and the macro averages."""
    from reasoner.cli.columns import Fit, fitted  # noqa: PLC0415 - keeps --help quick
    from reasoner.comparison import wilson  # noqa: PLC0415 - keeps --help quick
    from reasoner.comparison.groups import macro  # noqa: PLC0415 - keeps --help quick

    groups = list(groups)
    made = []
    for column in dict.fromkeys(group.column for group in groups):
        chosen = [group for group in groups if group.column == column]
        several = [name for name in ("solver", "strategy", "model") if len({getattr(group.row, name) for group in chosen}) > 1]
        fits = [Fit(column, text=True), *(Fit(name, text=True) for name in several)]
        fits += [Fit("correct", right=True), Fit("accuracy", right=True), Fit("95 % CI", right=True, drop=1)]
        lines = []
        for group in chosen:
            row = group.row
            low, high = wilson(row.correct, row.n_judged)
            judged = f" (judged by {row.judge})" if row.judge else ""
            who = {"solver": row.solver + judged, "strategy": row.strategy, "model": row.model}
            shares = f"{row.correct}/{row.n_judged}", percent(row.accuracy), f"{100 * low:.1f}–{100 * high:.1f}"
            lines.append([safe(group.value), *(safe(who[name]) for name in several), *map(safe, shares)])
        for (_, solver, strategy, model, judge), share in macro(chosen).items():
            who = {"solver": solver + (f" (judged by {judge})" if judge else ""), "strategy": strategy, "model": model}
            lines.append([safe("macro average"), *(safe(who[name]) for name in several), safe(""), safe(percent(share)), safe("")])
        table = fitted(fits, lines, width=out.width)
        table.title, table.title_justify, table.title_style = safe(f"Accuracy by {column}"), "left", "bold"
        made.append(table)
    return made


def _cells(row: Row, turns: list[str]) -> dict[str, Any]:
    from reasoner.comparison import wilson  # noqa: PLC0415 - keeps --help quick

    low, high = wilson(row.correct, row.n_judged)
    return {
        "solver": row.solver,
        "strategy": safe(row.strategy),
        "model": safe(row.model, n_chars=24),
        "lvl": "-" if row.level is None else str(row.level),
        "judged by": safe(row.judge, n_chars=24),
        "correct": f"{row.correct}/{row.n_judged}",
        "accuracy": percent(row.accuracy) if row.n_judged else "-",
        "95 % CI": f"{100 * low:.1f}–{100 * high:.1f}" if row.n_judged else "-",
        "EM": percent(row.metrics["em"]) if "em" in row.metrics else "-",
        "F1": percent(row.metrics["f1"]) if "f1" in row.metrics else "-",
        **{f"turn {name[5:]}": percent(row.metrics[name]) if name in row.metrics else "-" for name in turns},
        "unparsed": str(row.unparsed),
        "at limit": str(row.at_limit),
        "not judged": str(row.unjudged),
        "failed": str(row.failed),
        "calls": str(row.calls),
        "prompt": str(row.prompt_tokens),
        "reply": str(row.completion_tokens),
        "tokens": str(row.prompt_tokens + row.completion_tokens),
        "seconds": f"{row.seconds:.1f}",
    }
