"""Cut a plan into shards: manifests in the shared folder, the same bytes for the same plan.

    made = await shard(plan, ["openai:m"], options, n=8, place=shared("/mnt/team/run-7"))
    made.run, made.sizes       "3f0c...", [125, 125, ...]

Problem i goes to shard i mod n, so that families and levels are spread over all of them. What only this machine has (open clients, functions as tools,
classes of a notebook) cannot be cut, nor what reads other trajectories of the same file (`cache`, examples from the store, forks).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reasoner.canonical import canonical_json, digest_of
from reasoner.errors import BadConfig
from reasoner.files.database_path import database_path
from reasoner.runs.opening import opened_plan
from reasoner.runs.pool import ModelPool
from reasoner.runs.saved_plan import plan_as_json
from reasoner.scale.adapter_file import send
from reasoner.scale.manifest import MAX_SHARDS, RUN, RUN_FILE, SHARD, How, ShardedRun, ShardHead, line_of, manifest_name, read_run
from reasoner.store import Store
from reasoner.store.merged import is_finished
from reasoner.store.records import run_id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.runs.options import RunOptions
    from reasoner.runs.plan import Plan
    from reasoner.scale.storage import Shared
    from reasoner.types import Client

OPEN_FILES = 64
"""Shards that are written in one pass over the problems."""


async def shard(
    plan: Plan,
    models: Sequence[str | Client],
    options: RunOptions,
    *,
    n: int,
    place: Shared,
    at_once: int | None = None,
    pool: ModelPool | None = None,
) -> ShardedRun:
    """Write the manifests of a plan's shards into the shared folder. A folder that holds just these stays as it is.

    Args:
        plan: what the run is.
        models: names of its models.
        options: how it is carried out; its budget and rates are those of all shards together.
        n: how many shards.
        place: the shared folder.
        at_once: how many of them run at the same time at most (default: all), which a rate is divided by.
        pool: open models shared with others.

    Raises:
        BadConfig: the plan cannot be cut, or the folder holds another run.
        ReasonerError: see `reasoner.errors`; nothing was asked.
    """
    together = n if at_once is None else at_once
    _check(plan, models, options, n=n, at_once=together)
    async with ModelPool() as own, opened_plan(plan, models, options, pool=pool or own) as made:
        manifest = dict(made.manifest(options))
        if "code" in manifest:
            raise BadConfig(
                f"{', '.join(manifest['code'])}: what a program defines itself is not there on other machines",
                hint="put it into a package with an entry point, and install it on all of them",
            )
        kept = plan_as_json(made.plan, models, _pinned(options, models, manifest), forms=made.forms)
    head: dict[str, Any] = {
        "run": run_id_of(manifest),
        "of": n,
        "plan": json.loads(canonical_json(kept)),
        "manifest": json.loads(canonical_json(manifest)),
        "how": How(
            on_unknown=options.on_unknown,
            allow_unpriced=options.allow_unpriced,
            retry_poisoned=options.retry_poisoned,
            command=options.command,
        ),
        "budget": options.run_limits,
        "at_once": together,
    }
    n_problems = len(plan.problems)
    sizes = [n_problems // n + (number < n_problems % n) for number in range(n)]
    run = ShardedRun(format=RUN, **head, sizes=sizes)
    there = None if place.read(RUN_FILE) is None else read_run(place)
    if there is not None and not _is_same(there, run):
        raise BadConfig(f"{place.place} holds the shards of another run", hint="name another folder, or remove that one")
    send(place, options.client.adapter, manifest)
    if there is not None:
        return there
    for first in range(0, n, OPEN_FILES):
        _write(place, plan, head, range(first, min(first + OPEN_FILES, n)))
    if not place.create(RUN_FILE, _text(run)) and read_run(place) != run:
        raise BadConfig(f"{place.place} was filled with the shards of another run meanwhile", hint="name another folder")
    return run


def _is_same(there: ShardedRun, run: ShardedRun) -> bool:
    """Tell whether a folder's run is this one. How its command was written does not matter: a cluster that was started anew has another address."""
    return there == run.model_copy(update={"how": run.how.model_copy(update={"command": there.how.command})})


async def finished_in(db: Path | None, plan: Plan, models: Sequence[str | Client], options: RunOptions, *, pool: ModelPool) -> bool:
    """Tell whether a database holds the run of a plan, whole: then there is nothing to cut."""
    if not database_path(db).is_file():
        return False
    async with opened_plan(plan, models, options, pool=pool) as made:
        name = run_id_of(made.manifest(options))
    with Store.read(db) as store:
        return is_finished(store, name)


def _check(plan: Plan, models: Sequence[str | Client], options: RunOptions, *, n: int, at_once: int) -> None:
    """Refuse what cannot be cut, before anything is opened."""
    n_problems = len(plan.problems)
    if not 1 <= n <= MAX_SHARDS:
        raise BadConfig(
            f"`shards={n}`: it is no number from 1 to {MAX_SHARDS}", hint="name as many as there are machines, or a few times that"
        )
    if n > n_problems:
        raise BadConfig(f"`shards={n}`: the run has {n_problems} problems, and a shard has at least one", hint=f"use at most {n_problems}")
    if not 1 <= at_once <= n:
        raise BadConfig(f"`at_once={at_once}`: it is no number from 1 to {n}, the shards there are")
    given = [model.name for model in models if not isinstance(model, str)]
    given += [str(getattr(one, "name", one)) for one in plan.tools.named if not isinstance(one, str)]
    given += [spec.label for spec in plan.strategies if spec.given is not None]
    if given:
        raise BadConfig(f"{', '.join(given)} was given as an object, which other machines do not have", hint="name it as text")
    if plan.fork is not None or plan.continues is not None:
        raise BadConfig("a fork, or the rest of another run, reads what one file holds and cannot be cut", hint="run it on one machine")
    if options.cache:
        raise BadConfig("`cache` looks for calls in one file, and every shard has its own", hint="leave it out")
    if any('"shots_from":"store"' in spec.params for spec in plan.strategies):
        raise BadConfig(
            "`shots_from=store` reads answers of earlier runs, and every shard has a file of its own", hint="use shots_from=corpora"
        )
    for name, rate in (("rpm", options.client.rpm), ("tpm", options.client.tpm)):
        if rate is not None and rate < at_once:
            raise BadConfig(f"`{name}={rate}` cannot be divided over {at_once} shards", hint="use `at_once`, or fewer shards")


def _pinned(options: RunOptions, models: Sequence[str | Client], manifest: dict[str, Any]) -> RunOptions:
    """Return the options with the choice of an adapter for `local` made: a shard may have fewer families than the whole."""
    if "local" not in models or options.client.adapter is not None or manifest.get("adapters"):
        return options
    return replace(options, client=options.client.model_copy(update={"adapter": "none"}))


def _write(place: Shared, plan: Plan, head: dict[str, Any], shards: range) -> None:
    """Write the manifests of some shards, in one pass over the problems."""
    n = int(head["of"])
    with tempfile.TemporaryDirectory(prefix="reasoner-") as folder, ExitStack() as stack:
        rows: dict[int, IO[bytes]] = {each: stack.enter_context((Path(folder) / f"{each}.rows").open("w+b")) for each in shards}
        for number, problem in enumerate(plan.problems):
            if (file := rows.get(number % n)) is not None:
                file.write(line_of(problem).encode() + b"\n")
        for each, file in rows.items():
            file.seek(0)
            ids = digest_of(json.loads(line)[0] for line in file)
            count = len(range(each, len(plan.problems), n))
            told = ShardHead(format=SHARD, **head, shard=each, problems=ids, n_problems=count)
            whole = Path(folder) / f"{each}.jsonl"
            with whole.open("wb") as out:
                out.write(_text(told))
                file.seek(0)
                shutil.copyfileobj(file, out, 1 << 20)
            place.put(manifest_name(each), whole)
            whole.unlink()


def _text(head: ShardedRun | ShardHead) -> bytes:
    return canonical_json(head.model_dump(mode="json")).encode() + b"\n"
