"""`reasoner runs`, `show`, `tree`: look at what was recorded."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.drawn import lines_of
from reasoner.cli.output import guarded, one_line, out, print_json, safe, say
from reasoner.errors import UnknownName, UsageError
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store import Store
    from reasoner.store.queries import Place
    from reasoner.trajectory import Thought, Trajectory

FOLDED_CHARS = 60
"""So much of a thought is shown where it is folded."""
STATUS_STYLES = {"final": "bold green", "kept": "bold", "pruned": "dim", "open": ""}

PER_PAGE = 100
"""Trajectories, or calls, of one page of `show`."""
TREE_DEPTH = 12
"""So deep a tree is drawn on the narrowest terminal; a wider one has room for more."""
TREE_WIDTH = 50
TREE_LINES = 2000

Which = Annotated[
    str, typer.Argument(help="Id of a run or trajectory, or the beginning of one; 'last' is the newest run.", autocompletion=completing.ids)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Examples:\n\n  reasoner runs --json\n\n  reasoner runs /mnt/run7")(runs)
    app.command(epilog="Examples:\n\n  reasoner show last\n\n  reasoner show 3f9c --full")(show)
    app.command(epilog="Examples:\n\n  reasoner tree\n\n  reasoner tree 9b21 --json")(tree)


def _open(db: Any) -> Store:
    from reasoner.store import Store  # noqa: PLC0415

    return Store.read(db)


@guarded
def runs(
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR|URL]", help="Shared folder of a sharded run: list its shards.", show_default=False)
    ] = None,
    db: o.Db = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    json: o.Json = False,
) -> None:
    """List the newest runs; ↻ marks those that can be resumed. Of a sharded run: its shards, with node, epoch and lag."""
    if folder is not None:
        from reasoner.cli.shards_table import show_shards  # noqa: PLC0415

        show_shards(folder, json=json)
        return
    from reasoner.cli.lists import runs_table  # noqa: PLC0415
    from reasoner.store.run_queries import asked_of  # noqa: PLC0415
    from reasoner.store.run_queries import runs as newest  # noqa: PLC0415

    with _open(db) as store:
        rows = [{name: value for name, value in row.items() if name != "manifest"} for row in newest(store, limit=limit)]
        asked = asked_of(store, [row["id"] for row in rows])
    if json:
        print_json(rows)
        return
    out.print(runs_table(rows, asked, width=out.width))


@guarded
def show(
    which: Which = "last",
    db: o.Db = None,
    full: Annotated[bool, typer.Option("--full", help="Print whole prompts and replies.")] = False,
    page: Annotated[int, typer.Option("--page", min=1, help="Which page of the trajectories, or of the calls.")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of a page.")] = PER_PAGE,
    json: o.Json = False,
) -> None:
    """Show a run (its trajectories) or a trajectory (its calls, with prompts and replies), a page at a time."""
    from reasoner.store import queries, run_queries  # noqa: PLC0415

    with _open(db) as store:
        kind, found = queries.resolve(store, which)
        offset = (page - 1) * limit
        if kind == "run":
            n = run_queries.totals(store, [found])[found]["trajectories"]
            whole = queries.trajectories if json else queries.trajectory_page
            rows = whole(store, found, limit=limit, offset=offset)
            _show_run(found, rows, json=json, n=n)
        else:
            n = queries.n_calls(store, found)
            facts = trajectory_facts(store, found, limit=limit, offset=offset) or {}
            rows = facts["call_rows"]
            if json:
                print_json(facts | {"n_calls": n})
            else:
                show_trajectory(facts, full=full, first=offset + 1)
    if len(rows) < n and not json:
        what = "trajectories" if kind == "run" else "calls"
        shown = f"{offset + 1:,} to {offset + len(rows):,}" if rows else "none"
        more = f"; --page {page + 1} shows further ones" if offset + len(rows) < n else ""
        say(f"{what} {shown} of {n:,}{more}")


def trajectory_facts(store: Store, trajectory_id: str, *, limit: int = -1, offset: int = 0) -> dict[str, Any] | None:
    """Return a trajectory's row with its calls, their prompts and replies (`call_rows`); None when it is not there."""
    from reasoner.store import queries  # noqa: PLC0415
    from reasoner.store.actions import actions_of  # noqa: PLC0415

    row = queries.trajectory_row(store, trajectory_id)
    if row is None:
        return None
    calls = queries.calls(store, trajectory_id, limit=limit, offset=offset)
    for call in calls:
        parts = jsonlib.loads(call.pop("parts") or "{}")
        call |= {"tool_calls": parts.get("tool_calls", []), "opaque": parts.get("opaque", "")}
        call["messages"] = [{"role": m.role, "content": m.content} | m.parts() for m in queries.prompt_of(store, call["context_id"])]
    return {**row, "call_rows": calls, "actions": actions_of(store, trajectory_id)}


def _show_run(run_id: str, rows: list[dict[str, Any]], *, json: bool, n: int) -> None:
    from reasoner.cli.lists import trajectories_table  # noqa: PLC0415

    if json:
        print_json({"run": run_id, "n_trajectories": n, "trajectories": rows})
        return
    out.print(trajectories_table(rows, width=out.width))


def verdict_of(row: dict[str, Any]) -> str:
    """Say what the verdict is, what compared and what found the answer, and who judged where it was a model."""
    word = {None: "not judged", 0: "not correct", 1: "correct"}[row["correct"]]
    by = f"judged by {row['judged_by']}" if row.get("judged_by") else row.get("grader") or ""
    how = ", ".join(part for part in (by, row.get("reader") and f"read by {row['reader']}") if part)
    return f"{word} ({how})" if how else word


def show_trajectory(row: dict[str, Any], *, full: bool, first: int = 1) -> None:
    """Print a trajectory's calls as `trajectory_facts` returns them; `first` is the number of the first one."""
    out.print(
        safe(
            f"trajectory {row['id']} of run {row['run_id']}: {row['solver']} {row['line']}, {row['strategy']} on {row['model']}",
            style="bold",
        )
    )
    out.print(safe(f"status {row['status']}, {verdict_of(row)}: {row['reason'] or row['error'] or ''}"))
    if row["annotation_label"] is not None:
        out.print(safe(f"annotation {row['annotation_label'] or '(no label)'}", style="yellow"))
        if row["annotation_note"]:
            out.print(safe(row["annotation_note"]))
    for number, call in enumerate(row["call_rows"], start=first):
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
    for action in row["actions"]:
        out.print()
        took = f"  {action['seconds']:.2f} s" if action["seconds"] is not None else ""
        out.print(safe(f"action {action['id']} {action['state']}  {action['tool']}  effect {action['effect']}{took}", style="bold cyan"))
        _print_turn("arguments", action["arguments"], {}, full=full)
        _print_turn("result", action["result"] or action["error"] or "", {}, full=full)


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
def tree(
    which: Which = "last",
    db: o.Db = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, help="Thoughts deeper than this are left out [what the terminal has room for].")
    ] = None,
    width: Annotated[int, typer.Option("--width", min=1, help="Greatest number of children drawn below a thought.")] = TREE_WIDTH,
    json: o.Json = False,
) -> None:
    """Draw a trajectory's thoughts as a tree: ★ final, ● kept, ✕ pruned (dimmed), ○ open; then its answer, where its family draws one (✕ is wrong)."""
    from reasoner.store import queries  # noqa: PLC0415
    from reasoner.store.actions import actions_of, waiting  # noqa: PLC0415

    with _open(db) as store:
        found = trajectory_of(store, which)
        row = queries.trajectory_row(store, found) or {}
        if json:
            dag = queries.load_trajectory(store, found)
            thoughts = [_node(dag, thought) for thought in dag.thoughts()]
            done = actions_of(store, found)
            print_json({"trajectory": found, "run": row["run_id"], "hash": dag.hash(), "thoughts": thoughts, "actions": done})
            return
        waits = waiting(store, trajectory_id=found)
        drawn = draw(store, found, depth=depth or max(TREE_DEPTH, (out.width - 40) // 4), width=width)
    verdict = verdict_of(row)
    out.print(safe(f"{row['solver']} {row['line']}  {row['strategy']} on {row['model']}: {verdict}", style="bold"))
    out.print(drawn)
    from reasoner.api.drawn import drawing_of  # noqa: PLC0415 - keeps --help quick

    if (picture := drawing_of(row)) is not None:
        out.print()
        for line in lines_of(picture):
            out.print(line)
    for action in waits:
        said = f"… {action['tool']} {action['arguments']} waits for a person: 'reasoner approve {action['id']}' or 'reasoner deny {action['id']}'"
        out.print(safe(said, style="yellow"))


def trajectory_of(store: Store, which: str) -> str:
    """Return the id of a trajectory: that an id begins so, or the only one of a run that does.

    Raises:
        UsageError: the run has none, or several.
    """
    from reasoner.store import queries  # noqa: PLC0415

    kind, found = queries.resolve(store, which)
    return _only_trajectory(store, found) if kind == "run" else found


def _only_trajectory(store: Store, run_id: str) -> str:
    from reasoner.store import queries, run_queries  # noqa: PLC0415

    n = run_queries.totals(store, [run_id])[run_id]["trajectories"]
    ids = queries.trajectory_ids(store, run_id, limit=1)
    if n == 1:
        return ids[0]
    if not ids:
        raise UsageError(f"run {run_id} has no trajectory yet", hint="resume it with its command")
    raise UsageError(f"run {run_id} has {n:,} trajectories", hint=f"name one from 'reasoner show {run_id}', the first is {ids[0]}")


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


def draw(store: Store, trajectory_id: str, *, depth: int, width: int) -> Any:
    """Return a rich tree of a trajectory, bounded; what is left out is said where it would stand.

    Pruned branches are dimmed, told apart by sign as well as by colour. Only the texts that are drawn are read.

    Raises:
        UnknownName: no thought is committed yet.
    """
    from rich.tree import Tree  # noqa: PLC0415

    from reasoner.store import queries  # noqa: PLC0415

    places = queries.skeleton(store, trajectory_id)
    if not places:
        raise UnknownName("trajectory", trajectory_id, [])
    below = n_below(places)
    children: dict[str | None, list[str]] = {}
    for place in places:
        children.setdefault(place.parent, []).append(place.id)
    chosen = _chosen(places[0].id, children, depth=depth, width=width)
    rows = queries.thoughts_of(store, chosen)
    top = Tree(_line(rows[places[0].id]), guide_style="dim")
    branches = {places[0].id: top}
    for name in chosen:
        drawn = [child for child in children.get(name, ()) if child in rows]
        for child in drawn:
            branches[child] = branches[name].add(_line(rows[child]))
        if drawn and (left := sum(1 + below[child] for child in children[name][len(drawn) :])):
            branches[name].add(_left_out(f"{left:,} thoughts in {len(children[name]) - len(drawn):,} further branches (--width)"))
        elif not drawn and below[name]:
            branches[name].add(_left_out(f"{below[name]:,} thoughts below (--depth)"))
    return top


def n_below(places: Sequence[Place]) -> dict[str, int]:
    """Count the thoughts below each, of a trajectory in the order of its thoughts: parents stand before their children."""
    below = dict.fromkeys((place.id for place in places), 0)
    for place in reversed(places):
        if place.parent in below:
            below[place.parent] += 1 + below[place.id]
    return below


def _chosen(root: str, children: Mapping[str | None, list[str]], *, depth: int, width: int) -> list[str]:
    """Return the thoughts to draw, level by level, so that what is left out is what is deepest."""
    chosen, level = [root], [root]
    for _ in range(depth):
        level = [child for name in level for child in children.get(name, ())[:width]][: max(0, TREE_LINES - len(chosen))]
        chosen += level
    return chosen


def _left_out(what: str) -> Any:
    return one_line(f"… {what}", style="dim italic")


def _line(row: Mapping[str, Any]) -> Any:
    from reasoner.store.actions import SIGNS as ACTION_SIGNS  # noqa: PLC0415
    from reasoner.types import SIGNS  # noqa: PLC0415

    state = row["state"] if isinstance(row["state"], str) else jsonlib.dumps(row["state"]) if row["state"] is not None else ""
    if row["action_state"]:  # what a tool was asked, how that ended, and what it gave
        took = f" {row['action_seconds']:.2f} s" if row["action_seconds"] else ""
        body = f"{row['operation']} {ACTION_SIGNS[row['action_state']]} {row['action_state']}{took} = {row['text']}"
    else:
        body = " ".join(part for part in (state, f"({row['operation']})" if row["operation"] else "") if part) or row["text"] or ""
    score = f"  [{row['score']:g}]" if row["score"] is not None else ""
    head = f"{row['label']} " if row["label"] else f"{row['role']}: "
    thought = f"  (thought: {shorten(row['reasoning'], FOLDED_CHARS)})" if row["reasoning"] else ""
    return one_line(f"{SIGNS[row['status']]} " + head + body + score + thought, style=STATUS_STYLES[row["status"]])
