"""What all dialects read out of an order's result: the answer's text, why it ended, what was used.

Knows results; no wire format.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reasoner import errors
from reasoner.budget import Spent
from reasoner.serve.faults import Fault, Refused, fault_named
from reasoner.text import after_answer
from reasoner.types import canonical_json

if TYPE_CHECKING:
    from typing import Any

    from reasoner.capabilities import Part
    from reasoner.serve.order import Done, Order, Piece, Said
    from reasoner.types import Completion, ToolCall

Finish = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as a client is given it. `stopped_by` is the stop text that ended a strategy's answer; empty: none did."""

    text: str
    finish: Finish
    stopped_by: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    opaque: str = ""

    def items(self, form: str) -> list[Any]:
        """Return what a provider of a format wants back unchanged in the next turn."""
        try:
            kept = json.loads(self.opaque or "{}")
        except (ValueError, RecursionError):
            return []
        return list(kept.get("items", [])) if isinstance(kept, dict) and kept.get("format") == form else []


def reply_of(order: Order, done: Done, sample: int) -> Reply:
    """Return the answer of one sample: of a plain model its reply in all parts, of a strategy what follows the answer marker."""
    result, last = done.results[sample], done.replies[sample]
    if order.plain:
        if last is None:
            return Reply(result.text or "", "length")
        return Reply(last.text, _finish(last), "", last.reasoning, last.tool_calls, last.opaque)
    text = result.text or ""
    text = text if order.output_schema else after_answer(text)
    if order.messages[-1].role == "assistant":
        text = text.removeprefix(order.messages[-1].content)
    ends = [(at, stop) for stop in order.stop if (at := text.find(stop)) >= 0]
    at, stop = min(ends, default=(len(text), ""))
    ended = stop or not (done.cut[sample] or result.status == "exhausted")
    return Reply(text[:at], "stop" if ended else "length", stop)


def _finish(reply: Completion) -> Finish:
    if reply.finish_reason == "truncated":
        return "length"
    return "tool_calls" if reply.tool_calls and reply.finish_reason == "stop" else reply.finish_reason


def spent_of(done: Done) -> Spent:
    """Return the sum over all samples."""
    return sum((result.spent for result in done.results), start=Spent())


def thought_tokens(done: Done) -> int:
    """Return how many of a plain model's tokens were thought, where it tells."""
    return sum(reply.usage.reasoning_tokens for reply in done.replies if reply is not None)


def check(done: Done) -> None:
    """Raise where a sample failed or waits: its calls stay recorded, and the client is told the cause.

    What waits for a person is refused and not answered, so that nobody takes the notice for the answer; 403 is a status that no library asks
    again by itself.

    Raises:
        Refused: with the status that stands for the fault.
    """
    for result in done.results:
        if result.status == "open":
            said = (result.error or "it waits").partition("; 'reasoner approve")[0]
            how = (
                f"decide on the page of trajectory {result.trajectory_id}, by POST /v1/actions/ID or 'reasoner approve ID'; then send the same"
                f" request with the same Idempotency-Key, or read GET /v1/trajectories/{result.trajectory_id}"
            )
            raise Refused(Fault(403, "permission", f"{said}; {how}", code="approval_required"))
        if result.status == "failed":
            kind = getattr(errors, result.error_kind or "", errors.ReasonerError)
            raise Refused(fault_named(kind, f"{result.error} (trajectory {result.trajectory_id})"))


def thoughts_of(said: list[Said], sample: int) -> str:
    """Return what a strategy's model said on the way, as one text."""
    return "\n\n".join(one.shown() for one in said if one.sample == sample)


@dataclass(slots=True)
class Sent:
    """What of one sample's reply has gone to the client. A call that is made again has to begin as the one before."""

    _attempt: int = 0
    _sent: dict[Part, str] = field(default_factory=lambda: defaultdict(str))
    _at: dict[Part, int] = field(default_factory=lambda: defaultdict(int))

    def new(self, piece: Piece) -> str:
        """Return what of a piece the client does not have yet.

        Raises:
            Refused: the call was made again and says something else than what was sent.
        """
        if piece.attempt != self._attempt:
            self._attempt, self._at = piece.attempt, defaultdict(int)
        sent, at = self._sent[piece.part], self._at[piece.part]
        known = sent[at : at + len(piece.text)]
        if not piece.text.startswith(known):
            raise Refused(
                Fault(502, "upstream", "the model's stream broke off, and its second answer is another one; ask again", code="model_failed")
            )
        self._at[piece.part] = at + len(piece.text)
        self._sent[piece.part] = sent + piece.text[len(known) :]
        return piece.text[len(known) :]

    def rest(self, part: Part, whole: str) -> str:
        """Return what is left to send; nothing where the reply was told apart otherwise once it was whole."""
        sent = self._sent[part]
        return whole[len(sent) :] if whole.startswith(sent) else ""


def opaque_of(form: str, items: list[Any]) -> str:
    """Return what came back of a provider's items, as a message holds it; empty where there is none."""
    try:
        return canonical_json({"format": form, "items": items}) if items else ""
    except (ValueError, RecursionError):
        return ""
