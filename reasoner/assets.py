"""Find the files that ship with the package: `prompts/` and `corpora/`.

Looks in the checkout first, but only where this package really lies beside a `pyproject.toml` that is its own; otherwise in
the data folder inside the installed package. Never looks in `site-packages/prompts`, which may be anybody's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reasoner.errors import MissingAsset


@cache
def _root() -> Path:
    package = Path(__file__).resolve().parent
    project = package.parent / "pyproject.toml"
    if project.is_file() and 'name = "reasoner-llm"' in project.read_text(encoding="utf-8"):
        return package.parent
    return package / "_data"


def asset_dir(name: str) -> Path:
    """Return the folder `prompts` or `corpora`.

    Raises:
        MissingAsset: the installation is damaged.
    """
    path = _root() / name
    if not path.is_dir():
        raise MissingAsset(f"the folder {name!r} is missing at {path}", hint="reinstall reasoner-llm")
    return path
