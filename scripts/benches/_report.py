"""What every bench prints: `{"bench", "machine", "versions", "rows": [...], "bars": {name: number}}`, or the same as a table."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def report(bench: str, *, rows: list[dict[str, Any]], bars: dict[str, float], packages: tuple[str, ...] = ()) -> None:
    """Print the result of a bench that takes no arguments but `--json`."""
    parser = argparse.ArgumentParser(description=f"bench {bench}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    print_report(bench, rows=rows, bars=bars, packages=packages, as_json=parser.parse_args().json)


def print_report(
    bench: str,
    *,
    rows: list[dict[str, Any]],
    bars: dict[str, float],
    as_json: bool,
    packages: tuple[str, ...] = (),
    notes: dict[str, Any] | None = None,
) -> None:
    """Print the result of a bench; `notes` go with what is said of the machine."""
    made = {"bench": bench, "machine": {**machine(), **(notes or {})}, "versions": versions(packages), "rows": rows, "bars": bars}
    if as_json:
        print(json.dumps(made, indent=2))
        return
    print(f"{bench} on {made['machine']}, {made['versions']}")
    for row in rows:
        print("  " + "  ".join(f"{key}={value}" for key, value in row.items()))
    for name, value in bars.items():
        print(f"  {name}: {value:g}")


def machine() -> dict[str, Any]:
    """Describe the machine: cores this process may use, load, platform."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"platform": platform.platform(), "processor": platform.machine(), "cores": cores, "load_1min": round(os.getloadavg()[0], 2)}


def versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """Return the versions of Python, reasoner and the named packages."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("reasoner-llm", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
