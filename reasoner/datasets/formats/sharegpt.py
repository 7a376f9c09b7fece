"""ShareGPT: `{"conversations": [{"from": "human" | "gpt", "value": str}, ...], "system": str}`, human on odd places.

Source: the layout LLaMA-Factory's data README and Unsloth's `standardize_sharegpt` describe.
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Conversation, Kind
from reasoner.types import Message


class ShareGpt(Format):
    """Conversations as human and gpt."""

    name: ClassVar[str] = "sharegpt"
    summary: ClassVar[str] = "ShareGPT conversations (Unsloth and many others)"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)

    def row(self, record: Conversation) -> dict[str, Any] | None:
        """Return the conversation; None where user and assistant do not alternate."""
        parts = _turns.alternate(record.messages)
        if parts is None or record.tool_calls:
            return None
        system, turns = parts
        return {"conversations": _turns.sharegpt([*turns, Message("assistant", record.reply)]), "system": system}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"conversations": [_shape.TURN], "system": ""}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        found = _turns.from_sharegpt(row["conversations"], row.get("system"))
        return _turns.conversation([{"role": m.role, "content": m.content} for m in found])
