"""HelpSteer2 (a response with five ratings) and HelpSteer3 (two responses and which is preferred).

Source: Wang et al. 2024, "HelpSteer2"; Wang et al. 2025, "HelpSteer3-Preference".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.datasets.imports.preference import dialogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record
    from reasoner.types import Message

ASPECTS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


class Helpsteer(Importer):
    """Rated responses, and pairs of responses."""

    name: ClassVar[str] = "helpsteer"
    summary: ClassVar[str] = "HelpSteer2 and HelpSteer3: ratings by aspect, preferences from -3 to 3"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its ratings or by its two responses."""
        if {"response1", "response2", "overall_preference"} <= set(row):
            return 70
        return 65 if {"prompt", "response", "helpfulness"} <= set(row) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | Record]:
        """Read a rated response, or a pair."""
        if "response1" in row:
            yield self._pair(row)
            return
        ratings = {name: row[name] for name in ASPECTS if v.is_number(row.get(name))}
        facts = {"ratings": ratings, **v.facts(row, but=("prompt", "response", *ASPECTS))}
        yield Transcript([*_asked(row["prompt"]), v.one_reply(row["response"])], facts=facts)

    @staticmethod
    def _pair(row: Mapping[str, Any]) -> Record:
        preference = row["overall_preference"]
        if not v.is_number(preference):
            raise Unusable("the preference is no number")
        if preference == 0:
            raise Unusable("neither response is preferred")
        sides = [v.one_reply(row[name]) for name in ("response1", "response2")]
        better, worse = sides if preference < 0 else sides[::-1]
        return v.pair(_asked(row["context"]), better, worse, chosen_rating=float(abs(preference)), rejected_rating=0.0)


def _asked(value: Any) -> list[Message]:
    """Read a prompt; earlier turns may stand in it between marks of HelpSteer's own."""
    if isinstance(value, str) and "<extra_id_1>" in value:
        turns = ["User\n" + value.split("<extra_id_1>", 1)[0], *value.split("<extra_id_1>")[1:]]
        return dialogue(
            "".join(f"\n\n{'Human' if turn.startswith('User') else 'Assistant'}: {turn.partition(chr(10))[2]}" for turn in turns)
        )
    return v.prompt(value)
