"""Alpaca: `{"instruction": str, "input": "", "output": str, "system": str, "history": [[user, assistant], ...]}`.

Source: LLaMA-Factory's data README (`system` and `history` are its additions to Stanford's three columns).
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.records import Conversation, Kind
from reasoner.errors import DataError
from reasoner.types import Message


class Alpaca(Format):
    """Instruction and output."""

    name: ClassVar[str] = "alpaca"
    summary: ClassVar[str] = "Alpaca: instruction, input, output, system, history"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)

    def row(self, record: Conversation) -> dict[str, Any] | None:
        """Return the last question as the instruction; None where user and assistant do not alternate."""
        parts = _turns.alternate(record.messages)
        if parts is None or record.tool_calls:
            return None
        system, turns = parts
        texts = [m.content for m in turns]
        history = [[one, other] for one, other in zip(texts[:-1:2], texts[1:-1:2], strict=True)]
        return {"instruction": texts[-1], "input": "", "output": record.reply, "system": system, "history": history}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {**dict.fromkeys(("instruction", "input", "output", "system"), ""), "history": [[""]]}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        if not all(isinstance(row.get(name), str) for name in ("instruction", "output")):
            raise DataError("instruction and output have to be texts")
        found = [Message("system", row["system"])] if row.get("system") else []
        for one, other in row.get("history") or []:
            found += [Message("user", str(one)), Message("assistant", str(other))]
        found.append(Message("user", "\n".join(part for part in (row["instruction"], row.get("input")) if part)))
        return {"messages": tuple(found), "reply": Message("assistant", row["output"])}
