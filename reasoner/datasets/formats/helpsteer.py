"""HelpSteer2's two files, with what a verifier can say.

    pair    {"prompt", "response_1", "response_2", "preference_strength": -3..3, "preference_statement", "preference_elaboration"}
    label   {"prompt", "response", "correctness": 0 or 4}

A negative strength prefers response 1. Which place the better one has depends on the trajectories, so that each is preferred about as often. The
elaboration holds the reasons of the verdicts, where `--ratings` asks for them. The other four attributes are a judge's, see `reasoner map`.
Source: nvidia/HelpSteer2, dataset card.
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format
from reasoner.datasets.records import Kind, Label, Pair
from reasoner.datasets.reply_steps import as_text
from reasoner.errors import DataError
from reasoner.types import Message, digest

BEST, STRENGTH = 4, 3


class HelpSteer(Format):
    """Attributes and preferences with a justification."""

    name: ClassVar[str] = "helpsteer"
    summary: ClassVar[str] = "HelpSteer2: preferences with strength and justification; correctness (--records pair, label)"
    kinds: ClassVar[tuple[Kind, ...]] = ("pair", "label")

    def row(self, record: Pair | Label) -> dict[str, Any]:
        """Return the row of the record's kind."""
        prompt = as_text(record.messages)
        if isinstance(record, Label):
            return {"prompt": prompt, "response": record.completion, "correctness": BEST * record.label}
        first = int(digest(record.chosen, record.rejected)[:2], 16) % 2 == 0
        one, two = (record.chosen, record.rejected) if first else (record.rejected, record.chosen)
        better, worse = (1, 2) if first else (2, 1)
        reasons = [str(record.columns.get(f"{side}_reason") or "") for side in ("chosen", "rejected")]
        told = f"Response {better}: {reasons[0]}. Response {worse}: {reasons[1]}." if any(reasons) else ""
        return {
            "prompt": prompt, "response_1": one, "response_2": two, "preference_strength": -STRENGTH if first else STRENGTH,
            "preference_statement": f"Response {better} is much better than response {worse}.", "preference_elaboration": told,
        }  # fmt: skip

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has no thoughts
        """Return a whole row."""
        if kind == "label":
            return {"prompt": "", "response": "", "correctness": BEST}
        texts = dict.fromkeys(("prompt", "response_1", "response_2", "preference_statement", "preference_elaboration"), "")
        return {**texts, "preference_strength": STRENGTH}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row; the roles of its prompt are not in it."""
        asked = (Message("user", str(row["prompt"])),)
        if "response" in row:
            return {"messages": asked, "completion": Message("assistant", str(row["response"])), "label": row["correctness"] == BEST}
        if not isinstance(row["preference_strength"], int):
            raise DataError("the strength of a preference is no number")
        sides = ("response_1", "response_2") if row["preference_strength"] < 0 else ("response_2", "response_1")
        chosen, rejected = (Message("assistant", str(row[side])) for side in sides)
        return {"messages": asked, "chosen": chosen, "rejected": rejected}
