"""Session traces as Claude Code writes them: an event a line, the messages in Anthropic's blocks.

    {"parentUuid": null, "isSidechain": false, "sessionId": ..., "type": "user", "message": {"role": "user", "content": "..."}, "uuid", "timestamp"}
    {"parentUuid": ..., "type": "assistant", "message": {"id", "model", "content": [thinking, text, tool_use], "usage", "stop_reason"}, "requestId": ...}
    {"type": "user", "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id", "content"}]}, ...}

A trajectory is a session; its first conversation is the main one, others are side conversations, each of which begins at an event without a parent.
System texts, which such traces do not hold, are events of type `system`. The first event says where the session comes from (`extra`); the
tools that were offered have no place (`atif`, `sft` and `opentelemetry` have them).
Source: the session files of Claude Code; Anthropic documentation, "Messages".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from uuid import UUID

from reasoner.datasets.formats import Format
from reasoner.datasets.formats._sessions import about, arguments, exact, zulu
from reasoner.datasets.threads import Turn, threads
from reasoner.types import Message, ToolCall, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Document, Kind

ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal", None: None}


class ClaudeCode(Format):
    """Sessions of agents, as viewers of traces show them."""

    name: ClassVar[str] = "claude-code"
    summary: ClassVar[str] = "session traces of Claude Code's form, an event a line"
    kinds: ClassVar[tuple[Kind, ...]] = ("document",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "inside"

    def rows(self, record: Document) -> list[dict[str, Any]]:
        """Return the events of one session."""
        made = list(_events(record))
        made[0]["extra"] = {**about(record), **made[0].get("extra", {})}
        return made


def _events(record: Document) -> Iterator[dict[str, Any]]:
    t = record.trajectory
    for number, thread in enumerate(threads(record)):
        parent, at = None, t["created"]
        for place, turn in enumerate(thread):
            at = (turn.call["finished"] if turn.call else None) or at
            own = str(UUID(hex=digest(t["id"], str(number), str(place))[:32]))
            event: dict[str, Any] = {
                "parentUuid": parent, "isSidechain": number > 0, "userType": "external", "cwd": "", "sessionId": t["id"],
                "version": f"reasoner {t['version']}", "gitBranch": "", **_said(turn), "uuid": own, "timestamp": zulu(at),
            }  # fmt: skip
            if read_message(event) != turn.message:
                event["extra"] = exact(turn.message)
            yield event
            parent = own


def _said(turn: Turn) -> dict[str, Any]:
    """Return the type of an event and what stands in it."""
    message = turn.message
    if message.role == "system":
        return {"type": "system", "subtype": "system_prompt", "content": message.content}
    if message.role == "assistant":
        return _reply(turn)
    content: Any = message.content
    if message.role == "tool":
        block = {"tool_use_id": message.tool_call_id, "type": "tool_result", "content": content}
        content = [{**block, "is_error": True} if turn.action and turn.action["action_state"] == "failed" else block]
    elif message.images:
        content = [{"type": "text", "text": content}, *({"type": "image", "source": {"type": "url", "url": url}} for url in message.images)]
    return {"type": "user", "message": {"role": "user", "content": content}}


def _reply(turn: Turn) -> dict[str, Any]:
    message, call = turn.message, turn.call
    blocks: list[dict[str, Any]] = [{"type": "thinking", "thinking": message.reasoning, "signature": ""}] if message.reasoning else []
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    blocks += [{"type": "tool_use", "id": one.id, "name": one.name, "input": arguments(one.arguments)} for one in message.tool_calls]
    if call is None:
        return {"type": "assistant", "message": {"type": "message", "role": "assistant", "content": blocks}}
    usage = {
        "input_tokens": call["prompt_tokens"] - call["cached_tokens"], "cache_read_input_tokens": call["cached_tokens"],
        "output_tokens": call["completion_tokens"],
    }  # fmt: skip
    said = {
        "id": f"msg_{call['key'][:24]}", "type": "message", "role": "assistant", "model": call["model"], "content": blocks,
        "stop_reason": ENDS.get(call["finish_reason"], "refusal"), "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    return {"type": "assistant", "message": said, "requestId": call["key"]}


def read_message(event: Mapping[str, Any]) -> Message:
    """Read the message of an event that this format wrote, without what `extra` says."""
    if event["type"] == "system":
        return Message("system", event["content"])
    content = event["message"]["content"]
    if isinstance(content, str):
        return Message("user", content)
    if event["type"] == "user":
        if content[0]["type"] == "tool_result":
            return Message("tool", content[0]["content"], tool_call_id=content[0]["tool_use_id"])
        return Message("user", content[0]["text"], images=tuple(block["source"]["url"] for block in content[1:]))
    blocks = {block["type"]: block for block in content}
    calls = tuple(ToolCall(one["id"], one["name"], json.dumps(one["input"])) for one in content if one["type"] == "tool_use")
    text, thought = (blocks[name][name] if name in blocks else "" for name in ("text", "thinking"))
    return Message("assistant", text, reasoning=thought, tool_calls=calls)
