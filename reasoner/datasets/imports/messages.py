"""OpenAI's fine-tuning rows and all that write them: `{"messages": [...], "tools": [...]}`, weights and further columns kept.

Source: OpenAI documentation, "Supervised fine-tuning"; TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ = ("messages", "tools", "functions", "model")


class Messages(Importer):
    """Conversations as lists of role and content."""

    name: ClassVar[str] = "messages"
    summary: ClassVar[str] = "OpenAI fine-tuning and chat rows: messages, tools, weights"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its messages."""
        return 20 if isinstance(row.get("messages"), list) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read the conversation up to its last reply, which is the one that was answered."""
        values = row["messages"]
        found, after = v.cut_at_reply(v.messages(values, told=True))
        facts = v.facts(row, but=READ)
        weights = [value.get("weight") for value in values if isinstance(value, dict)]
        if any(weight is not None for weight in weights):
            facts["weights"] = weights
        names = [value.get("name") for value in values if isinstance(value, dict)]
        if any(names):
            facts["names"] = names
        if after:
            facts["after"] = [[m.role, m.content] for m in after]
        tools = v.tools(row.get("tools")) or v.tools(row.get("functions"))
        yield Transcript(found, model=v.text(row.get("model")), tools=tools, facts=facts)
