"""mlx-lm: `{"messages": [...], "tools": [...]}` in files named `train.jsonl`, `valid.jsonl` and `test.jsonl`, as `mlx_lm.lora --data FOLDER` looks for them.

With `--split train=0.8,valid=0.1,test=0.1` the parts get these names beside OUT.
Source: ml-explore/mlx-lm, LORA.md, "Data".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.records import Conversation, Kind, tool_row


class Mlx(Format):
    """Supervised fine-tuning on Apple silicon."""

    name: ClassVar[str] = "mlx"
    summary: ClassVar[str] = "mlx-lm: messages; with --split files named train, valid and test"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)
    thinking_field: ClassVar[bool] = True
    bare_names: ClassVar[bool] = True

    def row(self, record: Conversation) -> dict[str, Any]:
        """Return messages ending with the assistant's reply."""
        tools = list(map(tool_row, record.tools))
        return {"messages": record.turns(), **({"tools": tools or None} if tools or record.among_tools else {})}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return _turns.conversation(row["messages"], row.get("tools"))
