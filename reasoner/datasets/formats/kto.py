"""TRL's conversational unpaired preference format: `{"prompt": [messages], "completion": [message], "label": bool}`.

Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Kind, Label, asked, said


class Kto(Format):
    """Optimisation on single good and bad completions."""

    name: ClassVar[str] = "kto"
    summary: ClassVar[str] = "TRL KTOTrainer: prompt, completion, label"
    kinds: ClassVar[tuple[Kind, ...]] = ("label",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Label) -> dict[str, Any]:
        """Return prompt, completion and label."""
        said_ = said(record.completion, record.thinking, record.thinking_key)
        return {"prompt": asked(record.messages, record.thinking_key), "completion": [said_], "label": record.label}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"prompt": [_shape.message(thoughts)], "completion": [{**_shape.PLAIN, **dict.fromkeys(thoughts, "")}], "label": True}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {"messages": _turns.messages(row["prompt"]), "completion": _turns.reply(row["completion"]), "label": bool(row["label"])}
