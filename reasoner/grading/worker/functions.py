"""Call the user's own judging function, by file and name. It runs in the judging process, so that it may neither hang nor end ours."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any


@cache
def _loaded(file: str) -> Any:
    spec = importlib.util.spec_from_file_location("reasoner_user_grader", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(file: str, function: str, arguments: list[Any]) -> dict[str, Any]:
    """Return {"verdict": what the function returned} or {"error": what it raised}."""
    try:
        made = getattr(_loaded(file), function)(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is told, and is no fault of ours
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[1], str):
        return {"verdict": bool(made[0]), "reason": made[1][:200]}
    return {"verdict": bool(made)} if isinstance(made, bool | int | float) else {"error": f"it returned {type(made).__name__}, not a bool"}
