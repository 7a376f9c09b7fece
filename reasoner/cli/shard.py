"""`reasoner shard`, `run-shard` and `merge`: one run on many machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe, say
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.api.settings import Settings
    from reasoner.runs.plan import Plan
    from reasoner.scale.manifest import ShardedRun
    from reasoner.scale.storage import Shared
    from reasoner.scale.worker import ShardEnded
    from reasoner.types import Client

COMMANDS = ("bench", "compare", "translate", "map")
"""Commands whose run can be cut."""

Out = Annotated[str, typer.Option("--out", metavar="DIR|URL", help="Shared folder of the run, seen by all machines.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Examples:\n\n  reasoner shard --shards 8 --out /mnt/run7 bench game24 -n 1000 --strategy cot,ats --model openai:NAME\n\n"
        "  reasoner shard --shards 64 --at-once 16 --slurm job.sh --out /mnt/run8 map rows.jsonl --prompt rate.jinja --out rated.jsonl\n\n"
        "After the merge the same command (bench ...) with --db reads the run back, and prints its table or writes its file.",
        context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    )(shard)
    app.command(
        "run-shard",
        epilog="Examples:\n\n  reasoner run-shard 3 --out /mnt/run7\n\n  reasoner run-shard /mnt/run7/manifests/00003.jsonl --local /scratch",
    )(run_shard)
    app.command(epilog="Example:\n\n  reasoner merge /mnt/run7 --db run7.db")(merge)


class _Cut(Exception):
    """The run of a command was cut."""

    def __init__(self, run: ShardedRun) -> None:
        super().__init__(run.run)
        self.run = run


class _Cutter:
    """Takes the place of carrying a run out: cuts it, and ends the command there."""

    def __init__(self, place: Shared, *, n: int, at_once: int | None, line: Sequence[str]) -> None:
        self._place = place
        self._n = n
        self._at_once = at_once
        self._command = o.command_line(line)

    def within(self, name: str) -> _Cutter:  # noqa: ARG002
        """Return this one: a command of several runs is cut a run at a time, each into the folder it is given for it."""
        return self

    async def __call__(self, plan: Plan, models: Sequence[str | Client], settings: Settings) -> None:
        """Cut a run, unless the database has it whole: then the command goes on, to what it does next."""
        from reasoner.runs.pool import ModelPool  # noqa: PLC0415 - keeps --help quick
        from reasoner.scale.cut import finished_in, shard  # noqa: PLC0415

        options = replace(settings.options, command=self._command)
        async with ModelPool() as pool:
            if await finished_in(settings.db, plan, models, options, pool=pool):
                return
            made = await shard(plan, models, options, n=self._n, place=self._place, at_once=self._at_once, pool=pool)
        raise _Cut(made)


@guarded
def shard(
    context: typer.Context,
    line: Annotated[
        list[str], typer.Argument(metavar="COMMAND ...", help=f"The command whose run is cut: {', '.join(COMMANDS)}.", show_default=False)
    ],
    shards: Annotated[int, typer.Option("--shards", help="How many shards; a few times the number of machines.", show_default=False)],
    out: Out,
    at_once: Annotated[
        int | None,
        typer.Option("--at-once", help="How many run at the same time at most; --rpm is divided by it [all].", show_default=False),
    ] = None,
    slurm: Annotated[Path | None, typer.Option("--slurm", help="Write a Slurm array job to this file.", show_default=False)] = None,
    json: o.Json = False,
) -> None:
    """Cut the run of a command into shards: manifests in a shared folder, to be run anywhere. Options of shard stand before the command."""
    from reasoner.files.target import write_text  # noqa: PLC0415
    from reasoner.scale.shared import shared  # noqa: PLC0415
    from reasoner.scale.slurm import script  # noqa: PLC0415

    name, *rest = line
    if name not in COMMANDS:
        raise BadConfig(f"the run of {name!r} cannot be cut", hint=f"one of: {', '.join(COMMANDS)}; options of shard stand before it")
    place = shared(out)
    root: Any = context.find_root().command
    try:
        with o.carrying(_Cutter(place, n=shards, at_once=at_once, line=line)):
            code = root.main([name, *rest], standalone_mode=False)
    except _Cut as cut:
        made = cut.run
    else:
        raise typer.Exit(int(code or 0))  # a fault, which was told, or nothing was left to cut
    if slurm is not None:
        write_text(slurm, script(made, out if "://" in out else str(Path(out).absolute())))
    if json:
        print_json(
            {"run": made.run, "shards": made.of, "problems": sum(made.sizes), "out": out, "slurm": None if slurm is None else str(slurm)}
        )
        return
    say(f"run {made.run}: {sum(made.sizes)} problems in {made.of} shards in {out}")
    say(
        f"now: {f'sbatch {slurm}' if slurm is not None else f'reasoner run-shard N --out {out}, N from 0 to {made.of - 1}'}; then: reasoner merge {out} --db t.db"
    )


@guarded
def run_shard(
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="A manifest's file, or the number of a shard in --out.", show_default=False)
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR|URL", help="Shared folder of the run (default: the manifest's own).", show_default=False),
    ] = None,
    local: Annotated[
        Path | None, typer.Option("--local", help="Folder on a local disk [$SLURM_TMPDIR, else the temporary folder].", show_default=False)
    ] = None,
    seal_seconds: Annotated[
        float, typer.Option("--seal-seconds", min=0.01, help="Seal what was committed after so many seconds ...")
    ] = 10.0,
    seal_calls: Annotated[int, typer.Option("--seal-calls", min=1, help="... or so many calls, whichever comes first.")] = 500,
    epoch: Annotated[
        int | None,
        typer.Option("--epoch", min=1, help="The lease that a coordinator granted (default: take the next).", show_default=False),
    ] = None,
    base_url: o.BaseUrl = None,
    api_key_env: o.KeyEnv = None,
    concurrency: o.Concurrency = None,
    threads: o.Threads = None,
    retry_poisoned: o.RetryPoisoned = False,
    json: o.Json = False,
) -> None:
    """Work on one shard: a run into a file on local disk, sealed into the shared folder. Started again, anywhere, it goes on from there."""
    import asyncio  # noqa: PLC0415 - keeps --help quick

    from reasoner.clients import ClientOptions  # noqa: PLC0415
    from reasoner.scale.sealing import Sealing  # noqa: PLC0415
    from reasoner.scale.worker import Here, given_lease  # noqa: PLC0415
    from reasoner.scale.worker import run_shard as work  # noqa: PLC0415

    place, found = _manifest(manifest, out)
    told = {"base_url": base_url, "api_key_env": api_key_env, "concurrency": concurrency, "threads": threads}
    client = ClientOptions.model_validate({name: value for name, value in told.items() if value is not None})
    here = Here(
        local=local,
        sealing=Sealing(seal_seconds, seal_calls),
        client=client,
        lease_s=o.lease_s(),
        retry_poisoned=retry_poisoned,
        tell=_note,
    )
    lease = None if epoch is None else given_lease(place, found, epoch)
    ended = asyncio.run(work(place, found, lease=lease, here=here))
    if json:
        print_json({name: getattr(ended, name) for name in type(ended).__slots__})
    else:
        say(_sentence(ended))
    if ended.state != "finished":
        raise typer.Exit(3 if ended.state == "failed" else 1)


def _note(event: Any) -> None:
    from reasoner.runs.events import Note  # noqa: PLC0415

    if isinstance(event, Note):
        say(event.text)


def _sentence(ended: ShardEnded) -> str:
    how = "its file was carried on" if ended.carried else f"{ended.restored} segments were restored" if ended.restored else ""
    torn = f"; {len(ended.torn)} segments were torn and left out" if ended.torn else ""
    failed = f", {ended.failed} failed (the same command tries them again)" if ended.failed else ""
    return (
        f"shard {ended.shard} {ended.state} in epoch {ended.epoch}: {ended.closed} of {ended.total} trajectories{failed}, {ended.calls} calls,"
        f" {ended.segments} segments{f'; {how}' if how else ''}{torn}"
    )


def _manifest(manifest: str, out: str | None) -> tuple[Shared, Any]:
    """Return the shared folder and the manifest of a shard."""
    from reasoner.scale.manifest import read_manifest  # noqa: PLC0415
    from reasoner.scale.shared import shared  # noqa: PLC0415

    if manifest.isascii() and manifest.isdecimal() and len(manifest) < 10:
        if out is None:
            raise BadConfig(f"shard {manifest} of which run?", hint="name its shared folder with --out")
        place = shared(out)
        return place, read_manifest(place, int(manifest))
    path = Path(manifest)
    found = read_manifest(path)
    return shared(path.absolute().parent.parent if out is None else out), found


@guarded
def merge(
    folder: Annotated[str, typer.Argument(metavar="DIR|URL", help="Shared folder of the run.", show_default=False)],
    db: o.Db = None,
    accept_failed: Annotated[
        bool, typer.Option("--accept-failed", help="Declare shards complete whose failed trajectories are to stay as they are.")
    ] = False,
    json: o.Json = False,
) -> None:
    """Merge what the shards of a run have sealed into one database; also while they work, and again and again."""
    from reasoner.files.database_path import database_path  # noqa: PLC0415
    from reasoner.scale.merging import merge as run  # noqa: PLC0415 - keeps --help quick
    from reasoner.scale.shared import shared  # noqa: PLC0415

    made = run(shared(folder), db, failed_too=accept_failed)
    if json:
        facts = {name: getattr(made, name) for name in ("run", "complete", "merged", "known", "newer", "told")}
        print_json({**facts, "shards": made.of, "states": dict(made.states), "left_out": dict(made.left_out), "db": str(database_path(db))})
        return
    for line in made.told:
        say(f"left out, {line}")
    states = ", ".join(f"{n} {state}" for state, n in sorted(made.states.items()))
    left = "".join(f", {n} {why}" for why, n in sorted(made.left_out.items()))
    out.print(safe(f"run {made.run}: {made.merged} segments merged, {made.known} were there{left}; shards: {states} of {made.of}"))
    if made.is_complete:
        out.print(safe(f"complete: look with 'reasoner show {made.run} --db {database_path(db)}'", style="dim"))
