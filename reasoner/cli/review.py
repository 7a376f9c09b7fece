"""`reasoner review`: translations worst first, to a file that a person edits and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, percent, print_json, safe, say
from reasoner.errors import UsageError

if TYPE_CHECKING:
    from reasoner.api.review import Review, Taken
    from reasoner.translation.adding import Added

EPILOG = (
    "Examples:\n\n  reasoner review --out review.tsv\n\n  reasoner review --take review.tsv --corpus ladin.corpus\n\n"
    "  reasoner review 3f9c --limit 20\n\n  reasoner export dpo edits.jsonl"
)
SHOWN = 50
SHOWN_LEFT = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(review)


@guarded
def review(
    which: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run of 'reasoner translate', or the beginning of one; 'last' is the newest.", autocompletion=completing.ids),
    ] = "last",
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Review file to write: .tsv, .csv or .jsonl. A person fills its column `edited`.", show_default=False),
    ] = None,
    take: Annotated[Path | None, typer.Option("--take", help="Review file whose edits are taken in.", show_default=False)] = None,
    corpus: Annotated[
        Path | None, typer.Option("--corpus", help="With --take: index file that gets the edits as its best examples.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many are shown.")] = SHOWN,
    db: o.Db = None,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Show the translations of a run, worst first, with their evidence; write them to a file to edit; take the edits in."""
    from reasoner.api import review as api  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick

    if take and (out_file or which != "last"):
        raise UsageError("--take reads its runs from the file, and writes no other", hint="leave RUN and --out out")
    if corpus and not take:
        raise UsageError("--corpus gets the edits of --take", hint="'reasoner corpus add CORPUS --run RUN' adds the edits of a run")
    if take:
        taken = api.take_edits(take, db=db)
        added = api.add_edits(corpus, taken.runs, db=db) if corpus and taken.runs else None
        _told(taken, corpus, added, json=json)
        return
    made = api.review(which, db=db)
    if out_file:
        n = api.write_review(made, out_file)
        say(
            f"{out_file}: {n} translations of run {made.run_id}, worst first; fill the column edited, then: reasoner review --take {out_file}"
        )
    if json:
        print_json({"run": made.run_id, "rows": [_as_dict(row) for row in made.rows]})
    elif not out_file:
        _show(made, limit)


def _told(taken: Taken, corpus: Path | None, added: Added | None, *, json: bool) -> None:
    if json:
        facts: dict[str, Any] = {
            "runs": list(taken.runs),
            "edited": taken.n_edited,
            "confirmed": taken.n_confirmed,
            "left": list(taken.left),
        }
        if added:
            facts["corpus"] = {"new": added.n_new, "replaced": added.n_replaced, "known": added.n_known, "lines": added.n_lines}
        print_json(facts)
        return
    for row in taken.left[:SHOWN_LEFT]:
        say(f"left: {row}")
    if len(taken.left) > SHOWN_LEFT:
        say(f"... and {len(taken.left) - SHOWN_LEFT} more left")
    out.print(safe(f"{taken.n_edited} edited, {taken.n_confirmed} confirmed, {len(taken.left)} left"))
    if added:
        out.print(safe(told_of(corpus, added)))
    elif taken.runs:
        say(f"put them into a corpus: reasoner corpus add CORPUS {' '.join(f'--run {run}' for run in taken.runs)}")


def told_of(corpus: Path | None, added: Added) -> str:
    """Say what was added to a corpus."""
    return f"{corpus}: {added.n_new} new, {added.n_replaced} replaced, {added.n_known} there already; {added.n_lines:,} lines"


def _show(made: Review, limit: int) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    out.print(Text(f"run {made.run_id}: {len(made.rows)} translations, worst first", style="bold"))
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for row in made.rows[:limit]:
        table.add_row(row.id, safe(row.sentence))
        table.add_row("", safe(row.translation or "(none)", style="green" if row.translation else "red"))
        if row.edited:
            table.add_row("edited", safe(row.edited, style="bold"))
        facts = [
            *([] if row.coverage is None else [f"coverage {percent(row.coverage)}"]), f"{row.n_examples} example(s)", *row.why,
            *(f"{score:g} % like: {source}" for score, source, _ in row.matches[:1]),
        ]  # fmt: skip
        table.add_row("", safe("; ".join(facts), style="dim"))
    out.print(table)
    if len(made.rows) > limit:
        say(f"... and {len(made.rows) - limit} more (--limit, or --out FILE)")


def _as_dict(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "from": row.source, "to": row.target, "source": row.sentence, "translation": row.translation, "edited": row.edited,
        "why": list(row.why), "coverage": row.coverage, "examples": row.n_examples, "fragments": list(row.fragments), "unknown": list(row.unknown),
        "like": [{"score": score, "source": source, "target": target} for score, source, target in row.matches],
    }  # fmt: skip
