"""From a name to a strategy, a solver, a client or a dataset format.

A name is a module's file name: `reasoner/strategies/cot.py` is the strategy `cot`, and nothing else needs to be touched.
(Dataset formats are spelt with hyphens: `formats/prompt_completion.py` is `prompt-completion`.)
Installed packages add theirs through the entry point groups `reasoner.strategies`, `reasoner.solvers`, `reasoner.clients`
and `reasoner.formats` (entry point name = registry name, value = the class or factory). Only what is asked for is imported.

Knows module names; does not know what a strategy or a solver does.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from reasoner.errors import UnknownName

Kind = Literal["strategy", "solver", "client", "format"]

_PACKAGES: dict[Kind, str] = {
    "strategy": "reasoner.strategies",
    "solver": "solvers",
    "client": "reasoner.clients",
    "format": "reasoner.datasets.formats",
}
_GROUPS: dict[Kind, str] = {
    "strategy": "reasoner.strategies",
    "solver": "reasoner.solvers",
    "client": "reasoner.clients",
    "format": "reasoner.formats",
}


@cache
def _scan(kind: Kind) -> frozenset[str]:
    package = importlib.import_module(_PACKAGES[kind])
    found = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return frozenset(name.replace("_", "-") if kind == "format" else name for name in found)


@cache
def _plugins(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUPS[kind])}


def names(kind: Kind) -> list[str]:
    """Return every registered name of a kind, sorted; nothing is imported."""
    return sorted(_scan(kind) | set(_plugins(kind)))


def find(kind: Kind, name: str) -> Any:
    """Return what is registered under a name: a Strategy or Solver class, a client factory, a format class.

    Raises:
        UnknownName: nothing is; the message lists near names.
    """
    if name in _scan(kind):
        module = importlib.import_module(f"{_PACKAGES[kind]}.{name.replace('-', '_')}")
        return _registered(kind, name, module)
    if name in _plugins(kind):
        return _plugins(kind)[name].load()
    raise UnknownName(kind, name, names(kind))


def _registered(kind: Kind, name: str, module: Any) -> Any:
    if kind == "client":
        return module.open_client
    for _, value in inspect.getmembers(module, inspect.isclass):
        if value.__module__ == module.__name__ and getattr(value, "name", None) == name:
            return value
    raise UnknownName(kind, name, [*names(kind), f"(no class with name = {name!r} in {module.__name__})"])


@cache
def solver(name: str) -> Any:
    """Return the one instance of a solver; `NAME:SOURCE` opens NAME on a source (`question:mine.jsonl`).

    Raises:
        UnknownName: there is no such solver.
        BadConfig: it takes no source.
    """
    head, colon, source = name.partition(":")
    made = find("solver", head)
    return made.open(source) if colon else made()


def forget() -> None:
    """Drop what was scanned (tests that add files call this)."""
    _scan.cache_clear()
    _plugins.cache_clear()
    solver.cache_clear()
