"""`reasoner annotate`: a person's label and note on a trajectory."""

from __future__ import annotations

from typing import Annotated

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe
from reasoner.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples:\n\n  reasoner annotate 9b21 --label good --note 'Short, and right for the right reason.'\n\n"
        "  reasoner annotate 9b21 --remove\n\n  reasoner export sft train.jsonl --label good"
    )(annotate)


@guarded
def annotate(
    which: Annotated[
        str,
        typer.Argument(
            metavar="TRAJECTORY", help="Id of a trajectory, the beginning of one, or a run of one trajectory.", show_default=False,
            autocompletion=completing.ids,
        ),
    ],
    label: Annotated[
        str | None, typer.Option("--label", help="One line, at most 80 characters.", show_default=False, autocompletion=completing.labels)
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="At most 4,000 characters.", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove label and note.")] = False,
    db: o.Db = None,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Write a person's label and note on a trajectory, change them, or remove them; 'show', the pages and exports have them."""
    from reasoner.cli.browse import trajectory_of  # noqa: PLC0415
    from reasoner.store import Store, annotations  # noqa: PLC0415

    if remove == (label is not None or note is not None):
        raise UsageError(
            "--remove takes no label and no note" if remove else "there is nothing to write down",
            hint="give --label, --note or both, or --remove alone",
        )
    with Store.open(db, create=False) as store:
        found = trajectory_of(store, which)
        removed = annotations.remove_annotation(store, found) if remove else False
        made = None if remove else annotations.annotate(store, found, label=label, note=note)
    if json:
        print_json({"trajectory": found, "annotation": made})
        return
    if made is None:
        out.print(safe(f"trajectory {found}: {'the annotation is removed' if removed else 'it had no annotation'}"))
        return
    out.print(safe(f"trajectory {found}: {made['label'] or '(no label)'}"))
    if made["note"]:
        out.print(safe(made["note"]))
