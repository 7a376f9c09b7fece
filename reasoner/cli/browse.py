"""`reasoner runs`, `show`, `tree`: look at what was recorded."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, one_line, out, print_json, safe
from reasoner.errors import UsageError
from reasoner.text import shorten

if TYPE_CHECKING:
    from reasoner.store import Store
    from reasoner.trajectory import Thought, Trajectory

FOLDED_CHARS = 60
"""So much of a thought is shown where it is folded."""
STATUS_STYLES = {"final": "bold green", "kept": "bold", "pruned": "dim", "open": ""}

Which = Annotated[str, typer.Argument(help="Id of a run or trajectory, or the beginning of one; 'last' is the newest run.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example:\n\n  reasoner runs --json")(runs)
    app.command(epilog="Examples:\n\n  reasoner show last\n\n  reasoner show 3f9c --full")(show)
    app.command(epilog="Examples:\n\n  reasoner tree\n\n  reasoner tree 9b21 --json")(tree)


def _open(db: Any) -> Store:
    from reasoner.store import Store  # noqa: PLC0415

    return Store.read(db)


@guarded
def runs(
    db: o.Db = None, limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20, json: o.Json = False
) -> None:
    """List the newest runs; ↻ marks those that 'reasoner resume' can go on with."""
    from rich.table import Table  # noqa: PLC0415

    from reasoner.store.run_queries import runs as newest  # noqa: PLC0415

    with _open(db) as store:
        rows = [{name: value for name, value in row.items() if name != "manifest"} for row in newest(store, limit=limit)]
    if json:
        print_json(rows)
        return
    narrow = out.width < 120
    length = 14 if narrow else 40
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("run", "status", "started (UTC)", "solvers", "strategies", *(() if narrow else ("models",))):
        table.add_column(name, no_wrap=True)
    for name in ("correct", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        names = ("solvers", "strategies") if narrow else ("solvers", "strategies", "models")
        started = row["created"][5:16] if narrow else row["created"][:19]
        table.add_row(
            row["id"], _status(row), started.replace("T", " "), *(safe(", ".join(row[name]), n_chars=length) for name in names),
            f"{row['correct']}/{row['trajectories']}", str(row["prompt_tokens"] + row["completion_tokens"]),
        )  # fmt: skip
    out.print(table)


def _status(row: dict[str, Any]) -> str:
    """Write a run's status: `running` only where somebody is at it, and an arrow where `reasoner resume` would go on."""
    return ("interrupted" if row["status"] == "running" and row["resumable"] else str(row["status"])) + (" ↻" if row["resumable"] else "")


@guarded
def show(
    which: Which = "last",
    db: o.Db = None,
    full: Annotated[bool, typer.Option("--full", help="Print whole prompts and replies.")] = False,
    json: o.Json = False,
) -> None:
    """Show a run (its trajectories) or a trajectory (its calls, with prompts and replies)."""
    from reasoner.store import queries  # noqa: PLC0415

    with _open(db) as store:
        kind, found = queries.resolve(store, which)
        if kind == "run":
            rows = queries.trajectories(store, found)
            _show_run(found, rows, json=json)
            return
        facts = trajectory_facts(store, found) or {}
    if json:
        print_json(facts)
    else:
        show_trajectory(facts, full=full)


def trajectory_facts(store: Store, trajectory_id: str) -> dict[str, Any] | None:
    """Return a trajectory's row with its calls, their prompts and replies (`call_rows`); None when it is not there."""
    from reasoner.store import queries  # noqa: PLC0415

    row = queries.trajectory_row(store, trajectory_id)
    if row is None:
        return None
    calls = queries.calls(store, trajectory_id)
    for call in calls:
        parts = jsonlib.loads(call.pop("parts") or "{}")
        call |= {"tool_calls": parts.get("tool_calls", []), "opaque": parts.get("opaque", "")}
        call["messages"] = [{"role": m.role, "content": m.content} | m.parts() for m in queries.prompt_of(store, call["context_id"])]
    return {**row, "call_rows": calls}


def _show_run(run_id: str, rows: list[dict[str, Any]], *, json: bool) -> None:
    from rich.table import Table  # noqa: PLC0415

    if json:
        print_json({"run": run_id, "trajectories": rows})
        return
    wide = out.width >= 120
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("trajectory", "solver"):
        table.add_column(name, no_wrap=True, min_width=16 if name == "trajectory" else None)
    for name in ("instance", "strategy", *(("model", "status") if wide else ()), "verdict"):
        table.add_column(name, overflow="fold")
    for row in rows:
        verdict = row["status"] if row["correct"] is None else f"{'correct' if row['correct'] else 'not correct'}: {row['reason']}"
        middle = (safe(row["model"], n_chars=24), row["status"]) if wide else ()
        table.add_row(
            row["id"], row["solver"], safe(row["line"], n_chars=24), safe(row["strategy"]), *middle,
            safe(verdict, n_chars=70 if wide else 28, style="green" if row["correct"] else ""),
        )  # fmt: skip
    out.print(table)


def show_trajectory(row: dict[str, Any], *, full: bool) -> None:
    """Print a trajectory's calls as `trajectory_facts` returns them."""
    out.print(
        safe(
            f"trajectory {row['id']} of run {row['run_id']}: {row['solver']} {row['line']}, {row['strategy']} on {row['model']}",
            style="bold",
        )
    )
    out.print(safe(f"status {row['status']}, {'correct' if row['correct'] else 'not correct'}: {row['reason'] or row['error'] or ''}"))
    for number, call in enumerate(row["call_rows"], start=1):
        out.print()
        out.print(
            safe(
                f"call {number} {call['state']}  {call['role']}  template {call['template_hash'][:12]}  seed {call['seed']}  constraint"
                f" {call['constraint_applied'] or '-'}  {call['prompt_tokens'] or 0}+{call['completion_tokens'] or 0} tokens"
                + (f"  cached from call {call['cached_from']}" if call["cached_from"] else ""),
                style="bold cyan",
            )
        )
        for message in call["messages"]:
            _print_turn(message["role"], message["content"], message, full=full)
        _print_turn("reply", call["reply"] or call["error"] or "", call, full=full)


def _print_turn(role: str, text: str, parts: dict[str, Any], *, full: bool) -> None:
    """Print one turn: what was thought before it (folded to a line), what it says, and the tools it asks for."""
    length = None if full else 600
    if thought := parts.get("reasoning"):
        shown = safe(thought) if full else one_line(f"{shorten(thought, FOLDED_CHARS)} ({len(thought)} characters, --full shows them)")
        out.print(safe("[thought] ", style="dim") + shown)
    out.print(safe(f"[{role}] ", style="dim") + safe(text, n_chars=length))
    for _, name, arguments in parts.get("tool_calls") or ():
        out.print(safe("[tool call] ", style="dim") + safe(f"{name} {arguments}", n_chars=length))


@guarded
def tree(which: Which = "last", db: o.Db = None, json: o.Json = False) -> None:
    """Draw a trajectory's thoughts as a tree: ★ final, ● kept, ✕ pruned (dimmed), ○ open."""
    from reasoner.store import queries  # noqa: PLC0415

    with _open(db) as store:
        kind, found = queries.resolve(store, which)
        if kind == "run":
            found = _only_trajectory(found, queries.trajectories(store, found))
        row = queries.trajectory_row(store, found) or {}
        dag = queries.load_trajectory(store, found)
    if json:
        print_json({"trajectory": found, "run": row["run_id"], "hash": dag.hash(), "thoughts": [_node(dag, t) for t in dag.thoughts()]})
        return
    verdict = "-" if row["correct"] is None else ("correct" if row["correct"] else "not correct")
    out.print(safe(f"{row['solver']} {row['line']}  {row['strategy']} on {row['model']}: {verdict}", style="bold"))
    out.print(draw(dag))


def _only_trajectory(run_id: str, rows: list[dict[str, Any]]) -> str:
    if len(rows) == 1:
        return str(rows[0]["id"])
    if not rows:
        raise UsageError(f"run {run_id} has no trajectory yet", hint="let it go on with its command")
    raise UsageError(
        f"run {run_id} has {len(rows)} trajectories", hint=f"name one from 'reasoner show {run_id}', the first is {rows[0]['id']}"
    )


def _node(dag: Trajectory, thought: Thought) -> dict[str, Any]:
    mark = dag.mark_of(thought)
    return {
        "id": thought.id,
        "parents": [parent.id for parent in dag.parents(thought)],
        "role": thought.role,
        "label": thought.label,
        "operation": thought.operation,
        "state": mark.state,
        "score": mark.score,
        "status": mark.status,
        "call": dag.call_of(thought),
        "text": thought.text,
        "reasoning": thought.reasoning,
    }


def draw(dag: Trajectory) -> Any:
    """Return a rich tree of a trajectory; pruned branches dimmed, told apart by sign as well as by colour."""
    from rich.tree import Tree  # noqa: PLC0415

    top = Tree(_line(dag, dag.root), guide_style="dim")
    pending = [(dag.root, top)]
    while pending:
        thought, branch = pending.pop()
        pending.extend((child, branch.add(_line(dag, child))) for child in dag.children(thought))
    return top


def _line(dag: Trajectory, thought: Thought) -> Any:
    from reasoner.trajectory import SIGNS  # noqa: PLC0415 - networkx is slow to load

    mark = dag.mark_of(thought)
    state = mark.state if isinstance(mark.state, str) else jsonlib.dumps(mark.state) if mark.state is not None else ""
    if dag.graph.nodes[thought.id]["action"] is not None:
        body = f"{thought.operation} = {thought.text}"  # what a tool was asked, and what it gave
    else:
        body = " ".join(part for part in (state, f"({thought.operation})" if thought.operation else "") if part) or thought.text
    score = f"  [{mark.score:g}]" if mark.score is not None else ""
    head = f"{thought.label} " if thought.label else f"{thought.role}: "
    thought_of = f"  (thought: {shorten(thought.reasoning, FOLDED_CHARS)})" if thought.reasoning else ""
    return one_line(f"{SIGNS[mark.status]} " + head + body + score + thought_of, style=STATUS_STYLES[mark.status])
