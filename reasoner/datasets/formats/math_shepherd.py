r"""Math-Shepherd: `{"input": "question Step 1: ... ки\nStep 2: ... ки", "label": "question Step 1: ... +\nStep 2: ... -", "task": str}`.

Chains whose texts hold the mark, or a heading of their own that reads as a step, cannot be written.
Source: peiyi9979/Math-Shepherd, dataset card.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from reasoner.datasets.formats import Format
from reasoner.datasets.records import Kind, Steps
from reasoner.errors import DataError

MARK = "ки"
_STEP = re.compile(r"Step \d+: ")


class MathShepherd(Format):
    """Process labels as Math-Shepherd has them."""

    name: ClassVar[str] = "math-shepherd"
    summary: ClassVar[str] = "Math-Shepherd: steps in one text, each ended by a mark that is + or - in the label"
    kinds: ClassVar[tuple[Kind, ...]] = ("steps",)

    def row(self, record: Steps) -> dict[str, Any] | None:
        """Return the chain as two texts; None where its own texts hold the marks."""
        if any(MARK in text or _STEP.search(text) for text in (record.prompt, *record.completions)):
            return None
        marks = ["+" if good else "-" for good in record.labels]
        texts = [_written(record, mark) for mark in ([MARK] * len(marks), marks)]
        return {"input": texts[0], "label": texts[1], "task": record.origin.solver}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has no thoughts
        """Return a whole row."""
        return {"input": "", "label": "", "task": "", "scores": [0.5]}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row that `row` wrote."""
        first = _STEP.search(row["input"])
        if first is None:
            raise DataError("the text holds no step")
        prompt, rest = row["input"][: first.start() - 1], row["input"][first.start() :]
        texts = [_STEP.sub("", piece, count=1) for piece in rest.removesuffix(f" {MARK}").split(f" {MARK}\n")]
        labels: list[bool] = []
        at = first.start()
        for number, text in enumerate(texts, start=1):
            at += len(f"Step {number}: {text} ")
            labels.append(row["label"][at : at + 1] == "+")
            at += 2
        return {"prompt": prompt, "completions": texts, "labels": labels}


def _written(record: Steps, marks: list[str]) -> str:
    steps = (f"Step {number}: {text} {mark}" for number, (text, mark) in enumerate(zip(record.completions, marks, strict=True), start=1))
    return f"{record.prompt} " + "\n".join(steps)
