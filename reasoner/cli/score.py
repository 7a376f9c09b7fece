"""`reasoner score`: outputs that some model gave, judged by our graders without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasoner.cli import options as o
from reasoner.cli import question_options as q
from reasoner.cli.bench import group_tables, table
from reasoner.cli.options import command_line
from reasoner.cli.output import guarded, out, print_json, safe, say

MAX_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example:\n\n  reasoner score outputs.jsonl --problems question:gsm8k.jsonl\n\n"
        "  reasoner score outputs.jsonl --problems question:math.jsonl --grader math --grader exact"
    )(score)


@guarded
def score(
    file: Annotated[Path, typer.Argument(help="Rows with an output each: output, response, completion, resps, ...", show_default=False)],
    problems: Annotated[str, typer.Option("--problems", help="The question file they answer: question:FILE.", show_default=False)],
    grader: Annotated[
        list[str] | None,
        typer.Option("--grader", help="Grader; several are compared (default: by the kind of the gold).", show_default=False),
    ] = None,
    reader: Annotated[str | None, typer.Option("--reader", help="How answers are found in the outputs.", show_default=False)] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="See 'reasoner list benchmarks'.", show_default=False)] = None,
    columns: Annotated[str | None, typer.Option("--map", help="What the columns of the question file are.", show_default=False)] = None,
    root: Annotated[
        str | None, typer.Option("--root", help="Path of the rows in the question file: data.examples.", show_default=False)
    ] = None,
    text: Annotated[str, typer.Option("--text", help="Column that holds the outputs.", show_default=False)] = "",
    name: Annotated[str, typer.Option("--name", help="What tables call the model (default: the file's name).", show_default=False)] = "",
    by: Annotated[str | None, typer.Option("--by", help="Report by these columns of the question file.", show_default=False)] = None,
    db: o.Db = None,
    *,
    json: o.Json = False,
) -> None:
    """Judge outputs of a file by the graders named, with a table and a run in the store; several graders are compared answer by answer."""
    from reasoner.api.questions import score as run  # noqa: PLC0415 - keeps --help quick
    from reasoner.grading.trust import trust  # noqa: PLC0415

    asked = q.Questions(map=columns, root=root, reader=reader, recipe=recipe, by=by)
    (named,) = asked.names([problems])
    for spec in grader or ():
        trust(spec)
    made = run(file, named, graders=grader or (), text=text, model=name, db=db, command=command_line())
    from reasoner.comparison.groups import grouped_rows  # noqa: PLC0415 - keeps --help quick

    groups = grouped_rows(made.bench.report.results, asked.columns([named]))
    if json:
        print_json(made.as_dict() | ({"groups": [each.as_dict() for each in groups]} if groups else {}))
        return
    out.print(table(made.bench.rows))
    for each in group_tables(groups):
        out.print()
        out.print(each)
    for difference in made.differ[:MAX_SHOWN]:
        verdicts = ", ".join(f"{who}: {'right' if said['correct'] else 'wrong'}" for who, said in difference["verdicts"].items())
        out.print(safe(f"{verdicts}   {difference['answer'] or ''}", n_chars=160), soft_wrap=True)
    if made.differ:
        out.print(safe(f"{len(made.differ)} answers are judged differently"))
    if made.unmatched or made.missing:
        say(f"{made.unmatched} outputs belong to no problem, {made.missing} problems have no output")
    run_id = made.bench.report.run_id
    out.print(safe(f"run {run_id}: look with 'reasoner show {run_id}'", style="dim"))
