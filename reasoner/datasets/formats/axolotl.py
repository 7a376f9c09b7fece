"""Axolotl: what its `chat_template`, `chat_template.default` (DPO) and `stepwise_supervised` datasets read.

    conversation   {"messages": [...]}                                      type: chat_template
    pair           {"messages": [...], "chosen": message, "rejected": message}   type: chat_template.default, under rl: dpo
    steps          {"prompt": str, "completions": [str], "labels": [bool]}  type: stepwise_supervised

Source: https://docs.axolotl.ai, "Dataset Formats".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.formats.prm import Prm
from reasoner.datasets.records import Conversation, Kind, Pair, Steps, asked, said


class Axolotl(Format):
    """Files for Axolotl."""

    name: ClassVar[str] = "axolotl"
    summary: ClassVar[str] = "Axolotl: chat_template, DPO and stepwise data (--records conversation, pair, steps)"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation", "pair", "steps")

    def row(self, record: Conversation | Pair | Steps) -> dict[str, Any]:
        """Return the row of the record's kind."""
        if isinstance(record, Steps):
            return {"prompt": record.prompt, "completions": record.completions, "labels": record.labels}
        if isinstance(record, Pair):
            return {"messages": asked(record.messages), "chosen": said(record.chosen), "rejected": said(record.rejected)}
        return {"messages": record.turns(), **record.offered()}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has no thoughts
        """Return a whole row."""
        if kind == "steps":
            return _shape.STEPS
        messages: dict[str, Any] = {"messages": [_shape.message(())]}
        return messages | ({"chosen": _shape.PLAIN, "rejected": _shape.PLAIN} if kind == "pair" else {"tools": ""})

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row; its columns tell its kind."""
        if "completions" in row:
            return Prm().read(row)
        if "chosen" in row:
            return {
                "messages": _turns.messages(row["messages"]),
                "chosen": _turns.reply(row["chosen"]),
                "rejected": _turns.reply(row["rejected"]),
            }
        return _turns.conversation(row["messages"], row.get("tools"))
