"""What local models keep in the user's cache: where it lies, how large it may grow, and what machine it was made on.

cache_folder("forms"), limit_bytes("forms", 16.0), processor()

Knows folders and environment variables; what lies there is for those who made it.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

from reasoner.errors import BadConfig
from reasoner.types import digest

DEFAULT_PREFIXES_GIB = 2.0
PREFIX_FORMAT = "1"
"""Raised whenever a worker's cache is set up otherwise: what was kept before is not its own then."""


def prefix_cache() -> tuple[Path, int]:
    """Return where prefixes are kept (`REASONER_PREFIXES`, else `reasoner/prefixes` in the cache folder), and how many bytes of them.

    Raises:
        BadConfig: `REASONER_PREFIXES_GIB` is no positive number.
    """
    return cache_folder("prefixes"), limit_bytes("prefixes", DEFAULT_PREFIXES_GIB)


def cache_folder(what: str) -> Path:
    """Return a folder of the user's cache: `REASONER_FORMS` and the like name another one."""
    named = os.environ.get(f"REASONER_{what.upper()}")
    return _absolute(named) if named else user_cache() / what


def user_cache() -> Path:
    """Return our folder in the user's cache.

    Raises:
        BadConfig: the user has no home.
    """
    return _absolute(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "reasoner"


def _absolute(name: str) -> Path:
    try:
        return Path(name).expanduser().absolute()
    except RuntimeError as error:
        raise BadConfig(f"there is no home directory for the cache folder {name[:80]!r}", hint="set XDG_CACHE_HOME to a folder") from error


def limit_bytes(what: str, default: float) -> int:
    """Return how many bytes a folder may hold: `REASONER_FORMS_GIB` and the like, else `default` GiB.

    Raises:
        BadConfig: it is no positive number.
    """
    told = os.environ.get(f"REASONER_{what.upper()}_GIB") or str(default)
    try:
        limit = float(told)
    except ValueError:
        limit = 0.0
    if not 0 < limit < 1 << 20:
        raise BadConfig(f"REASONER_{what.upper()}_GIB={told[:40]!r} is no size in GiB", hint=f"{default:g} is the default")
    return int(limit * 2**30)


@cache
def processor() -> str:
    """Return what tells one kind of processor from another: its architecture and the instructions it announces."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = next((line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features"))), platform.processor())
    return digest(platform.machine(), *sorted(flags.split()))[:16]
