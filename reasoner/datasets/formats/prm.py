"""TRL's stepwise supervision format: `{"prompt": str, "completions": [str], "labels": [bool]}`, of equal length.

A column `scores` beside it holds, per step, the share of its branches that reached a verified answer (see docs/reference/datasets.md).
Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape
from reasoner.datasets.records import Kind, Steps
from reasoner.errors import DataError


class Prm(Format):
    """Process reward models."""

    name: ClassVar[str] = "prm"
    summary: ClassVar[str] = "TRL stepwise supervision: prompt, completions, labels"
    kinds: ClassVar[tuple[Kind, ...]] = ("steps",)

    def row(self, record: Steps) -> dict[str, Any]:
        """Return prompt, steps and labels."""
        return {"prompt": record.prompt, "completions": record.completions, "labels": record.labels}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return _shape.STEPS

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        completions, labels = row["completions"], row["labels"]
        if not isinstance(completions, list) or not isinstance(labels, list) or len(completions) != len(labels):
            raise DataError("completions and labels are not lists of one length")
        return {"prompt": str(row["prompt"]), "completions": list(map(str, completions)), "labels": list(map(bool, labels))}
