"""What the columns of an imported trajectory may hold.

A file that says it is our own export may say anything, and pages, tables and later exports rely on a store's types: a time that is none would end the
page that draws it. So each value has the type of its column, or the row is not taken.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from reasoner.datasets.imports._seam import Unusable
from reasoner.store.actions import SIGNS as ACTION_SIGNS
from reasoner.store.records import TrajectoryStatus
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reasoner.store.imports import ReadTrajectory

WRONG = "a value in it has not the type of its column"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, float) and not math.isnan(value))


def _is_amount(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return False
    return True


_ANY = {
    **dict.fromkeys(("id", "role", "label", "operation", "params", "model_fingerprint", "template_hash", "sampling", "parent_thought"), _is_text),
    **dict.fromkeys(("position", "ordinal", "depth", "attempt", "sample", "seed", "retries", "calls"), _is_count),
    "created": _is_time,
}  # fmt: skip
"""Columns that are never NULL, in whichever table."""
_NULLABLE: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("answer_thought", "error", "error_kind", "dag_hash", "finish_reason", "constraint_requested", "constraint_applied"), _is_text),
    **dict.fromkeys(("score", "mean_logprob"), _is_number),
    **dict.fromkeys(("seconds", "cost"), _is_amount),
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"), _is_count),
    "finished": _is_time,
}  # fmt: skip


def checked(read: ReadTrajectory) -> ReadTrajectory:
    """Return a trajectory as it was read.

    Raises:
        Unusable: a value has not the type of its column.
    """
    problem = read.problem
    texts = (read.run_id, read.id, read.strategy, read.model, read.version, read.problem_id, problem.solver, problem.instance, problem.line)
    if not all(map(_is_text, texts)) or not (problem.level is None or _is_count(problem.level)) or not all(_fit(read)):
        raise Unusable(WRONG)
    return read


def _fit(read: ReadTrajectory) -> Iterator[bool]:
    yield read.answer is None or _is_text(read.answer)
    yield _all_fit(read.columns)
    # Their totals are never NULL.
    yield None not in {read.columns.get(name, 0) for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "seconds")}
    yield read.columns.get("status", "closed") in get_args(TrajectoryStatus)
    for call in read.calls:
        yield _all_fit(call.columns)
    for thought in read.thoughts:
        yield _all_fit(thought) and thought["status"] in SIGNS
        if (action := thought.get("action")) is not None:
            yield action["state"] in ACTION_SIGNS and (action["seconds"] is None or _is_amount(action["seconds"]))
            yield not action.get("created") or _is_time(action["created"])


def _all_fit(columns: Mapping[str, Any]) -> bool:
    return all(
        _ANY[name](value) if name in _ANY else name not in _NULLABLE or value is None or _NULLABLE[name](value)
        for name, value in columns.items()
    )
