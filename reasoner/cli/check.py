"""`reasoner check`: what a question file is understood as, before any call."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli import question_options as q
from reasoner.cli.output import guarded, out, print_json, safe


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example:\n\n  reasoner check gpqa_diamond.csv\n\n  reasoner check dev.json --root data --map question=q,answer=a")(
        check
    )


@guarded
@q.expanded
def check(
    file: Annotated[str, typer.Argument(help="A question file, or question:FILE.", show_default=False)],
    *,
    questions: q.Questions,
    prompts: o.PromptDir = None,
    json: o.Json = False,
) -> None:
    """Say what a question file is understood as: its layout, rows, graders, columns, what is wrong, and the first question as it is asked."""
    from reasoner.api.questions import check as understood  # noqa: PLC0415 - keeps --help quick

    name = file if file.partition(":")[0] == "question" else f"question:{file}"
    (named,) = questions.names([name], quiet=True)
    made = understood(named, prompts=prompts).summary()
    if json:
        print_json(made)
        return
    for key in ("file", "kind", "encoding", "layout"):
        out.print(safe(f"{key:10} {made[key]}"), soft_wrap=True)
    out.print(
        safe(f"{'rows':10} {made['usable']} of {made['rows']} can be asked; {made['choices']} with choices, {made['aliases']} with aliases")
    )
    out.print(safe(f"{'graders':10} {_counted(made['graders'])}"), soft_wrap=True)
    out.print(safe(f"{'readers':10} {_counted(made['readers'])}"), soft_wrap=True)
    out.print(safe(f"{'columns':10} {', '.join(made['columns']) or '-'} (for --by)"), soft_wrap=True)
    shots = "none named" if made["shots"] is None else f"{made['shots']} worked examples"
    out.print(safe(f"{'shots':10} {shots}; {made['worked_solutions']} rows of this file have worked solutions"), soft_wrap=True)
    for fault in made["faults"]:
        out.print(safe(f"left out: {fault}", style="yellow"), soft_wrap=True)
    if made["n_faults"] > len(made["faults"]):
        out.print(safe(f"... and {made['n_faults'] - len(made['faults'])} more", style="yellow"))
    out.print()
    out.print(safe(f"the first, line {made['first']['line']}:", style="bold"))
    out.print(safe(made["first"]["statement"]), soft_wrap=True)
    out.print(safe(made["first"]["right_answer"], style="green"), soft_wrap=True)


def _counted(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())
