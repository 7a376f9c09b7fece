"""`reasoner pick`: which strategy to use for a family and a model, found by a race and tested on other problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli import question_options as q
from reasoner.cli.bench import Watch
from reasoner.cli.compare import NARROWEST, drawn
from reasoner.cli.ending import EXIT_INTERRUPTED
from reasoner.cli.output import guarded, out, percent, print_json, safe, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.api.pick import Picked
    from reasoner.comparison.paired_tests import PairedTest
    from reasoner.comparison.race import Contender

EPILOG = (
    "Examples:\n\n  reasoner pick words --model Qwen2.5-1.5B-Instruct-Q8_0.gguf --tokens-per-answer 800\n\n"
    "  reasoner pick countdown --tokens-per-answer 2000 --level 1 -n 80 --test 200 --json\n\n"
    "  reasoner pick question:mine.jsonl --model openai:NAME --tokens-per-answer 1500 -s 'cot,self_consistency:n=3'\n\n"
    "Interrupted or killed, the same command goes on where it stopped."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(pick)


@guarded
@o.expanded
@q.expanded
def pick(
    solver: Annotated[str, typer.Argument(help="Problem family, see 'reasoner list'; NAME or NAME:SOURCE.", show_default=False)],
    tokens_per_answer: Annotated[
        int,
        typer.Option(
            "--tokens-per-answer", "-T", min=1, help="Prompt and completion tokens an answer may take on average.", show_default=False
        ),
    ],
    model: o.Model = "local",
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", "-s", help="Strategies to race (default: those that suit the family and the model).", show_default=False
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Development problems that the choice is made on.")] = 40,
    test: Annotated[int, typer.Option("--test", min=1, help="Other problems that the choice is tested on.")] = 50,
    level: Annotated[int | None, typer.Option("--level", help="Difficulty level (default: the family's own).", show_default=False)] = None,
    *,
    questions: q.Questions,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Race strategies on development problems within a bound of tokens, name the best, and test it against cot on other problems."""
    from reasoner.api.pick import pick as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick

    watch = Watch()
    (name,) = questions.names([solver])
    try:
        with watch:
            made = run(
                name, model=model, tokens_per_answer=tokens_per_answer, strategy=strategy or None, n=n, n_test=test, level=level,
                shots=questions.shots, **common.settings(progress=watch),
            )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        say(f"interrupted: {watch.done} trajectories are done and kept; the same command goes on there")
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    print_json(made.as_dict()) if json else _show(made)
    watch.finish()


def _show(made: Picked) -> None:
    title = f"{made.solver} on {made.model}, at most {made.tokens_per_answer} tokens an answer: the race"
    out.print(_table(title, made.contenders), width=max(out.width, NARROWEST), crop=False)
    out.print()
    from reasoner.comparison.tables import tables  # noqa: PLC0415 - keeps --help quick

    first = tables(made.test)[0].narrow()
    out.print(drawn(first), width=max(out.width, NARROWEST), crop=False)
    out.print()
    for test in made.test.tests[:1]:
        out.print(safe(sentence(test)), soft_wrap=True)
    if made.contenders[0].row.correct:
        out.print(safe(f"use --strategy '{made.chosen}'"), soft_wrap=True)
    else:
        say(
            f"no strategy got an answer right in the race, so that {made.chosen} is merely the cheapest; take an easier level or another model"
        )
    out.print(safe(f"run {made.test.run}: look with 'reasoner show {made.test.run}'", style="dim"))


def sentence(test: PairedTest) -> str:
    """Say what the test on other problems found."""
    low, high = test.interval
    return (
        f"on {test.n} other problems {test.strategy} is {100 * test.difference:+.1f} points from {test.against} "
        f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, exact McNemar test p = {test.p:.3g})"
    )


def _table(title: str, contenders: Iterable[Contender]) -> Any:
    from rich.table import Table  # noqa: PLC0415 - keeps --help quick

    from reasoner.comparison import wilson  # noqa: PLC0415 - keeps --help quick

    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = safe(title)
    table.add_column("strategy", overflow="fold")
    for column in ("correct", "accuracy", "95 % CI", "tokens", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("went out", no_wrap=True)
    for each in contenders:
        low, high = wilson(each.row.correct, each.row.n_judged)
        table.add_row(
            safe(each.strategy), f"{each.row.correct}/{each.row.n_judged}", percent(each.row.accuracy), f"{100 * low:.1f}–{100 * high:.1f}",
            f"{each.tokens:.0f}", f"{each.seconds:.1f}", "" if each.out is None else safe(f"round {each.out}{_short(each.why)}"),
        )  # fmt: skip
    return table


def _short(why: str) -> str:
    from reasoner.comparison.race import OVER  # noqa: PLC0415 - keeps --help quick

    return f", {OVER}" if why == OVER else ""
