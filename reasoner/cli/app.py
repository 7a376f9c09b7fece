"""The typer application: its commands, each in a module of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from reasoner.cli import (
    actions,
    ask,
    bench,
    browse,
    check,
    compare,
    corpus,
    doctor,
    export,
    flags,
    listing,
    mapping,
    pick,
    rerun,
    score,
    serve,
    solve,
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
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"reasoner {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Run reasoning strategies over language models; keep every thought, verify every answer."""


for module in (
    solve,
    ask,
    mapping,
    bench,
    compare,
    pick,
    check,
    score,
    translate,
    corpus,
    rerun,
    actions,
    browse,
    serve,
    view,
    export,
    tune,
    doctor,
    listing,
):
    module.register(app)

flags.remember(lambda: typer.main.get_command(app))
