"""Where templates stand: a folder of the user's own, what ships, and what a package or a script ships with its strategy or solver.

    template_path("second_look/check", override=Path("mine"))   the first of
      mine/second_look/check.jinja                              --prompts, REASONER_PROMPTS
      prompts/second_look/check.jinja                           ours
      my_package/templates/second_look/check.jinja              entry point of the group reasoner.prompts: second_look = "my_package.templates"
      my_package/prompts/second_look/check.jinja                beside the module of the class registered as second_look

A package's folders are looked at for its own strategies (`NAME/...`) and solvers (`solvers/NAME`) only: it cannot change anybody else's templates.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner import registry
from reasoner.assets import asset_dir
from reasoner.errors import BrokenPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".jinja"


def template_path(name: str, *, override: Path | None) -> Path | None:
    """Return the file of a template, None where there is none. Names never lead out of the folders.

    Raises:
        BrokenPlugin: the package that should hold it cannot be loaded.
    """
    parts = name.split("/")
    if not all(part and part.replace("_", "").replace("-", "").isalnum() for part in parts):
        return None
    for root in _roots(name, override):
        if (path := root.joinpath(*parts).with_suffix(SUFFIX)).is_file():
            return path
    return None


def own_path(name: str) -> Path | None:
    """Return where the package or script that owns a template would have it beside its module; None for all other templates."""
    home = registry.home(*_owner(name))
    return None if home is None else (home / "prompts" / name).with_suffix(SUFFIX)


def template_names(prefix: str = "", *, override: Path | None) -> list[str]:
    """Return the names of all templates that begin with a prefix, sorted.

    Without a prefix, packages that cannot be loaded are left out.

    Raises:
        BrokenPlugin: the package that the prefix names cannot be loaded.
    """
    roots = list(_roots(prefix, override)) if prefix else [*_common(override), *_all_packages()]
    top = prefix.partition("/")[0]
    found = {path.relative_to(root).with_suffix("").as_posix() for root in roots for path in (root / top).rglob(f"*{SUFFIX}")}
    return sorted(name for name in found if name.startswith(prefix))


def _roots(name: str, override: Path | None) -> Iterator[Path]:
    """Yield the folders that may hold a template, the one that decides first."""
    yield from _common(override)
    yield from _of_package(*_owner(name))


def _common(override: Path | None) -> list[Path]:
    return [*([override] if override else []), asset_dir("prompts")]


def _owner(name: str) -> tuple[registry.Kind, str]:
    first, _, rest = name.partition("/")
    return ("solver", rest.partition("/")[0]) if first == "solvers" else ("strategy", first)


def _of_package(kind: registry.Kind, owner: str) -> Iterator[Path]:
    if (package := registry.prompts_package(owner)) is not None:
        yield from _folders(owner, package)
    if (home := registry.home(kind, owner)) is not None:
        yield home / "prompts"


def _folders(owner: str, package: str) -> list[Path]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError) as error:
        raise _broken(owner, package, str(error)) from error
    if spec is None or not spec.submodule_search_locations:
        raise _broken(owner, package, "there is no such package")
    return [Path(place) for place in spec.submodule_search_locations]


def _broken(owner: str, package: str, why: str) -> BrokenPlugin:
    return BrokenPlugin(
        f"the prompts of {owner} are in the package {package}, which cannot be found: {why}",
        hint="correct its entry point reasoner.prompts, or reinstall it",
    )


def _all_packages() -> list[Path]:
    found: list[Path] = []
    kinds: tuple[registry.Kind, ...] = ("strategy", "solver")
    for kind in kinds:
        for owner in registry.names(kind):
            try:
                found += _of_package(kind, owner)
            except BrokenPlugin:
                continue
    return found
