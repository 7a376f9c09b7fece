"""`reasoner compare`: strategies and models on the same problems, with intervals, paired tests and a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import cluster_options as c
from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli import question_options as q
from reasoner.cli.bench import NARROW, Watch
from reasoner.cli.columns import MIN_TEXT
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.flags import in_flags
from reasoner.cli.output import guarded, out, print_json, safe, say
from reasoner.errors import BadConfig
from reasoner.files.target import writable

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from reasoner.comparison.comparison import Comparison
    from reasoner.comparison.tables import ComparisonTable

NARROWEST = 80
"""Columns a table is drawn for at least."""

EPILOG = (
    "Examples:\n\n  reasoner compare number_path game24 --strategy cot,ats,tot --baseline cot -n 50 --plot compare.png\n\n"
    "  reasoner compare game24 -s cot,ats --model m.Q4_K_M.gguf --model m.Q8_0.gguf --samples 5 -t 0.7 --markdown compare.md\n\n"
    "  reasoner compare --from-run last --json\n\nInterrupted or killed, the same command goes on where it stopped."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(compare)


@guarded
@o.expanded
@q.expanded
@c.expanded
def compare(
    solvers: Annotated[
        list[str] | None,
        typer.Argument(help="Problem families, see 'reasoner list'.", show_default=False, autocompletion=completing.families),
    ] = None,
    strategy: Annotated[list[str], typer.Option("--strategy", "-s", help="Strategies, separated by commas; NAME or NAME:key=value.")] = [
        "cot,ats"
    ],
    model: Annotated[
        list[str], typer.Option("--model", "-m", help="local, a .gguf, openai:NAME or teacher; may be given more than once.")
    ] = ["local"],
    n: Annotated[str, typer.Option("-n", help="Problems of each family and level; all: every row of a file.")] = "20",
    level: Annotated[
        list[int] | None,
        typer.Option("--level", help="Difficulty level; may be given more than once (default: the family's own).", show_default=False),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Times each problem is tried, each with its own seed.")] = 1,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Strategy the others are tested against (default: the first).", show_default=False)
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option("--from-run", help="Compare what this run has recorded (an id, or last); run nothing.", show_default=False),
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the tables to this file.", show_default=False)] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", help="Draw accuracy (of translations: chrF++) against tokens to this .png or .svg (extra 'plot').", show_default=False
        ),
    ] = None,
    *,
    questions: q.Questions,
    cluster: c.OnCluster,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Compare strategies and models on the same problems: accuracy with intervals, pass@k, tokens, paired tests, equal tokens."""
    _check_files(markdown, plot)
    from reasoner.api.compare import compare as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick
    from reasoner.api.compare import compare_run  # noqa: PLC0415

    watch = Watch()
    if from_run is not None:
        if solvers:
            raise BadConfig(
                f"--from-run {from_run} compares what was run; {' '.join(solvers)} would be run", hint="give only one of the two"
            )
        made = compare_run(from_run, db=common.db, baseline=baseline, by=questions.columns([]))
    else:
        if not solvers:
            raise BadConfig("no problem family is named", hint="name one, see 'reasoner list', or use --from-run")
        names = questions.names(solvers)
        try:
            with watch:
                made = run(
                    names, strategy=strategy, model=model, n=q.count(n), level=level or None, baseline=baseline, shots=questions.shots,
                    by=questions.columns(names), **common.settings(samples=samples, progress=watch, **cluster.settings()),
                )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            say(watch.interrupted(common.db, then="the same command resumes there, and --from-run compares what is there"))
            raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    _write(made, markdown=markdown, plot=plot)
    print_json(made.as_dict()) if json else _show(made)
    watch.finish()


def _check_files(markdown: Path | None, plot: Path | None) -> None:
    """Find out before hours of work whether its results can be written."""
    if plot is not None:
        from reasoner.comparison.plot import check_plot  # noqa: PLC0415

        check_plot(plot)
    for path in (markdown, plot):
        if path is not None and not writable(path).absolute().parent.is_dir():
            raise BadConfig(f"{path}: the directory {path.absolute().parent} does not exist", hint="make it first")


def _write(made: Comparison, *, markdown: Path | None, plot: Path | None) -> None:
    if plot is not None:
        from reasoner.comparison.plot import write_plot  # noqa: PLC0415

        write_plot(made, plot)
    if markdown is not None:
        from reasoner.comparison.markdown import write_markdown  # noqa: PLC0415

        write_markdown(made, markdown, picture=plot)


def _show(made: Comparison) -> None:
    """Print the tables; a narrow terminal gets fewer columns (`--json` and `--markdown` always have everything)."""
    from reasoner.comparison.tables import tables  # noqa: PLC0415

    told = [f"{what} {names[0]}" for what, names in (("solver", made.solvers), ("model", made.models)) if len(names) == 1]
    if told:
        out.print(safe(", ".join(told), style="dim"))
    for table in tables(made):
        shown = table if len(made.solvers) > 1 else _without(table, {"solver"})
        if out.width < NARROW:
            shown = _fitting(shown.narrow(), max(out.width, NARROWEST))
        # Below this width rich would drop whole columns; the terminal's own wrapping loses nothing.
        out.print(drawn(shown), width=max(out.width, NARROWEST), crop=False)
        out.print()
    for each in made.inside_thought:
        out.print(safe(in_flags(each.sentence())), soft_wrap=not out.is_terminal)
    for claim in made.claims:
        out.print(safe(claim.sentence()), soft_wrap=not out.is_terminal)
    if made.open or made.left_out:
        say(
            f"{made.open} planned trajectories are not finished; {made.left_out} finished ones are left out, because another strategy or "
            "model has not finished the same problem"
        )
    out.print(safe(f"run {made.run}: look with 'reasoner show {made.run}'", style="dim"))


DROPS = ("at token limit", "unparsed", "EM", "F1", "tokens/correct", "cost $")
"""What a narrow terminal leaves out where numbers would be cut, the first first."""


def _without(table: ComparisonTable, names: AbstractSet[str]) -> ComparisonTable:
    """Return a table without columns of these names."""
    kept = [at for at, column in enumerate(table.columns) if column.name not in names]
    return replace(
        table, columns=tuple(table.columns[at] for at in kept), lines=tuple(tuple(line[at] for at in kept) for line in table.lines)
    )


def _fitting(table: ComparisonTable, width: int) -> ComparisonTable:
    """Return a table whose numbers have room in so many columns."""
    for name in (None, *DROPS):
        if name is not None:
            table = _without(table, {name})
        needs = [max(map(len, (column.name, *(line[at] for line in table.lines)))) for at, column in enumerate(table.columns)]
        least = (min(need, MIN_TEXT) if column.words else need for need, column in zip(needs, table.columns, strict=True))
        if sum(least) + len(needs) <= width:
            break
    return table


def drawn(table: ComparisonTable) -> Any:
    """Return one table for the terminal."""
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    made.title = table.title
    for column in table.columns:
        made.add_column(safe(column.name), justify="left" if column.words else "right", no_wrap=column.name != "strategy", overflow="fold")
    for line in table.lines:
        made.add_row(*(safe(cell) for cell in line))
    return made
