"""From a name to a strategy, a solver, a client, a tool or a dataset format.

Three places are looked at, in this order:

1. what a notebook or a script made known: `register(MyStrategy)`;
2. our own folders: `reasoner/strategies/cot.py` is the strategy `cot`, and nothing else needs to be touched
   (formats and importers are spelt with hyphens: `formats/prompt_completion.py` is `prompt-completion`);
3. installed packages, by the entry point groups `reasoner.strategies`, `reasoner.solvers`, `reasoner.clients`, `reasoner.tools`,
   `reasoner.formats` and `reasoner.importers`
   (entry point name = registry name, value = the class or factory).

Only what is asked for is imported. Knows names; does not know what a strategy or a solver does.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Literal, TypeVar, get_args

from reasoner.errors import BadConfig, BrokenPlugin, UnknownName
from reasoner.text import shorten

Kind = Literal["strategy", "solver", "client", "tool", "format", "importer"]
T = TypeVar("T")

_PACKAGES: dict[Kind, str] = {
    "strategy": "reasoner.strategies",
    "solver": "solvers",
    "client": "reasoner.clients",
    "tool": "reasoner.tools",
    "format": "reasoner.datasets.formats",
    "importer": "reasoner.datasets.imports",
}
_GROUPS: dict[Kind, str] = {
    "strategy": "reasoner.strategies",
    "solver": "reasoner.solvers",
    "client": "reasoner.clients",
    "tool": "reasoner.tools",
    "format": "reasoner.formats",
    "importer": "reasoner.importers",
}
_PROMPTS_GROUP = "reasoner.prompts"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")

_registered: dict[tuple[Kind, str], Any] = {}
"""By kind and name: a class, or the one instance of a solver."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything of a kind: what could be loaded, by name, and the faults of installed packages that could not be."""

    things: dict[str, Any] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)


def register(thing: T) -> T:
    """Make a strategy, solver or format known by its `name` in this process, and return it; a class, or an instance of one.

    A class that is defined anew under the same name (a notebook cell run again) takes the place of the earlier one. Works as a decorator.

    Raises:
        BadConfig: it is none of these, has no usable name, lacks methods, or its name is that of something else.
    """
    cls = thing if inspect.isclass(thing) else type(thing)
    kind, name = _kind_of(cls), _attribute(cls, "name")
    if kind is None:
        raise BadConfig(f"{cls.__name__} is no strategy, solver or format", hint="derive it from reasoner.Strategy or reasoner.Solver")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadConfig(
            f"{cls.__name__} has the name {shorten(repr(name), 80)}, which cannot be registered",
            hint='write name = "my_name": letters, digits, _ and -',
        )
    if missing := sorted(_attribute(cls, "__abstractmethods__") or ()):
        raise BadConfig(f"{cls.__name__} lacks {', '.join(missing)}", hint=f"a {kind} has to define them")
    if name in _scan(kind) or name in _plugins(kind):
        if find(kind, name) is not cls:
            raise BadConfig(f"{name} is already the name of an installed {kind}", hint=f"give {cls.__name__} another name")
        return thing
    _registered[kind, name] = thing if kind == "solver" else cls
    solver.cache_clear()
    return thing


def names(kind: Kind) -> list[str]:
    """Return the names of a kind, sorted; nothing is imported."""
    return sorted({name for of, name in _registered if of == kind} | _scan(kind) | set(_plugins(kind)))


def find(kind: Kind, name: str) -> Any:
    """Return what is known by a name: a Strategy or Solver class, a client factory, a tool factory, a format or importer class.

    Raises:
        UnknownName: nothing is; the message lists near names.
        BrokenPlugin: an installed package offers it, and it cannot be loaded.
    """
    if (kind, name) in _registered:
        thing = _registered[kind, name]
        return thing if inspect.isclass(thing) else type(thing)
    if name in _scan(kind):
        module = importlib.import_module(f"{_PACKAGES[kind]}.{name.replace('-', '_')}")
        return _defined(kind, name, module)
    if name in _plugins(kind):
        return _load(kind, _plugins(kind)[name])
    raise UnknownName(kind, name, names(kind))


def load_all(kind: Kind) -> Loaded:
    """Load everything of a kind. An installed package that cannot be loaded is left out, and its fault told."""
    found = Loaded()
    for name in names(kind):
        try:
            found.things[name] = find(kind, name)
        except BrokenPlugin as error:
            found.broken.append(error)
    return found


@cache
def solver(name: str) -> Any:
    """Return the one instance of a solver; `NAME:SOURCE` opens NAME on a source (`question:mine.jsonl`).

    Raises:
        UnknownName: there is no such solver.
        BrokenPlugin: an installed package offers it, and it cannot be loaded.
        BadConfig: it takes no source.
    """
    head, colon, source = name.partition(":")
    given = _registered.get(("solver", head))
    if given is not None and not inspect.isclass(given) and not colon:
        return given
    made = find("solver", head)
    return made.open(source) if colon else made()


def home(kind: Kind, name: str) -> Path | None:
    """Return the folder of the module that defines a registered or installed thing; None for what ships with us, and where there is none.

    What a notebook defines has the working directory for its home.

    Raises:
        BrokenPlugin: an installed package offers it, and it cannot be loaded.
    """
    if (kind, name) not in _registered and (name in _scan(kind) or name not in _plugins(kind)):
        return None
    module = sys.modules.get(find(kind, name).__module__)
    if module is None:
        return None
    file = vars(module).get("__file__")
    if file is None:
        return Path.cwd() if module.__name__ == "__main__" else None
    return Path(file).resolve().parent


def code_of(kind: Kind, name: str) -> str | None:
    """Return a hash over the code of a registered class (its methods and plain attributes); None for what is installed.

    A notebook's class keeps its name when its cell is changed: this is what makes the next run another run, so that no result of the
    earlier code is read back for it. Functions outside the class are not looked at.
    """
    thing = _registered.get((kind, name))
    if thing is None:
        return None
    cls = thing if inspect.isclass(thing) else type(thing)
    ours = ("reasoner", "solvers", "pydantic", "typing", "abc", "builtins")
    made = hashlib.sha256()
    for each in cls.__mro__:
        if each.__module__.partition(".")[0] in ours:
            continue
        for attribute, value in sorted(vars(each).items()):
            function = value.fget if isinstance(value, property) else inspect.unwrap(_plain(value))
            if isinstance(function, FunctionType):
                made.update(f"{attribute}{_code(function.__code__)}".encode())
            elif isinstance(value, (str, int, float, tuple, bool)) and attribute not in _SKIPPED:
                made.update(f"{attribute}={value!r}".encode())
    return made.hexdigest()[:16]


_SKIPPED = {"__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__"}


def _plain(value: Any) -> Any:
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value


def _code(code: CodeType) -> str:
    """Write what a function does as text, without where it stands."""
    constants = [
        _code(each) if isinstance(each, CodeType) else sorted(map(repr, each)) if isinstance(each, frozenset) else each
        for each in code.co_consts
    ]
    return f"{code.co_code.hex()}{code.co_names}{code.co_varnames}{constants!r}"


def prompts_package(name: str) -> str | None:
    """Return the package that an entry point of the group `reasoner.prompts` names for a strategy or solver; None where none does."""
    point = _prompts_points().get(name)
    return None if point is None else point.value


def forget() -> None:
    """Drop what was registered and what was scanned (tests that add files call this)."""
    _registered.clear()
    _scan.cache_clear()
    _plugins.cache_clear()
    _prompts_points.cache_clear()
    solver.cache_clear()


@cache
def _scan(kind: Kind) -> frozenset[str]:
    package = importlib.import_module(_PACKAGES[kind])
    found = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return frozenset(name.replace("_", "-") if kind in {"format", "importer"} else name for name in found)


@cache
def _plugins(kind: Kind) -> dict[str, EntryPoint]:
    return _points(_GROUPS[kind])


@cache
def _prompts_points() -> dict[str, EntryPoint]:
    return _points(_PROMPTS_GROUP)


def _points(group: str) -> dict[str, EntryPoint]:
    """Return entry points by name; of two packages that offer the same name, the first on the path has it, as with imports."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return found


def _load(kind: Kind, point: EntryPoint) -> Any:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
    try:
        thing = point.load()
    except Exception as error:
        raise BrokenPlugin(
            f"the {kind} {point.name} of the package {package} cannot be loaded: {type(error).__name__}: {shorten(str(error), 200)}",
            hint=f"update or uninstall {package.partition(' ')[0]}",
        ) from error
    if kind != "client" and (not inspect.isclass(thing) or _kind_of(thing) != kind):
        raise BrokenPlugin(f"the entry point {point.name} of the package {package} is no {kind} class ({point.value})", hint="correct it")
    return thing


def _defined(kind: Kind, name: str, module: Any) -> Any:
    if kind == "client":
        return module.open_client
    if kind == "tool":
        return module.open_tool
    for _, value in inspect.getmembers(module, inspect.isclass):
        if value.__module__ == module.__name__ and _attribute(value, "name") == name:
            return value
    raise UnknownName(kind, name, [*names(kind), f"(no class with name = {name!r} in {module.__name__})"])


def _kind_of(cls: type) -> Kind | None:
    kind = _attribute(cls, "registered_as")
    return kind if kind in get_args(Kind) else None


def _attribute(cls: type, attribute: str) -> Any:
    """Return an attribute that a class of anybody's may have, None where it has not."""
    return getattr(cls, attribute, None)
