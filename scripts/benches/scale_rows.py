"""What the seam of a sharded run costs without an engine: `scripts/bench scale_rows [--rows N] [--json]`.

Cutting and planting `--rows` problems into 16 shards, in a process of its own each: µs a row, and the most memory. Then `--calls` calls of a null client, as one run
and as one shard of it (sealed every 500 calls), and their merge: what a call costs more. The client answers at once, so all of it is ours.
The bars are of processor time of the process, which a busy machine does not stretch; the time that passed stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _report import print_report

from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.pool import ModelPool
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.scale.cut import shard
from reasoner.scale.merging import merge
from reasoner.scale.sealing import Sealing
from reasoner.scale.shared import shared
from reasoner.scale.worker import Here, run_shard
from reasoner.sequences import Lazy
from reasoner.types import Problem

SHARDS = 16


class Questions(Lazy[Problem]):
    """Made when they are asked for."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def items(self, places: range) -> Iterator[Problem]:
        """Make them."""
        for place in places:
            messages = [{"content": f"Say number {place} again", "role": "user"}]
            yield Problem("chat", json.dumps({"messages": messages, "output_schema": ""}, separators=(",", ":")), f"number {place}")


def plan_of(n: int) -> Plan:
    """Return a plan of n conversations of one call each."""
    return Plan(Questions(n), parse_strategies("plain"))


def null() -> ModelPool:
    """Return a pool in which the name `null` stands for a client that answers at once."""
    pool = ModelPool()
    pool.give("null", ScriptedClient(lambda _: "again", name="null"))
    return pool


def part(what: str, folder: Path, n: int) -> dict[str, Any]:
    """Do one part; return seconds, and the most memory of this process in MiB."""
    place = shared(folder / "shared")
    began, used = time.perf_counter(), time.process_time()
    if what == "cut":
        asyncio.run(shard(plan_of(n), ["null"], RunOptions(), n=SHARDS, place=place, pool=null()))
    elif what == "plant":
        merge(place, folder / "planted.db")
    elif what == "one run":
        asyncio.run(_one(folder / "one.db", n))
    elif what == "one shard":
        asyncio.run(shard(plan_of(n), ["null"], RunOptions(), n=1, place=shared(folder / "small"), pool=null()))
        began, used = time.perf_counter(), time.process_time()
        here = Here(local=folder / "local", pool=null(), sealing=Sealing())
        asyncio.run(run_shard(shared(folder / "small"), 0, here=here))
    else:
        merge(shared(folder / "small"), folder / "small.db")
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"what": what, "rows": n, "us_a_row": round(1e6 * seconds / n, 1), "cpu_us_a_row": round(1e6 * cpu / n, 1), "mib": round(peak)}


async def _one(db: Path, n: int) -> None:
    async with open_run(plan_of(n), ["null"], RunOptions(), db=db, pool=null()) as run:
        await run.finish()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="bench scale_rows")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--part", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.part:
        print(json.dumps(part(told.part[0], Path(told.part[1]), told.rows)))
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        for what, n in (
            *((what, told.rows) for what in ("cut", "plant")),
            *((what, told.calls) for what in ("one run", "one shard", "merge")),
        ):
            command = [sys.executable, __file__, "--rows", str(n), "--part", what, folder]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    each = {row["what"]: row for row in rows}
    bars = {
        "cut_us_a_row": each["cut"]["cpu_us_a_row"],
        "plant_us_a_row": each["plant"]["cpu_us_a_row"],
        "coordinator_mib": max(each["cut"]["mib"], each["plant"]["mib"]),
        "ms_per_call_over_local": round((each["one shard"]["cpu_us_a_row"] - each["one run"]["cpu_us_a_row"]) / 1000, 3),
        "merge_us_a_call": each["merge"]["cpu_us_a_row"],
    }
    print_report("scale_rows", rows=rows, bars=bars, as_json=told.json, notes={"measures": "orchestration only: no model"})


if __name__ == "__main__":
    main()
