"""UltraFeedback as it was first published: an instruction, and several models' completions with ratings by aspect.

Each completion becomes a conversation; its ratings stay with it. Source: Cui et al. 2023, "UltraFeedback".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ = ("response", "model", "custom_system_prompt")


class Ultrafeedback(Importer):
    """Rated completions of one instruction."""

    name: ClassVar[str] = "ultrafeedback"
    summary: ClassVar[str] = "UltraFeedback: an instruction and several rated completions"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its completions, each of a model."""
        completions = row.get("completions")
        told = isinstance(completions, list) and completions and isinstance(completions[0], dict) and "response" in completions[0]
        return 60 if told and "instruction" in row else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read every completion."""
        for completion in row["completions"]:
            if not isinstance(completion, dict) or not isinstance(completion.get("response"), str):
                raise Unusable("a completion has no response")
            asked = v.prompt(row["instruction"], completion.get("custom_system_prompt"))
            facts = {"ratings": v.facts(completion, but=READ), **v.facts(row, but=("instruction", "completions", "models"))}
            yield Transcript([*asked, Message("assistant", completion["response"])], model=v.text(completion.get("model")), facts=facts)
