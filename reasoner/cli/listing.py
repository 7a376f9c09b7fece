"""`reasoner list`: what there is to name on the command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from reasoner import registry
from reasoner.cli import options as o
from reasoner.cli.output import err, guarded, out, print_json, safe
from reasoner.errors import BadConfig


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog="Example:\n\n  reasoner list --json")(listing)


_LOADED: tuple[registry.Kind, ...] = ("solver", "strategy", "format")


@guarded
def listing(
    what: Annotated[
        str, typer.Argument(help="benchmarks: recipes for published question sets; tools: what a model may call.", show_default=False)
    ] = "",
    *,
    json: o.Json = False,
) -> None:
    """List problem families, strategies with their parameters, clients and dataset formats; or recipes for benchmarks, or tools."""
    if what:
        _one_list(what, json=json)
        return
    from rich.table import Table  # noqa: PLC0415

    found = {kind: registry.load_all(kind) for kind in _LOADED}
    solvers = [_solver(cls) for cls in found["solver"].things.values()]
    strategies = [_strategy(cls) for cls in found["strategy"].things.values()]
    formats = [{"name": name, "summary": cls.summary} for name, cls in found["format"].things.items()]
    broken = [str(error) for kind in _LOADED for error in found[kind].broken]
    if json:
        clients = registry.names("client")
        print_json({"solvers": solvers, "strategies": strategies, "clients": clients, "formats": formats, "broken": broken})
        return
    for title, rows in (("solvers", solvers), ("strategies", strategies), ("formats", formats)):
        table = Table(box=None, header_style="bold", pad_edge=False, title=title, title_justify="left", title_style="bold cyan")
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(safe(_cell(value)) for value in row.values()))
        out.print(table)
        out.print()
    out.print(
        safe(
            "models: local, PATH.gguf, "
            + ", ".join(f"{n}:NAME" if n in {"openai", "scripted"} else n for n in registry.names("client") if n != "llamacpp")
        )
    )
    for fault in broken:
        err.print(safe(f"left out: {fault}"), style="yellow")


def _one_list(what: str, *, json: bool) -> None:
    if what == "benchmarks":
        rows = [dict(recipe) for recipe in registry.find("solver", "question").recipes()]
        said = "The files stay yours: reasoner bench question:FILE --recipe NAME. A judged set needs --grader judge:MODEL."
    elif what == "tools":
        from reasoner.cli.tool_rows import tool_rows  # noqa: PLC0415 - keeps --help quick

        rows = tool_rows()
        said = (
            "Name them with --tool, also a file of your own (mine.py, mine.py:NAME); --mcp FILE adds those of MCP servers. Effects: pure may be run"
            " again, once never is, approve waits for a person."
        )
    else:
        raise BadConfig(f"there is no list of {what[:40]!r}", hint="write reasoner list, reasoner list benchmarks or reasoner list tools")
    if json:
        print_json({what: rows})
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False, title=what, title_justify="left", title_style="bold cyan")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(safe(_cell(value)) for value in row.values()))
    out.print(table)
    out.print(safe(said), soft_wrap=True)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={inner}" for key, inner in value.items())
    return str(value)


def _solver(solver: Any) -> dict[str, Any]:
    return {
        "name": solver.name,
        "summary": solver.summary,
        "syntax": solver.syntax,
        "levels": ", ".join(map(str, solver.levels)),
        "default": solver.default_level,
    }


def _strategy(strategy: Any) -> dict[str, Any]:
    from reasoner.runs.strategy_spec import parameter_names  # noqa: PLC0415

    params = {key: strategy.Params.model_fields[key].default for key in parameter_names(strategy)}
    return {"name": strategy.name, "summary": strategy.summary, "parameters": params}
