"""TRL's conversational language-modelling format: `{"messages": [{"role", "content"}, ...], "lineage": {...}}`.

The messages are those the model was asked and answered, word for word; nothing is injected.
Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from reasoner.datasets.select import Selected


class Sft:
    """Supervised fine-tuning on whole conversations."""

    name: ClassVar[str] = "sft"
    summary: ClassVar[str] = "TRL conversational SFT: messages, with lineage"

    def row(self, selected: Selected) -> dict[str, Any]:
        """Return messages ending with the assistant's reply, and the lineage."""
        messages = [{"role": m.role, "content": m.content} for m in selected.messages]
        return {"messages": [*messages, {"role": "assistant", "content": selected.reply}], "lineage": selected.lineage()}
