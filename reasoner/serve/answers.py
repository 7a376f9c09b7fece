"""What both dialects read out of an order's result: the answer's text, why it ended, what was used.

Knows results; no wire format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from reasoner import errors
from reasoner.budget import Spent
from reasoner.serve.faults import Refused, fault_named
from reasoner.text import after_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.runs.results import Result
    from reasoner.serve.executor import Done, Order


def text_of(content: str | Sequence[Any]) -> str:
    """Return the text of a message's content, its parts joined by line ends."""
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content
    return "\n".join(part.text for part in parts)


def content_of(order: Order, result: Result) -> str:
    """Return what the client is given as the answer: without a strategy the model's own text, else what follows the answer marker."""
    text = result.text or ""
    return text if order.target.spec.name == "plain" else after_answer(text)


def finish_of(done: Done, sample: int) -> Literal["stop", "length"]:
    """Say why a sample ended: `length` where the budget or the last reply was cut."""
    return "length" if done.cut[sample] or done.results[sample].status == "exhausted" else "stop"


def spent_of(done: Done) -> Spent:
    """Return the sum over all samples."""
    return sum((result.spent for result in done.results), start=Spent())


def check(done: Done) -> None:
    """Raise where a sample failed: its calls stay recorded, and the client is told the cause.

    Raises:
        Refused: with the status that stands for the fault.
    """
    for result in done.results:
        if result.status == "failed":
            kind = getattr(errors, result.error_kind or "", errors.ReasonerError)
            raise Refused(fault_named(kind, f"{result.error} (trajectory {result.trajectory_id})"))
