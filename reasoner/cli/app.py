"""The typer application: its commands, each in a module of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from reasoner.cli import (
    actions,
    annotate,
    ask,
    bench,
    browse,
    check,
    compare,
    corpus,
    doctor,
    export,
    flags,
    improve,
    listing,
    mapping,
    pick,
    rerun,
    review,
    score,
    serve,
    shard,
    solve,
    tour,
    translate,
    tune,
    view,
)
from reasoner.version import __version__

EPILOG = "Exit codes: 0 solved or done, 1 answered wrong or not at all, 2 usage, 3 provider, 4 database, 5 output, 130 interrupted."

app = typer.Typer(
    name="reasoner",
    help="Run reasoning strategies over language models; keep every thought, verify every answer.",
    epilog=EPILOG,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"reasoner {__version__}")
        raise typer.Exit


def _plain(asked: bool) -> None:
    if asked:
        from reasoner.cli.output import be_plain  # noqa: PLC0415

        be_plain()


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    plain: Annotated[  # noqa: ARG001 - its callback does it, before the command
        bool, typer.Option("--plain", callback=_plain, is_eager=True, help="No colours and no progress bar; so does NO_COLOR for colours.")
    ] = False,
) -> None:
    """Run reasoning strategies over language models; keep every thought, verify every answer."""
    if context.invoked_subcommand is None:
        from reasoner.cli.welcome import welcome  # noqa: PLC0415

        welcome()


for module in (
    tour,
    solve,
    ask,
    mapping,
    bench,
    compare,
    pick,
    check,
    score,
    translate,
    review,
    corpus,
    shard,
    rerun,
    actions,
    browse,
    annotate,
    serve,
    view,
    export,
    tune,
    improve,
    doctor,
    listing,
):
    module.register(app)

flags.remember(lambda: typer.main.get_command(app))
