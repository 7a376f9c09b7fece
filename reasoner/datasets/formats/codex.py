"""Session traces as Codex writes them: items of the Responses form, a line each.

    {"timestamp", "type": "session_meta", "payload": {"id", "timestamp", "cwd", "originator", "cli_version"}, "extra": {"lineage", "end", "calls"}}
    {"timestamp", "type": "turn_context", "payload": {"cwd", "model"}}
    {"timestamp", "type": "response_item", "payload": {"type": "message" | "reasoning" | "function_call" | "function_call_output", ...}}
    {"timestamp", "type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": {...}, "last_token_usage": {...}}}}

A trajectory is a session, and every further conversation of it (another sample, a branch) one more, with the same lineage. A count of tokens stands
after each reply of a model. Items of one message share an `id`. The tools that were offered have no place.
Source: the rollout files of Codex; OpenAI documentation, "Responses".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from reasoner.datasets.formats import Format
from reasoner.datasets.formats._sessions import about, exact, zulu
from reasoner.datasets.threads import Turn, threads
from reasoner.types import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reasoner.datasets.records import Document, Kind
    from reasoner.types import Role

USAGE = {
    "input_tokens": "prompt_tokens", "cached_input_tokens": "cached_tokens", "output_tokens": "completion_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}  # fmt: skip
"""How a count is called, and the column it stands in."""


class Codex(Format):
    """Sessions of agents, as viewers of traces show them."""

    name: ClassVar[str] = "codex"
    summary: ClassVar[str] = "session traces of Codex's form, an item a line"
    kinds: ClassVar[tuple[Kind, ...]] = ("document",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "inside"

    def rows(self, record: Document) -> list[dict[str, Any]]:
        """Return the lines of one trajectory's sessions."""
        return [line for number, thread in enumerate(threads(record)) for line in _session(record, number, thread)]


def _session(record: Document, number: int, thread: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    t = record.trajectory
    name = t["id"] if not number else f"{t['id']}-{number}"
    at = t["created"]
    calls = [turn.call["key"] for turn in thread if turn.call]
    meta = {"id": name, "timestamp": zulu(at), "cwd": "", "originator": "reasoner", "cli_version": t["version"], "instructions": None}
    yield {"timestamp": zulu(at), "type": "session_meta", "payload": meta, "extra": {**about(record), "calls": calls}}
    model, total = None, dict.fromkeys(USAGE, 0)
    for place, turn in enumerate(thread):
        if turn.call is not None:
            at = turn.call["finished"] or at
            if turn.call["model"] != model:
                model = turn.call["model"]
                yield {"timestamp": zulu(at), "type": "turn_context", "payload": {"cwd": "", "model": model}}
        items = [{**item, "id": f"{name}_{place}"} for item in _items(turn.message)]
        more = {} if read_items(items) == turn.message else {"extra": exact(turn.message)}
        for n, item in enumerate(items):
            yield {"timestamp": zulu(at), "type": "response_item", "payload": item, **(more if not n else {})}
        if turn.call is not None:
            used = {name: turn.call[column] or 0 for name, column in USAGE.items()}
            total = {name: total[name] + used[name] for name in USAGE}
            info = {"total_token_usage": _summed(total), "last_token_usage": _summed(used), "model_context_window": None}
            yield {"timestamp": zulu(at), "type": "event_msg", "payload": {"type": "token_count", "info": info}}


def _summed(used: Mapping[str, int]) -> dict[str, int]:
    return {**used, "total_tokens": used["input_tokens"] + used["output_tokens"]}


def _items(message: Message) -> list[dict[str, Any]]:
    """Return a message as items; one at least."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    if message.role != "assistant":
        content = [{"type": "input_text", "text": message.content}, *({"type": "input_image", "image_url": url} for url in message.images)]
        return [{"type": "message", "role": "developer" if message.role == "system" else message.role, "content": content}]
    made: list[dict[str, Any]] = []
    if message.reasoning:
        thought = [{"type": "reasoning_text", "text": message.reasoning}]
        made.append({"type": "reasoning", "summary": [], "content": thought, "encrypted_content": None})
    if message.content or not message.tool_calls:
        made.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": message.content}]})
    return made + [{"type": "function_call", "name": one.name, "arguments": one.arguments, "call_id": one.id} for one in message.tool_calls]


def read_items(items: Sequence[Mapping[str, Any]]) -> Message:
    """Read the items of one message that this format wrote, without what `extra` says."""
    first = items[0]
    if first["type"] == "function_call_output":
        return Message("tool", first["output"], tool_call_id=first["call_id"])
    if first.get("role", "assistant") != "assistant":
        text, *images = first["content"]
        role: Role = "system" if first["role"] == "developer" else "user"
        return Message(role, text["text"], images=tuple(image["image_url"] for image in images))
    kinds = {item["type"]: item for item in items}
    calls = tuple(ToolCall(one["call_id"], one["name"], one["arguments"]) for one in items if one["type"] == "function_call")
    thought = kinds["reasoning"]["content"][0]["text"] if "reasoning" in kinds else ""
    text = kinds["message"]["content"][0]["text"] if "message" in kinds else ""
    return Message("assistant", text, reasoning=thought, tool_calls=calls)
