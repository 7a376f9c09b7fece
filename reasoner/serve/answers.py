"""What both dialects read out of an order's outcome: the answer's text, why it ended, what was used.

Knows outcomes; no wire format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from reasoner import errors
from reasoner.budget import Spent
from reasoner.serve.faults import Refused, fault_named
from reasoner.text import after_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.runs.runner import Outcome
    from reasoner.serve.executor import Done, Order


def text_of(content: str | Sequence[Any]) -> str:
    """Return the text of a message's content, its parts joined by line ends."""
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content
    return "\n".join(part.text for part in parts)


def content_of(order: Order, outcome: Outcome) -> str:
    """Return what the client is given as the answer: without a strategy the model's own text, else what follows the answer marker."""
    text = outcome.answer or ""
    return text if order.target.spec.name == "plain" else after_answer(text)


def finish_of(outcome: Outcome) -> Literal["stop", "length"]:
    """Say why it ended: `length` where the budget or the last reply was cut."""
    if outcome.status == "exhausted":
        return "length"
    replies = [t for t in outcome.trajectory.thoughts() if t.finish_reason] if outcome.trajectory is not None else []
    return "length" if replies and replies[-1].finish_reason in {"length", "truncated"} else "stop"


def spent_of(done: Done) -> Spent:
    """Return the sum over all samples."""
    return sum((outcome.spent for outcome in done.outcomes), start=Spent())


def check(done: Done) -> None:
    """Raise where a sample failed: its calls stay recorded, and the client is told the cause.

    Raises:
        Refused: with the status that stands for the fault.
    """
    for outcome in done.outcomes:
        if outcome.status == "failed":
            kind = getattr(errors, outcome.error_kind or "", errors.ReasonerError)
            raise Refused(fault_named(kind, f"{outcome.error} (trajectory {outcome.trajectory_id})"))
