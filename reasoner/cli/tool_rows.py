"""What there is to name as a tool, and whether it can be used on this machine: for `reasoner list tools` and `reasoner doctor`.

tool_rows()[0] -> {"name": "calculator", "effect": "pure", "needs": "", "usable": "yes", "summary": "Work out an arithmetic ..."}
"""

from __future__ import annotations

import asyncio
import inspect
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from reasoner import registry
from reasoner.errors import BadConfig, BrokenPlugin, MissingDependency, ReasonerError, SandboxMissing
from reasoner.sandbox import bubblewrap
from reasoner.sandbox.seccomp import filter_bytes
from reasoner.tools import Tool, open_tools


def tool_rows() -> list[dict[str, str]]:
    """Return a row for every tool that can be named."""
    return [_row(name) for name in registry.names("tool")]


def sandboxes() -> dict[str, str | None]:
    """Return how the sandboxes stand: a version and that it works, or what is missing and how to get it."""
    try:
        path = bubblewrap.find()
        asyncio.run(bubblewrap.check())
        wrapped = f"{path}, makes sandboxes"
    except SandboxMissing as error:
        wrapped = f"no: {error}"
    try:
        monty: str | None = version("pydantic-monty")
    except PackageNotFoundError:
        monty = "no: pip install 'reasoner-llm[tools]'"
    machine = platform.machine()
    seccomp = f"a filter for {machine}" if filter_bytes() is not None else f"no filter for {machine}: bubblewrap's namespaces alone"
    return {"bubblewrap": wrapped, "seccomp": seccomp, "monty": monty, "sql": "read-only copies in a process of their own"}


def _row(name: str) -> dict[str, str]:
    try:
        made = registry.find("tool", name)
    except (BrokenPlugin, MissingDependency) as error:
        return {"name": name, "effect": "", "needs": "", "usable": f"no: {error}", "summary": ""}
    known: Any = made if isinstance(made, Tool) else _class_of(made, name)
    needs = getattr(known, "needs", "")
    return {
        "name": name,
        "effect": getattr(known, "effect", ""),
        "needs": needs,
        "usable": _usable(name, needs),
        "summary": " ".join(str(getattr(known, "description", "")).split()),
    }


def _usable(name: str, needs: str) -> str:
    try:
        (tool,) = open_tools([name])
        asyncio.run(tool.aclose())
        if needs == "bubblewrap":
            asyncio.run(bubblewrap.check())
    except BadConfig as error:
        return f"yes, as {needs.partition(': ')[2]}" if needs.startswith("a ") else f"no: {error}"
    except ReasonerError as error:
        return f"no: {error}"
    return "yes"


def _class_of(factory: Any, name: str) -> type[Tool] | None:
    """Return the class whose tools a factory makes, without making one."""
    inside = vars(sys.modules[factory.__module__]).values()
    return next((each for each in inside if inspect.isclass(each) and issubclass(each, Tool) and getattr(each, "name", "") == name), None)
