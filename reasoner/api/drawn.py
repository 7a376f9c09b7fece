"""What is to be drawn of a recorded answer: the terminal and the pages show the same.

drawing_of(row)  ->  Vessels("The jugs, wanted: 2 litres", ...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reasoner import registry
from reasoner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.drawing import Drawing
    from reasoner.solver import Solver


def drawing_of(row: Mapping[str, Any]) -> Drawing | None:
    """Return the drawing of a trajectory's answer; None where its family draws nothing, is not installed, or the answer cannot be read.

    Args:
        row: a trajectory with its `solver`, `instance` (JSON) and `answer`, as the store's queries return it.
    """
    try:
        solver: Solver[Any] = registry.solver(row["solver"])
        instance = solver.Instance.model_validate_json(row["instance"])
        return solver.drawing(instance, row["answer"] or "")
    except (UsageError, ValidationError):
        return None
