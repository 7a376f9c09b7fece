"""`reasoner solve`: one problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.flags import in_flags
from reasoner.cli.output import guarded, out, print_json, safe, say

if TYPE_CHECKING:
    from reasoner.runs.events import Event
    from reasoner.runs.results import Result

EPILOG = 'Examples:\n\n  reasoner solve game24 "4 9 10 13"\n\n  reasoner solve number_path "4 9 41" --strategy ats:order=dfs,shots=1 --model teacher'


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(solve)


@guarded
@o.expanded
def solve(
    solver: Annotated[
        str,
        typer.Argument(
            help="Problem family, see 'reasoner list'; NAME or NAME:SOURCE.", show_default=False, autocompletion=completing.families
        ),
    ],
    instance: Annotated[str, typer.Argument(help="One problem in the family's one-line syntax.", show_default=False)],
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            "-s",
            help="NAME or NAME:key=value,key=value (default: ats, or what local's adapter was tuned on).",
            show_default=False,
        ),
    ] = None,
    model: o.Model = "local",
    *,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Solve one problem, record every thought and verify the answer. Exits with 0 when it is right, 1 when not."""
    from reasoner.api.solve import solve as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick

    result = run(solver, instance, strategy=strategy, model=model, **common.settings(progress=tell_notes))
    if json:
        print_json(as_dict(result))
    if result.status == "failed":
        say(f"error: {result.error}; the call is kept in trajectory {result.trajectory_id}")
    elif not json:
        show(result)
    raise typer.Exit(exit_code(result))


def exit_code(result: Result) -> int:
    """Return 0 for a right answer and for one that nothing judges, 3 where a call failed for good, else 1."""
    if result.correct or (result.correct is None and result.status == "closed"):
        return 0
    return 3 if result.status == "failed" else 1


def tell_notes(event: Event) -> None:
    """Print what a user should know of a run."""
    if type(event).__name__ == "Note":
        say(event.text)  # type: ignore[union-attr]


def as_dict(result: Result) -> dict[str, Any]:
    """Return an result as JSON values."""
    verdict = result.verdict
    spent = result.spent
    return {
        "run": result.run_id,
        "trajectory": result.trajectory_id,
        "solver": result.problem.solver,
        "instance": result.problem.line,
        "strategy": result.strategy,
        "model": result.model,
        "status": result.status,
        "answer": result.answer,
        "text": result.text,
        "correct": result.correct,
        "verdict": None
        if verdict is None
        else {"correct": verdict.correct, "score": verdict.score, "reason": verdict.reason, "unparsed": verdict.unparsed},
        "calls": spent.calls,
        "new_calls": result.new_calls,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "seconds": round(spent.seconds, 3),
        "cost": spent.cost,
        "taken_calls": spent.taken_calls,
        "error": result.error,
    }


def show(result: Result) -> None:
    """Print an result for a person."""
    from rich.table import Table  # noqa: PLC0415

    spent = result.spent
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("problem", safe(f"{result.problem.solver}  {result.problem.line}"))
    table.add_row("strategy", safe(f"{result.strategy} on {result.model}"))
    table.add_row("answer", safe(result.answer or "(none)", n_chars=400))
    if result.verdict is not None:
        word, style = {True: ("correct", "bold green"), False: ("not correct", "bold red"), None: ("not judged", "bold")}[
            result.verdict.correct
        ]
        table.add_row("verdict", safe(f"{word}: {result.verdict.reason}", style=style))
    if result.error:
        table.add_row(result.status, safe(in_flags(result.error), style="yellow"))
    read = spent.calls - result.new_calls - spent.taken_calls
    source = f" ({read} read back from run {result.run_id})" if read else ""
    source += f" ({spent.taken_calls} answered from earlier calls, cost 0)" if spent.taken_calls else ""
    table.add_row(
        "used",
        f"{spent.calls} call(s), {spent.prompt_tokens} prompt + {spent.completion_tokens} completion tokens, {spent.seconds:.1f} s{source}",
    )
    table.add_row("look", f"reasoner tree {result.trajectory_id}")
    out.print(table)
