"""A run that is carried out on a Ray cluster: cut into shards, worked on by the nodes, merged into this database.

    carrier = OnRay(where=Where.read("ray:10.0.0.1:6379"), shards=16, place="/mnt/team/run-7")
    await carrier(plan, ["openai:m"], settings)          # afterwards the run stands in `settings.db`, where `open_run` reads it back

The same arguments go on with what is there. Knows runs and where their files stand; `reasoner.scale.ray_engine` knows what becomes of workers.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.api.progress import Bar
from reasoner.canonical import digest_of
from reasoner.errors import BadConfig
from reasoner.files.database_path import database_path
from reasoner.runs.pool import ModelPool
from reasoner.scale.cut import finished_in, shard
from reasoner.scale.manifest import RUN_FILE, read_run
from reasoner.scale.ray_cluster import check, join
from reasoner.scale.ray_engine import Coordinator
from reasoner.scale.shared import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.api.settings import Settings
    from reasoner.runs.plan import Plan
    from reasoner.scale.ray_cluster import Cluster, Where
    from reasoner.scale.storage import Shared
    from reasoner.types import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRay:
    """Where a run goes. `shards` None is as many as the cluster has places now; `place` None is a folder beside the database."""

    where: Where
    shards: int | None = None
    place: str | None = None
    one_of_several: bool = False
    """Whether a command has other runs besides, of other sizes: such a one is cut into no more shards than it has problems."""

    def within(self, name: str) -> OnRay:
        """Return where one of several runs of a command goes: into a folder of its own in `place`."""
        return replace(self, place=self.place and f"{self.place.rstrip('/')}/{name}", one_of_several=True)

    async def __call__(self, plan: Plan, models: Sequence[str | Client], settings: Settings) -> None:
        """Carry a plan out on the cluster.

        Raises:
            MissingDependency: Ray is not installed.
            VersionsDiffer: a node runs another Python, Ray or version of this package; nothing was run.
            ReasonerError: see `reasoner.errors`; the same arguments go on.
        """
        options = settings.options
        models = [_absolute(model) for model in models]
        async with ModelPool() as own:
            pool = settings.pool or own
            if await finished_in(settings.db, plan, models, options, pool=pool):
                return
            place = shared(_from_anywhere(self.place or _beside(plan, models, settings)))
            alone = any(_is_local(model) for model in models)
            # Not in this thread: Ray would take over its signals.
            cluster = await asyncio.to_thread(join, self.where)
            try:
                await asyncio.to_thread(check, cluster, cluster.nodes())
                n = self.n_shards(place, cluster, len(plan.problems), alone=alone)
                run = await shard(plan, models, options, n=n, place=place, pool=pool)
                with ExitStack() as stack:
                    tell = settings.progress if callable(settings.progress) else stack.enter_context(Bar()) if settings.progress else None
                    await Coordinator(cluster, place, settings.db, run, lease_s=options.lease_s, alone=alone, tell=tell).run()
            finally:
                await asyncio.to_thread(cluster.leave)

    def n_shards(self, place: Shared, cluster: Cluster, n_problems: int, *, alone: bool) -> int:
        """Return how many shards there are to be; what was cut already stays as it was."""
        there = read_run(place).of if place.read(RUN_FILE) is not None else None
        wanted = min(self.shards, n_problems) if self.shards is not None and self.one_of_several else self.shards
        if there is not None and wanted not in {None, there}:
            raise BadConfig(
                f"`shards={wanted}`: the run in {place.place} was cut into {there} shards",
                hint=f"leave it out, or use `shards={there}`",
            )
        places = sum(min(node.holds(self.where.needs), 1 if alone else n_problems) for node in cluster.nodes())
        return there or wanted or max(1, min(places, n_problems))


def _beside(plan: Plan, models: Sequence[str | Client], settings: Settings) -> str:
    """Return a folder beside the database, of this plan alone."""
    names = [str(getattr(model, "name", model)) for model in models]
    labels = [spec.label for spec in plan.strategies]
    told = [
        *names,
        *labels,
        str(plan.seed),
        str(plan.samples),
        repr(plan.sampling),
        repr(plan.limits),
        settings.options.client.model_dump_json(),
    ]
    db = database_path(settings.db)
    return str(db.with_name(f"{db.stem}.shards") / digest_of([*told, *(problem.id for problem in plan.problems)])[:12])


def _from_anywhere(place: str) -> str:
    """Return a path as it can be opened from any folder; a URL can as it is."""
    return place if "://" in place or not place else str(Path(place).absolute())


def _absolute(model: str | Client) -> str | Client:
    """Return the name of a model as it can be opened from any folder: workers begin in one of their own."""
    if not isinstance(model, str) or not model.lower().endswith(".gguf") or model.startswith("~"):
        return model
    return str(Path(model).absolute())


def _is_local(model: str | Client) -> bool:
    """Tell whether a model computes on the machine it is opened on, and so fills it."""
    return isinstance(model, str) and (model == "local" or model.lower().endswith(".gguf"))
