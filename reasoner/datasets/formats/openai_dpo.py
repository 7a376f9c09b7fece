"""OpenAI's preference format: `{"input": {"messages", "tools", "parallel_tool_calls"}, "preferred_output", "non_preferred_output"}`.

Rows have no column of ours; where they come from stands line for line in `OUT.lineage`.
Source: OpenAI documentation, "Direct preference optimization".
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.records import Kind, Pair, asked, said


class OpenAiDpo(Format):
    """OpenAI preference files, which Together and Fireworks take too."""

    name: ClassVar[str] = "openai-dpo"
    summary: ClassVar[str] = "OpenAI preference fine-tuning; lineage in a file beside it"
    kinds: ClassVar[tuple[Kind, ...]] = ("pair",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "sidecar"

    def row(self, record: Pair) -> dict[str, Any]:
        """Return the input and both outputs."""
        return {
            "input": {"messages": asked(record.messages), "tools": [], "parallel_tool_calls": True},
            "preferred_output": [said(record.chosen)],
            "non_preferred_output": [said(record.rejected)],
        }

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {
            "messages": _turns.messages(row["input"]["messages"]),
            "chosen": _turns.reply(row["preferred_output"]),
            "rejected": _turns.reply(row["non_preferred_output"]),
        }
