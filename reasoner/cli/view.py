"""`reasoner view` and `reasoner report`: pages over what was recorded, and one file of them."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, print_json, say
from reasoner.cli.serve import Allow, Host, Port

Folder = Annotated[
    str | None, typer.Argument(metavar="[DIR|URL]", help="Shared folder of a sharded run, shown while it grows.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Examples:\n\n  reasoner view --db trajectories.db --port 8766\n\n  reasoner view /mnt/run7")(view)
    app.command(epilog="Examples:\n\n  reasoner report last -o report.html\n\n  reasoner report 3f9c --bundle pages --limit 1000")(report)


@guarded
def view(folder: Folder = None, db: o.Db = None, host: Host = "127.0.0.1", port: Port = 8766, allow_host: Allow = None) -> None:
    """Look at runs, searches and messages in a browser. Prints the address; it holds a secret and is good until this is stopped."""
    from reasoner.serve.server import listen, require, settings_for, token_of  # noqa: PLC0415

    require()
    from reasoner.serve.app import application  # noqa: PLC0415
    from reasoner.serve.viewer import Viewer  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415

    token, _ = token_of()
    settings = settings_for(host, allow_host or (), token, drain_s=1.0)
    with ExitStack() as stack:
        if folder is not None:
            db = stack.enter_context(_growing(folder, db))
        store = stack.enter_context(Store.read(db))
        app = application(store, settings, pages=Viewer(store, settings).routes())
        shown = f"[{host}]" if ":" in host else host
        listen(app, host=host, port=port, settings=settings, ready=lambda at: say(f"http://{shown}:{at}/view/{settings.page_key}/"))


def _growing(folder: str, db: Path | None) -> AbstractContextManager[Path]:
    """Return the store of a sharded run, merged again and again."""
    from reasoner.errors import BadConfig  # noqa: PLC0415 - keeps --help quick
    from reasoner.scale.growing import growing  # noqa: PLC0415
    from reasoner.scale.shared import shared  # noqa: PLC0415

    if db is not None:
        raise BadConfig(f"--db {db} and {folder} are two things to look at", hint="give one of them")
    return growing(shared(folder))


@guarded
def report(
    which: Annotated[str, typer.Argument(help="Id of a run, or the beginning of one; 'last' is the newest.")] = "last",
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("report.html"),
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="New folder to write pages to instead, one for each trajectory.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, max=10_000, help="Trajectories to put in, in the order of the run.")] = 100,
    db: o.Db = None,
    json: o.Json = False,
) -> None:
    """Write a run as one self-contained page, or as a folder of pages: comparison, charts, searches, thoughts. No script, no network, safe to send."""
    from reasoner.errors import BadConfig  # noqa: PLC0415
    from reasoner.serve.server import require  # noqa: PLC0415

    require()
    from reasoner.serve.report import write_bundle, write_report  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415
    from reasoner.store.queries import resolve  # noqa: PLC0415

    with Store.read(db) as store:
        kind, run_id = resolve(store, which)
        if kind != "run":
            raise BadConfig(f"{which!r} is a trajectory, not a run", hint="see 'reasoner runs'")
        if bundle is not None:
            output = bundle / "index.html"
            n = write_bundle(store, run_id, bundle, limit=limit)
            size = sum(path.stat().st_size for path in bundle.rglob("*.html"))
        else:
            n = write_report(store, run_id, output, limit=limit)
            size = output.stat().st_size
    if json:
        print_json({"run": run_id, "trajectories": n, "file": str(output), "bytes": size})
    else:
        say(f"{output}: run {run_id}, {n} trajectories, {size} bytes")
