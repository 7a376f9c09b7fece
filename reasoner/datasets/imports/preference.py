r"""Preferences and labels as trainers and papers write them: TRL, OpenAI, HH (whole dialogues as text), UltraFeedback with two completions.

Source: TRL documentation, "Dataset formats and types"; OpenAI documentation, "Direct preference optimization"; Bai et al. 2022 (HH).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")
RATINGS = (
    ("score_chosen", "chosen_rating"),
    ("score_rejected", "rejected_rating"),
    ("chosen_score", "chosen_rating"),
    ("rejected_score", "rejected_rating"),
)


class Preference(Importer):
    """Two completions of one prompt, or one that is good or not."""

    name: ClassVar[str] = "preference"
    summary: ClassVar[str] = (
        "preferences and labels: TRL DPO and KTO, OpenAI, HH dialogues, UltraFeedback (binarized), prompt and completion"
    )

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by the names of its completions."""
        if "preferred_output" in row and "input" in row:
            return 70
        if row.get("chosen") is not None and row.get("rejected") is not None:
            return 30
        return 25 if "prompt" in row and "completion" in row else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | Record]:
        """Read the row as what its columns make it."""
        model = v.text(row.get("model"))
        if "preferred_output" in row:
            asked = v.prompt(v.at(row, "input.messages"))
            yield v.pair(asked, v.one_reply(row["preferred_output"]), v.one_reply(row["non_preferred_output"]), model=model)
            return
        if "completion" in row and row.get("chosen") is None:
            yield from self._labelled(row, model)
            return
        if all(isinstance(row[side], str) and _TURN.match(row[side]) for side in ("chosen", "rejected")):
            chosen, rejected = dialogue(row["chosen"]), dialogue(row["rejected"])
        else:
            chosen, rejected = (_turns(row, side) for side in ("chosen", "rejected"))
        n_same = next(
            (n for n, both in enumerate(zip(chosen, rejected, strict=False)) if both[0] != both[1]), min(len(chosen), len(rejected))
        )
        ends = chosen[n_same:], rejected[n_same:]
        if n_same < 1 or any(len(end) != 1 or end[0].role != "assistant" for end in ends):
            raise Unusable("its two completions are not one reply each to the same messages")
        columns = {name: float(row[column]) for column, name in RATINGS if v.is_number(row.get(column))}
        yield v.pair(chosen[:n_same], ends[0][0], ends[1][0], model=model, **columns)

    @staticmethod
    def _labelled(row: Mapping[str, Any], model: str) -> Iterator[Transcript | Record]:
        asked, reply = v.prompt(row["prompt"], row.get("system")), v.one_reply(row["completion"])
        if isinstance(row.get("label"), bool):
            yield v.label(asked, reply, good=row["label"], model=model)
            return
        yield Transcript([*asked, reply], model=model, facts=v.facts(row, but=("prompt", "completion", "system", "model")))


def dialogue(text: str) -> list[Message]:
    """Read a dialogue of `Human:` and `Assistant:` turns.

    Raises:
        Unusable: it does not begin with a turn.
    """
    pieces = _TURN.split(text)
    if pieces[0].strip() or len(pieces) < 3:
        raise Unusable("a dialogue does not begin with a turn of Human or Assistant")
    return [Message("user" if who == "Human" else "assistant", said.strip()) for who, said in zip(pieces[1::2], pieces[2::2], strict=True)]


def _turns(row: Mapping[str, Any], side: str) -> list[Message]:
    """Return a prompt with one of its completions; where the completion repeats the prompt, the prompt stands once."""
    value = v.parsed(row[side])
    whole = v.messages(value, told=True) if isinstance(value, list) else []
    if len(whole) > 1:
        return whole
    asked = v.prompt(row.get("prompt", row.get("question", row.get("instruction"))), row.get("system"))
    return [*asked, whole[0] if whole else v.one_reply(row[side])]
