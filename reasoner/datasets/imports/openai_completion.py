"""Stored chat completions and Responses of OpenAI's interface, with what was asked in `messages`, `input` or `request`.

Source: OpenAI API reference, "Chat Completions" and "Responses".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, NoRequest, Transcript, Unusable
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASKED = ("messages", "input", "request.messages", "request.input", "prompt", "metadata.messages", "input_messages")
READ = ("messages", "input", "request", "prompt", "choices", "output", "usage", "model", "object", "tools", "instructions")
SAMPLING = ("temperature", "top_p", "max_tokens", "seed", "stop")


class OpenaiCompletion(Importer):
    """Answers of the interface as it gives them."""

    name: ClassVar[str] = "openai-completion"
    summary: ClassVar[str] = "stored chat completions and Responses, with what was asked beside them"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell an answer by its object, or by its choices."""
        if str(row.get("object")) in {"chat.completion", "response"}:
            return 60
        return 45 if isinstance(row.get("choices"), list) and row.get("choices") else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read each choice as an answer to the same question."""
        yield from answers(row, v.first(row, ASKED), facts=v.facts(row, but=READ))


def answers(body: Mapping[str, Any], asked: Any, *, facts: Mapping[str, Any], request: Mapping[str, Any] | None = None, agent: str = "") -> Iterator[Transcript]:  # fmt: skip
    """Yield a transcript per choice of an answer's body; a refusal of the server is none.

    Raises:
        NoRequest: what was asked is not known.
        Unusable: the body holds no answer.
    """
    if asked in (None, "", []):
        raise NoRequest("what was asked is not in the file")
    told = request or body
    before = v.prompt(_items(asked), told.get("instructions"))
    usage, bad = v.usage(body.get("usage"))
    for reply, finish in _replies(body):
        call = {**usage, **v.finish(finish), "model": v.text(body.get("model"))}
        yield Transcript(
            [*before, reply], model=v.text(body.get("model")), agent=agent, calls={len(before): call}, tools=v.tools(told.get("tools")),
            sampling={name: told[name] for name in SAMPLING if told.get(name) is not None}, facts=facts, n_bad_usage=bad,
        )  # fmt: skip


def _items(asked: Any) -> Any:
    """Return the items of a Responses input as messages: calls of functions and their outputs have no role of their own."""
    asked = v.parsed(asked)
    if not isinstance(asked, list):
        return asked
    made: list[Any] = []
    for item in asked:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "function_call":
            made.append({"role": "assistant", "content": None, "tool_calls": [item]})
        elif kind == "function_call_output":
            made.append({"role": "tool", "content": item.get("output"), "tool_call_id": item.get("call_id")})
        elif kind != "reasoning":
            made.append(item)
    return made


def _replies(body: Mapping[str, Any]) -> Iterator[tuple[Message, Any]]:
    if isinstance(body.get("output"), list):
        yield _response(body["output"]), "length" if v.at(body, "incomplete_details.reason") == "max_output_tokens" else "stop"
        return
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Unusable("it holds no answer")
    for choice in choices:
        if not isinstance(choice, dict):
            raise Unusable("a choice is not an object")
        said = choice.get("message", choice.get("text"))
        reply = Message("assistant", said) if isinstance(said, str) else v.message({"role": "assistant", **(said or {})}, told=True)[-1]
        yield reply, choice.get("finish_reason")


def _response(items: list[Any]) -> Message:
    """Return the output items of a Response as one reply."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Any] = []
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "message":
            texts.append(v.message({"role": "assistant", "content": item.get("content")})[-1].content)
        elif kind == "reasoning":
            inner = item.get("summary") or item.get("content") or []
            thoughts += [v.text(part.get("text")) for part in inner if isinstance(part, dict)]
        elif kind == "function_call":
            calls.append(item)
    return Message("assistant", "\n".join(texts), reasoning="\n\n".join(filter(None, thoughts)), tool_calls=v.tool_calls(calls))
