"""What an answer says, whatever its format: text, thought, tool calls, how it ended, and what it used.

Strict on the text and on how it ended, lenient on everything else: a paid answer is not thrown away for its side fields. Counts that are
missing or cannot be read are left open (`Usage.estimated`); `reasoner.calling` puts what was reserved in their place.

    completion_of(endpoint, request, profile, Said(text="<think>9 + 1</think>Answer: 24", finish="eos_token"), seconds=0.3)
    -> Completion("Answer: 24", "stop", reasoning="9 + 1", ...)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from reasoner import token_record
from reasoner.clients._thoughts import PAIRS, split
from reasoner.errors import BadResponse, UnreadableAnswer
from reasoner.types import Completion, ConstraintApplied, FinishReason, Request, ToolCall, Usage, canonical_json

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile

MAX_COUNT = 10**12
MAX_CALLS = 256
"""Tool calls of one answer; what comes after them is dropped."""

_ENDS: Mapping[FinishReason, Sequence[str]] = {
    "stop": ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "end", "complete", "completed", "finished"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "model_length"),
    "content_filter": ("content_filter", "refusal", "safety", "recitation", "prohibited_content", "blocklist", "spii"),
    "tool_calls": ("tool_calls", "tool_use", "function_call"),
}
_FINISH: Mapping[str, FinishReason] = {name: finish for finish, names in _ENDS.items() for name in names}


@dataclass(slots=True)
class Counts:
    """Tokens as a provider tells them; None where it does not, or not readably."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None

    def usage(self, *, spoke: bool) -> Usage:
        """Return them as usage. Of an answer that says something, 0 is no count: some servers send it instead of one."""
        prompt, completion, reasoning = self.prompt or 0, self.completion or 0, self.reasoning or 0
        missing = not prompt or (spoke and not completion) or self.completion is None
        return Usage(prompt, completion, min(self.cached or 0, prompt), None, min(reasoning, completion), missing)


@dataclass(slots=True)
class Said:
    """One answer, as its format says it. `finish` is the provider's word; None where it gave none."""

    text: str | None = None
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    opaque: list[Any] = field(default_factory=list)
    """What is to go back unchanged in the next turn."""
    finish: str | None = None
    refused: bool = False
    counts: Counts = field(default_factory=Counts)
    model: str = ""
    tokens: list[tuple[str, float]] = field(default_factory=list)
    """Tokens with their log-probabilities, where they were asked for and could be read."""
    prompt_ids: list[Any] = field(default_factory=list)
    token_ids: list[Any] = field(default_factory=list)
    """Ids of the tokens of the prompt and of the answer, where they were asked for and told."""


def completion_of(
    endpoint: Endpoint, request: Request, profile: Profile, said: Said, *, form: str, seconds: float, is_cut: bool = False
) -> Completion:
    """Return the completion that an answer is. `form` names the format of its opaque items; one that `is_cut` is truncated, however it is.

    Raises:
        BadResponse: it says nothing at all, and nothing was counted: a proxy has made a success of a failure behind it.
    """
    finish: FinishReason = "truncated" if is_cut else finish_of(said.finish)
    text, reasoning, calls = said.text or "", said.reasoning, said.tool_calls[:MAX_CALLS]
    if calls and schema_is_tool(request, profile):
        text, calls = "".join(call.arguments for call in calls), []
        finish = "stop" if finish == "tool_calls" else finish
    elif not reasoning and profile.thought != "none":
        parted = split(text, opened=_opened(profile))
        text, reasoning, calls = parted.text, parted.reasoning, [*calls, *parted.tool_calls]
    if is_cut:
        finish = "truncated"
    elif said.refused:
        finish = "content_filter"
    elif calls and finish == "stop":
        finish = "tool_calls"
    elif finish == "stop" and reasoning and not text and (said.counts.completion or 0) >= (request.sampling.max_tokens or MAX_COUNT):
        finish = "length"  # the thought took all the tokens there were, whatever the server says of it
    spoke = bool(text or reasoning or calls or said.opaque)
    if not spoke and not is_cut and not said.counts.completion and finish in {"stop", "truncated", "tool_calls"}:
        raise BadResponse(
            f"{endpoint.url} answered without content (finish_reason {endpoint.said(str(said.finish), 40)}) and counted no tokens",
            hint="a proxy may have made a success of a failure behind it",
        )
    plain = text, reasoning, tuple(calls)
    text, reasoning = endpoint.redacted(clean_text(text)), endpoint.redacted(clean_text(reasoning))
    cleaned = tuple(_clean_call(endpoint, call) for call in calls)
    return Completion(
        text=text,
        finish_reason=finish,
        usage=said.counts.usage(spoke=spoke),
        model=endpoint.said(said.model, 200) or endpoint.model,
        constraint_applied=applied(request, text, profile, whole=finish == "stop"),
        seconds=seconds,
        mean_logprob=_mean(said.tokens, text) if request.sampling.logprobs else None,
        token_logprobs=tuple(said.tokens) if request.sampling.logprobs else (),
        tokens=_recorded(said) if request.sampling.tokens and plain == (text, reasoning, cleaned) else "",
        reasoning=reasoning,
        tool_calls=cleaned,
        opaque=opaque_text(form, said.opaque),
    )


def finish_of(reason: str | None) -> FinishReason:
    """Return how an answer ended, in our words. One that no provider is known to use is not taken for the end of an answer."""
    return _FINISH.get((reason or "").strip().lower(), "truncated")


def schema_is_tool(request: Request, profile: Profile) -> bool:
    """Tell whether the request's schema goes out as the one tool that has to be called."""
    return profile.schema_by == "tool" and request.constraint is not None


def _opened(profile: Profile) -> str:
    return next((opening for opening in PAIRS if opening.strip("<>[]").lower() == profile.thought), "")


def applied(request: Request, text: str, profile: Profile, *, whole: bool) -> ConstraintApplied:
    """Tell whether the schema seems to have held: a server that ignores the parameter answers in prose."""
    if request.constraint is None:
        return "none"
    try:
        from_json(text, allow_partial=not whole)
    except ValueError:
        return "none"
    return "prompt" if profile.schema_by == "prompt" else "json_schema"


def _mean(tokens: list[tuple[str, float]], text: str) -> float | None:
    """Return the mean log-probability of the tokens that make up the text: those of a thought before it do not count."""
    chosen, n_chars = [], 0
    if "".join(token for token, _ in tokens).endswith(text):
        for token, value in reversed(tokens):
            if n_chars >= len(text):
                break
            chosen.append(value)
            n_chars += len(token)
    else:
        chosen = [value for _, value in tokens]
    return math.fsum(chosen) / len(chosen) if chosen else None


def _recorded(said: Said) -> str:
    """Return ids and log-probabilities as a call keeps them; empty where the server did not tell both of every token."""
    return token_record.written(said.prompt_ids, said.token_ids, [value for _, value in said.tokens])


def _clean_call(endpoint: Endpoint, call: ToolCall) -> ToolCall:
    return ToolCall(*(endpoint.redacted(clean_text(part)) for part in (call.id, call.name, call.arguments)))


def opaque_text(form: str, items: Sequence[Any]) -> str:
    """Return items as JSON text that names the format which reads them; empty where there are none, or JSON cannot hold them."""
    try:
        return canonical_json({"format": form, "items": list(items)}) if items else ""
    except (ValueError, RecursionError):
        return ""


def json_text(value: Any) -> str:
    """Return a JSON value as text; empty where JSON cannot hold it."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return ""


def opaque_items(text: str, form: str) -> list[Any]:
    """Return the items of an opaque text of this format; none of another provider's."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return []
    items = value.get("items") if isinstance(value, dict) and value.get("format") == form else None
    return items if isinstance(items, list) else []


def loads(data: bytes) -> Any:
    """Read JSON; lone surrogates, a byte order mark and NaN are let pass.

    Raises:
        ValueError: it is none.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return from_json(data)
    except ValueError:
        try:
            return json.loads(data.decode("utf-8"))
        except RecursionError as error:
            raise ValueError("nested too deep") from error


def clean_text(text: str) -> str:
    """Return a text that can be written as UTF-8: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def count(value: Any) -> int | None:
    """Read a count of tokens: whole numbers, floats, digits; None for anything else."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
        return None
    return math.ceil(value)


def words(value: Any) -> str:
    """Read a text that is not the answer's: anything else is empty."""
    return value if isinstance(value, str) else ""


def objects(value: Any) -> list[dict[str, Any]]:
    """Read a list of objects; what else is in it is skipped, and anything else is empty."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """Read an object; anything else is empty."""
    return value if isinstance(value, dict) else {}


def unreadable(endpoint: Endpoint, field: str, value: Any) -> UnreadableAnswer:
    """Return the error for an answer whose text is none; asking again would bring another of the same kind."""
    return UnreadableAnswer(
        f"{endpoint.url} answered without a usable completion: {field} is {type(value).__name__}, not text",
        hint="check that it is a chat endpoint",
    )
