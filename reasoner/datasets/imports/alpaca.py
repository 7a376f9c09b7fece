"""Alpaca rows: `{"instruction", "input", "output", "system", "history"}`, with LLaMA-Factory's preferences and labels.

Source: Stanford Alpaca; LLaMA-Factory, data/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record

READ = ("instruction", "input", "output", "response", "system", "history", "chosen", "rejected", "kto_tag", "text", "model")


class Alpaca(Importer):
    """Instruction and output."""

    name: ClassVar[str] = "alpaca"
    summary: ClassVar[str] = "Alpaca: instruction, input, output, system, history; also chosen and rejected or kto_tag"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its instruction and an answer to it."""
        answered = {"output", "response"} & set(row) or {"chosen", "rejected"} <= set(row)
        return 35 if isinstance(row.get("instruction"), str) and answered else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | Record]:
        """Read the row: the history first, then the instruction with its input."""
        found = [Message("system", row["system"])] if isinstance(row.get("system"), str) and row["system"] else []
        for turn in row.get("history") or []:
            if not isinstance(turn, (list, tuple)) or len(turn) != 2:
                raise Unusable("a turn of the history is not a pair of texts")
            found += [Message("user", v.text(turn[0])), Message("assistant", v.text(turn[1]))]
        asked = "\n".join(part for part in (row["instruction"], row.get("input")) if isinstance(part, str) and part)
        if not asked:
            raise Unusable("there is no prompt")
        found.append(Message("user", asked))
        model = v.text(row.get("model"))
        if row.get("chosen") is not None and row.get("rejected") is not None:
            yield v.pair(found, v.one_reply(row["chosen"]), v.one_reply(row["rejected"]), model=model)
            return
        said = row.get("output", row.get("response"))
        if not isinstance(said, str) or not said:
            raise Unusable("the output is no text, or an empty one")
        reply = v.one_reply(said)
        if isinstance(row.get("kto_tag"), bool):
            yield v.label(found, reply, good=row["kto_tag"], model=model)
            return
        yield Transcript([*found, reply], model=model, facts=v.facts(row, but=READ))
