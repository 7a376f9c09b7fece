"""The shards of a run as a table, and what is amiss with them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reasoner.cli.columns import Fit, fitted
from reasoner.cli.output import out, print_json, safe
from reasoner.scale.manifest import read_run
from reasoner.scale.shared import shared
from reasoner.scale.status import granted, status
from reasoner.store.claims import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.scale.status import ShardStatus

COLUMNS = (
    Fit("shard", right=True), Fit("state"), Fit("node", text=True), Fit("epoch", right=True, drop=2), Fit("done", right=True), Fit("calls", right=True, drop=3),
    Fit("segments", right=True, drop=4), Fit("heard of", right=True, drop=1),
)  # fmt: skip


def show_shards(folder: str, *, json: bool) -> None:
    """Print how every shard of a run stands.

    Raises:
        ReasonerError: the folder is none of a sharded run, or cannot be read.
    """
    place = shared(folder)
    run, found, budget = read_run(place), status(place), granted(place)
    if json:
        print_json({"run": run.run, "command": run.how.command, "shards": [each.as_dict() for each in found], "granted": budget})
        return
    lines = [
        [
            safe(str(each.shard)), safe(each.state, style=_STYLES.get(each.state, "")), safe(each.node), safe(str(each.epoch or "")),
            safe(f"{each.closed}/{each.total}"), safe(str(each.calls or "")), safe(str(each.segments or "")), safe(ago(each.lag_s)),
        ]
        for each in found
    ]  # fmt: skip
    table = fitted(COLUMNS, lines, width=out.width)
    done, total = sum(each.closed for each in found), sum(each.total for each in found)
    table.title, table.title_justify, table.title_style = (
        safe(f"run {run.run}: {done} of {total} trajectories, {run.of} shards"),
        "left",
        "dim",
    )
    out.print(table)
    for kind, (given, cap) in budget.items():
        out.print(safe(f"budget: {given:g} of {cap:g} {kind} given out"))


_STYLES = {"complete": "green", "finished": "green", "failed": "red", "running": "bold"}


def ago(seconds: float | None) -> str:
    """Write how long ago something was: `12 s`, `3 min`, `2 h`."""
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def shard_facts(folder: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a doctor says of a sharded run, and what there is to do."""
    place = shared(folder)
    found = status(place)
    running = [each for each in found if each.state == "running"]
    facts = {
        "folder": place.place,
        "run": read_run(place).run,
        "states": dict(Counter(each.state for each in found)),
        "nodes": sorted({each.node for each in running}),
        "newest_epoch": max((each.epoch for each in found), default=0),
        "longest_silence_s": max((each.lag_s for each in running if each.lag_s is not None), default=None),
        "granted": granted(place) or None,
    }
    return facts, _advice(folder, found)


def _advice(folder: str, found: Sequence[ShardStatus]) -> list[str]:
    advice = [
        f"shard {each.shard} on {each.node or 'some machine'} was not heard of for {ago(each.lag_s)}: where it is gone, 'reasoner run-shard {each.shard} --out {folder}'"
        for each in found
        if each.state == "running" and each.lag_s is not None and each.lag_s > 2 * LEASE_S
    ]
    for state, what in (
        ("failed", "trajectories failed, or it stopped at a fault; run it again"),
        ("parked", "it was stopped; run it again"),
    ):
        if numbers := [str(each.shard) for each in found if each.state == state]:
            advice.append(f"shard {', '.join(numbers[:10])}: {what}")
    if any(each.state == "exhausted" for each in found):
        advice.append("the run's budget is used up; what was made can be merged")
    if found and all(each.state in {"finished", "complete"} for each in found) and any(each.state == "finished" for each in found):
        advice.append(f"all shards have finished: 'reasoner merge {folder} --db FILE'")
    return advice
