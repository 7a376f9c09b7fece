"""`reasoner export`: verified trajectories as a training file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, print_json, say
from reasoner.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples:\n\n  reasoner export sft train.jsonl\n\n  reasoner export sft train.jsonl --solver game24 --strategy ats"
    )(export)


@guarded
def export(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="Dataset format, see 'reasoner list'.", show_default=False)],
    path: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, JSON lines.", show_default=False)],
    db: o.Db = None,
    run: Annotated[str, typer.Option("--run", help="Only this run.", show_default=False)] = "",
    solver: Annotated[str, typer.Option("--solver", help="Only this problem family.", show_default=False)] = "",
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="Only this strategy.", show_default=False)] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="Only this model.", show_default=False)] = "",
    json: o.Json = False,
) -> None:
    """Write the verified trajectories as training rows; each is verified once more, and says where it came from."""
    from reasoner.datasets.export import export as write  # noqa: PLC0415
    from reasoner.datasets.select import Filters  # noqa: PLC0415
    from reasoner.store import Store, queries  # noqa: PLC0415

    with Store.open(db, create=False) as store:
        filters = Filters(run=queries.resolve(store, run)[1] if run else "", solver=solver, strategy=strategy, model=model)
        tally = write(store, format_name, path, filters)
    if not tally.taken:
        raise UsageError(
            f"no verified trajectory to export ({tally.seen} looked at); {path} was not written",
            hint="solve something first, or widen the filters",
        )
    if json:
        print_json({"path": str(path), "format": format_name, "rows": tally.taken, "seen": tally.seen, "left_out": tally.left_out})
        return
    say(f"{path}: {tally.taken} rows of {tally.seen} verified trajectories")
    for reason, count in tally.left_out.items():
        say(f"  left out {count}: {reason}")
