"""`reasoner solve`: one problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe, say

if TYPE_CHECKING:
    from reasoner.runs.runner import Outcome

EPILOG = 'Examples:\n\n  reasoner solve game24 "4 9 10 13"\n\n  reasoner solve number_path "4 9 41" --strategy ats:order=dfs,shots=1 --model teacher'


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(solve)


@guarded
@o.expanded
def solve(
    solver: Annotated[str, typer.Argument(help="Problem family, see 'reasoner list'; NAME or NAME:SOURCE.", show_default=False)],
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

    outcome = run(solver, instance, strategy=strategy, model=model, **common.setup())
    if json:
        print_json(as_dict(outcome))
    if outcome.status == "failed":
        say(f"error: {outcome.error}; the call is kept in trajectory {outcome.trajectory_id}")
    elif not json:
        show(outcome)
    raise typer.Exit(_exit_code(outcome))


def _exit_code(outcome: Outcome) -> int:
    if outcome.correct:
        return 0
    return 3 if outcome.status == "failed" else 1


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    verdict = outcome.verdict
    spent = outcome.spent
    return {
        "run": outcome.run_id,
        "trajectory": outcome.trajectory_id,
        "solver": outcome.problem.solver,
        "instance": outcome.problem.line,
        "strategy": outcome.strategy,
        "model": outcome.model,
        "status": outcome.status,
        "answer": outcome.answer,
        "correct": outcome.correct,
        "verdict": None
        if verdict is None
        else {"correct": verdict.correct, "score": verdict.score, "reason": verdict.reason, "unparsed": verdict.unparsed},
        "calls": spent.calls,
        "new_calls": outcome.new_calls,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "seconds": round(spent.seconds, 3),
        "cost": spent.cost,
        "taken_calls": spent.taken_calls,
        "error": outcome.error,
    }


def show(outcome: Outcome) -> None:
    """Print an outcome for a person."""
    from rich.table import Table  # noqa: PLC0415

    spent = outcome.spent
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("problem", safe(f"{outcome.problem.solver}  {outcome.problem.line}"))
    table.add_row("strategy", safe(f"{outcome.strategy} on {outcome.model}"))
    table.add_row("answer", safe(_last_line(outcome.answer), n_chars=400))
    if outcome.verdict is not None:
        word, style = ("correct", "bold green") if outcome.verdict.correct else ("not correct", "bold red")
        table.add_row("verdict", safe(f"{word}: {outcome.verdict.reason}", style=style))
    if outcome.error:
        table.add_row(outcome.status, safe(outcome.error, style="yellow"))
    read = spent.calls - outcome.new_calls - spent.taken_calls
    source = f" ({read} read back from run {outcome.run_id})" if read else ""
    source += f" ({spent.taken_calls} answered from earlier calls, cost 0)" if spent.taken_calls else ""
    table.add_row(
        "used",
        f"{spent.calls} call(s), {spent.prompt_tokens} prompt + {spent.completion_tokens} completion tokens, {spent.seconds:.1f} s{source}",
    )
    table.add_row("look", f"reasoner tree {outcome.trajectory_id}")
    out.print(table)


def _last_line(answer: str | None) -> str:
    from reasoner.text import answer_line  # noqa: PLC0415

    if answer is None:
        return "(none)"
    lines = [line for line in answer[-10_000:].splitlines() if line.strip()]
    return answer_line(answer) or (lines[-1] if lines else "(empty)")
