"""`reasoner ask`: one free-form question through any strategy, recorded and not judged."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from reasoner.cli import completing
from reasoner.cli import options as o
from reasoner.cli.output import guarded, out, print_json, safe, say
from reasoner.cli.solve import as_dict, exit_code, tell_notes
from reasoner.errors import BadConfig
from reasoner.files.devices import ending

EPILOG = (
    'Examples:\n\n  reasoner ask "Name three rivers of Italy."\n\n'
    "  reasoner ask - --strategy cot --model openai:NAME < question.txt\n\n"
    '  reasoner ask "Summarise: the printer burns" --schema ticket.json --json'
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(ask)


@guarded
@o.expanded
def ask(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.", show_default=False)],
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy", "-s", help="NAME or NAME:key=value,key=value; plain adds no word.", autocompletion=completing.strategies
        ),
    ] = "plain",
    model: o.Model = "local",
    system: Annotated[str, typer.Option("--system", help="A system message.")] = "",
    schema: Annotated[
        Path | None, typer.Option("--schema", help="File with the JSON schema that the answer is to conform to.", show_default=False)
    ] = None,
    *,
    common: o.Common,
    json: o.Json = False,
) -> None:
    """Ask a question, record every thought, and print the answer. Nothing judges it."""
    from reasoner.api.solve import ask as run  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick

    text = sys.stdin.read() if prompt == "-" else prompt
    told = common.settings(progress=tell_notes)
    result = run(text, strategy=strategy, model=model, system=system, output_schema=_schema(schema), **told)
    if json:
        print_json(as_dict(result))
    elif result.text is not None:
        out.print(safe(result.text), soft_wrap=True)
    if result.error:
        say(f"{'error' if result.status == 'failed' else 'note'}: {result.error}; it is kept in trajectory {result.trajectory_id}")
    raise typer.Exit(1 if result.error_kind == "Unparseable" else exit_code(result))


def _schema(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        read = jsonlib.loads(ending(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"the schema {path} cannot be read: {error}", hint="give a file with one JSON schema") from error
    if not isinstance(read, dict):
        raise BadConfig(f"the schema {path} holds no JSON object", hint='write {"type": "object", ...}')
    return read
