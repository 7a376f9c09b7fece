"""RewardBench's preference files: `{"prompt": str, "chosen": str, "chosen_model", "rejected": str, "rejected_model", "subset", "id"}`.

`rewardbench --dataset FILE --load_json` reads them. The subset is the problem family, so that accuracy is told by family.
Source: allenai/reward-bench, README, "Running on local data".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format
from reasoner.datasets.records import Kind, Pair
from reasoner.datasets.reply_steps import as_text
from reasoner.errors import DataError
from reasoner.types import Message


class RewardBench(Format):
    """Preferences to measure reward models on."""

    name: ClassVar[str] = "rewardbench"
    summary: ClassVar[str] = "RewardBench: prompt, chosen and rejected as texts, with models and subset"
    kinds: ClassVar[tuple[Kind, ...]] = ("pair",)

    def row(self, record: Pair) -> dict[str, Any]:
        """Return the pair."""
        good = record.lineage
        bad = good.get("rejected") or good
        return {
            "prompt": as_text(record.messages), "chosen": record.chosen, "chosen_model": str(good.get("model", "")), "rejected": record.rejected,
            "rejected_model": str(bad.get("model", "")), "subset": record.origin.solver, "id": f"{good.get('trajectory', '')}/{bad.get('trajectory', '')}",
        }  # fmt: skip

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return dict.fromkeys(("prompt", "chosen", "chosen_model", "rejected", "rejected_model", "subset", "id"), "")

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row; the roles of its prompt are not in it."""
        if not all(isinstance(row.get(name), str) for name in ("prompt", "chosen", "rejected")):
            raise DataError("prompt, chosen and rejected have to be texts")
        sides = {side: Message("assistant", row[side]) for side in ("chosen", "rejected")}
        return {"messages": (Message("user", row["prompt"]),), **sides}
