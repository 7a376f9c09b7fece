"""TRL's conversational preference format with an explicit prompt: `{"prompt": [messages], "chosen": [message], "rejected": [message]}`.

Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Kind, Pair, asked, said


class Dpo(Format):
    """Preference optimisation."""

    name: ClassVar[str] = "dpo"
    summary: ClassVar[str] = "TRL DPOTrainer and kin: prompt, chosen, rejected"
    kinds: ClassVar[tuple[Kind, ...]] = ("pair",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Pair) -> dict[str, Any]:
        """Return prompt, chosen and rejected as message lists, all three of one shape."""
        return {
            "prompt": asked(record.messages, record.thinking_key),
            "chosen": [said(record.chosen, record.chosen_thinking, record.thinking_key)],
            "rejected": [said(record.rejected, record.rejected_thinking, record.thinking_key)],
        }

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        said_ = [{**_shape.PLAIN, **dict.fromkeys(thoughts, "")}]
        return {"prompt": [_shape.message(thoughts)], "chosen": said_, "rejected": said_}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {
            "messages": _turns.messages(row["prompt"]),
            "chosen": _turns.reply(row["chosen"]),
            "rejected": _turns.reply(row["rejected"]),
        }
