"""From what a user names to tools: `calculator`, `sql:shop.sqlite`, `mine.py`, `mine.py:convert`, a tool, or a typed function."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reasoner import registry
from reasoner.errors import BadConfig, UnknownName
from reasoner.text import shorten
from reasoner.tools._function import tool
from reasoner.tools._tool import Tool

Named = str | Tool | Callable[..., Any]


def open_tools(named: Sequence[Named]) -> list[Tool]:
    """Return the tools, in the order they are named.

    Raises:
        UnknownName: there is no tool of that name.
        BadConfig: a file cannot be read or holds no tool, a source is missing, or two tools have one name.
        MissingDependency: what a tool needs is not installed.
        SandboxMissing: a tool runs programs, and this machine has no sandbox for them.
    """
    found: list[Tool] = []
    for name in named:
        found += _opened(name)
    names = [one.name for one in found]
    for one in names:
        if names.count(one) > 1:
            raise BadConfig(f"two tools are called {one!r}", hint="give each a name of its own: @tool(name=...)")
    return found


def _opened(named: Named) -> list[Tool]:
    if isinstance(named, Tool):
        return [named]
    if not isinstance(named, str):
        return [tool(named)]
    head, colon, rest = named.partition(":")
    if head.endswith(".py"):
        return _in_file(Path(head), rest)
    made = registry.find("tool", head)
    if isinstance(made, Tool):
        if colon:
            raise BadConfig(f"the tool {head} takes no source, and {rest!r} was given", hint=f"name it as {head}")
        return [made]
    opened: Tool = made(rest)
    return [opened]


def _in_file(path: Path, name: str) -> list[Tool]:
    """Return the tools of a Python file of the user: all of them, or the one that is named."""
    spec = importlib.util.spec_from_file_location(f"reasoner_tools_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadConfig(f"there is no file {path} with tools", hint="name a Python file in which functions are marked @reasoner.tool")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is the user's own program: whatever it raises is shown as what it is
        raise BadConfig(
            f"the file {path} raised {type(error).__name__}: {shorten(str(error), 300)}", hint="run it by itself to see"
        ) from error
    tools = {value.name: value for value in vars(module).values() if isinstance(value, Tool)}
    if not tools:
        raise BadConfig(f"the file {path} holds no tool", hint="mark a typed function with @reasoner.tool")
    if not name:
        return list(tools.values())
    if name not in tools:
        raise UnknownName("tool", name, tools)
    return [tools[name]]
