"""`reasoner actions`, `approve`, `deny`: what waits for a person, and what the person says."""

from __future__ import annotations

from typing import Annotated

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe

Action = Annotated[int, typer.Argument(help="The number of an action, see 'reasoner actions'.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Reason that the model is given.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example:\n\n  reasoner actions")(actions)
    app.command(epilog="Example:\n\n  reasoner approve 17 && reasoner resume last")(approve)
    app.command(epilog="Example:\n\n  reasoner deny 17 --reason 'Too dear.'")(deny)


@guarded
def actions(db: o.Db = None, json: o.Json = False) -> None:
    """List the actions that wait for a person, with their arguments."""
    from rich.table import Table  # noqa: PLC0415 - keeps --help quick

    from reasoner.store import Store  # noqa: PLC0415
    from reasoner.store.actions import waiting  # noqa: PLC0415

    with Store.read(db) as store:
        rows = waiting(store)
    if json:
        print_json({"actions": rows})
        return
    if not rows:
        out.print("no action waits for a person")
        return
    table = Table("action", "run", "tool", "arguments", "since")
    for row in rows:
        table.add_row(str(row["id"]), row["run_id"], safe(row["tool"]), safe(row["arguments"], n_chars=400), row["created"][:19])
    out.print(table)


@guarded
def approve(action: Action, db: o.Db = None, json: o.Json = False) -> None:
    """Allow a waiting action. 'reasoner resume', or the command that began its run, then makes it and continues."""
    _decide(action, "approved", db=db, json=json)


@guarded
def deny(action: Action, reason: Reason = "", db: o.Db = None, json: o.Json = False) -> None:
    """Deny a waiting action; the model is told, and its run continues with 'reasoner resume'."""
    _decide(action, "denied", reason=reason, db=db, json=json)


def _decide(action: int, decision: o.Decided, *, db: o.Db, json: bool, reason: str = "") -> None:
    from reasoner.store import Store  # noqa: PLC0415
    from reasoner.store.actions import decide, waiting  # noqa: PLC0415

    with Store.open(db, create=False) as store:
        row = decide(store, action, decision, reason=reason)
        left = len(waiting(store, run_id=row["run_id"]))
    if json:
        print_json({"action": action, "state": row["state"], "run": row["run_id"], "left": left})
        return
    more = f"{left} more of this run wait" if left else f"continue with 'reasoner resume {row['run_id']}'"
    out.print(safe(f"action {action} ({row['tool']}) is {decision}; {more}"))
