"""OpenAI's supervised fine-tuning format: `{"messages": [{"role", "content"}, ...]}` and nothing else, one object a line.

Rows have no column of ours; where they come from stands line for line in `OUT.lineage`.
Source: OpenAI documentation, "Distillation" and "Supervised fine-tuning".
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.records import Conversation, Kind, tool_row


class OpenAiSft(Format):
    """OpenAI fine-tuning files, which many other services take too."""

    name: ClassVar[str] = "openai-sft"
    summary: ClassVar[str] = "OpenAI fine-tuning: messages; lineage in a file beside it"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "sidecar"

    def row(self, record: Conversation) -> dict[str, Any]:
        """Return messages ending with the assistant's reply."""
        tools = list(map(tool_row, record.tools))
        return {"messages": record.turns(), **({"tools": tools or None} if tools or record.among_tools else {})}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return _turns.conversation(row["messages"], row.get("tools"))
