"""Sharded runs for tests: a plan cut, worked on, merged; and the same plan in one process, to compare with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.scale.cut import shard
from reasoner.scale.sealing import Sealing
from reasoner.scale.shared import Shared, shared
from reasoner.scale.worker import Here, ShardEnded, run_shard
from reasoner.store import Store

OFTEN = Sealing(seconds=0.01, calls=1)


def small_plan(n: int = 7, strategies: str = "cot,ats", samples: int = 1) -> Plan:
    return Plan([*draw("number_path", n=n, seed=0), *draw("game24", n=2, seed=0)], parse_strategies(strategies), samples=samples)


@dataclass
class Cut:
    """A plan that was cut, the folder it was cut into, and a place for local files."""

    place: Shared
    local: Path
    n: int
    model: str = "teacher"

    def run(self, number: int, sealing: Sealing = OFTEN, lease_s: float = 0.5) -> ShardEnded:
        return asyncio.run(run_shard(self.place, number, here=Here(local=self.local, sealing=sealing, lease_s=lease_s)))

    def run_all(self, sealing: Sealing = OFTEN) -> list[ShardEnded]:
        return [self.run(number, sealing) for number in range(self.n)]


def cut(folder: Path, plan: Plan, n: int = 3, options: RunOptions | None = None, model: str = "teacher", at_once: int | None = None) -> Cut:
    place = shared(folder / "shared")
    asyncio.run(shard(plan, [model], options or RunOptions(), n=n, place=place, at_once=at_once))
    return Cut(place, folder / "local", n, model)


def single(db: Path, plan: Plan, options: RunOptions | None = None, model: str = "teacher") -> None:
    async def run() -> None:
        async with open_run(plan, [model], options or RunOptions(), db=db) as run:
            await run.finish()

    asyncio.run(run())


def exported(db: Path, folder: Path) -> dict[str, bytes]:
    """What is exported of a store, file by file: conversations of all verdicts, preferences, and steps."""
    folder.mkdir(parents=True, exist_ok=True)
    with Store.read(db) as store:
        for format_ in ("sft", "dpo", "prm"):
            export(store, format_, folder / f"{format_}.jsonl", Filters(verdict="any" if format_ == "sft" else "default"))
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


def contents(db: Path) -> list[tuple[object, ...]]:
    """Everything a store says of its trajectories, answered calls and thoughts, without numbers of rows, times, and attempts that gave no answer."""
    with Store.read(db) as store:
        return [
            *store.tuples(
                "SELECT id, run_id, problem_id, strategy, status, answer, calls, prompt_tokens, dag_hash FROM trajectories ORDER BY rowid"
            ),
            *store.tuples(
                "SELECT c.key, c.state, m.content, x.depth, s.sampling, c.prompt_tokens FROM calls c JOIN messages m ON m.id = c.reply_id"
                " JOIN contexts x ON x.id = c.context_id JOIN call_settings s ON s.id = c.settings_id ORDER BY c.key"
            ),
            *store.tuples(
                "SELECT t.id, t.status, t.score, t.position, c.key FROM thoughts t LEFT JOIN calls c ON c.id = t.call_id ORDER BY t.id"
            ),
            *store.tuples("SELECT parent, child FROM thought_edges ORDER BY 1, 2"),
            *store.tuples("SELECT trajectory_id, correct, score, reason FROM verdicts ORDER BY 1"),
        ]
