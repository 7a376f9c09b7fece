"""TRL's conversational prompt-completion format: `{"prompt": [messages], "completion": [message]}`; the loss is on the completion.

Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Conversation, Kind, asked


class PromptCompletion(Format):
    """Supervised fine-tuning on the reply alone."""

    name: ClassVar[str] = "prompt-completion"
    summary: ClassVar[str] = "TRL SFTTrainer: prompt and completion apart, the loss on the completion"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Conversation) -> dict[str, Any]:
        """Return prompt and completion as message lists."""
        return {"prompt": asked(record.messages, record.thinking_key), "completion": [record.said()], **record.offered()}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"prompt": [_shape.message(thoughts)], "completion": [_shape.message(thoughts)], "tools": ""}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {
            "messages": _turns.messages(row["prompt"]),
            "reply": _turns.reply(row["completion"]),
            "tools": _turns.tools(row.get("tools")),
        }
