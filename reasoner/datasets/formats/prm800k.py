"""PRM800K: `{"question": {"problem", "ground_truth_answer"}, "label": {"steps": [{"completions": [{"text", "rating"}], ...}], "finish_reason"}}`.

A step has one completion, rated 1 or -1; as in that set, a chain ends with its first wrong step (`found_error`), or with its last (`solution`).
Source: openai/prm800k, README.
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format
from reasoner.datasets.records import Kind, Steps
from reasoner.errors import DataError


class Prm800k(Format):
    """Process labels as PRM800K has them."""

    name: ClassVar[str] = "prm800k"
    summary: ClassVar[str] = "PRM800K: steps rated 1 or -1, to the first error"
    kinds: ClassVar[tuple[Kind, ...]] = ("steps",)

    def row(self, record: Steps) -> dict[str, Any]:
        """Return the chain to its first wrong step."""
        wrong = record.labels.index(False) if False in record.labels else None
        n = len(record.labels) if wrong is None else wrong + 1
        if "scores" in record.columns:
            record.columns["scores"] = record.columns["scores"][:n]
        steps = [
            {
                "completions": [{"text": text, "rating": 1 if good else -1, "flagged": False}],
                "human_completion": None,
                "chosen_completion": 0,
            }
            for text, good in zip(record.completions[:n], record.labels[:n], strict=True)
        ]
        label = {"steps": steps, "total_time": 0, "finish_reason": "solution" if wrong is None else "found_error"}
        return {"labeler": "reasoner", "question": {"problem": record.prompt, "ground_truth_answer": ""}, "label": label}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        steps = [step["completions"][step.get("chosen_completion") or 0] for step in row["label"]["steps"]]
        if not steps or any(not isinstance(step.get("rating"), int) for step in steps):
            raise DataError("a step has no rating")
        return {
            "prompt": str(row["question"]["problem"]), "completions": [str(step["text"]) for step in steps], "labels": [step["rating"] >= 0 for step in steps],
        }  # fmt: skip
