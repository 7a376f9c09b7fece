"""TRL's conversational language-modelling format: `{"messages": [{"role", "content"}, ...]}`.

The messages are those the model was asked and answered, word for word; nothing is injected.
Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Conversation, Kind


class Sft(Format):
    """Supervised fine-tuning on whole conversations."""

    name: ClassVar[str] = "sft"
    summary: ClassVar[str] = "TRL SFTTrainer: messages"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Conversation) -> dict[str, Any]:
        """Return messages ending with the assistant's reply."""
        return {"messages": record.turns(), **record.offered()}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"messages": [_shape.message(thoughts)], "tools": ""}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return _turns.conversation(row["messages"], row.get("tools"))
