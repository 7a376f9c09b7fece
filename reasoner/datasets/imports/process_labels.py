r"""Labels of single steps: PRM800K, Math-Shepherd, and TRL's stepwise supervision.

Source: Lightman et al. 2023, "Let's Verify Step by Step"; Wang et al. 2023, "Math-Shepherd"; TRL documentation, "Stepwise supervision".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record

MARK = "ки"
"""What stands at the end of each step in Math-Shepherd's input, where its label has a plus or a minus."""
_STEP = re.compile(r"(?=Step \d+:)")


class ProcessLabels(Importer):
    """Chains of steps, each good or not."""

    name: ClassVar[str] = "process-labels"
    summary: ClassVar[str] = "steps with labels: PRM800K, Math-Shepherd, TRL stepwise supervision"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by where its labels stand."""
        if isinstance(row.get("label"), dict) and isinstance(row["label"].get("steps"), list) and "question" in row:
            return 75
        if isinstance(row.get("completions"), list) and isinstance(row.get("labels"), list):
            return 50
        return 75 if isinstance(row.get("input"), str) and isinstance(row.get("label"), str) and MARK in row["input"] else 0

    def read(self, row: dict[str, Any]) -> Iterator[Record]:
        """Read the chain the row holds."""
        if isinstance(row.get("label"), dict):
            yield _prm800k(row)
        elif "completions" in row:
            yield _trl(row)
        else:
            yield _math_shepherd(row)


def _trl(row: Mapping[str, Any]) -> Record:
    texts, labels = row["completions"], row["labels"]
    if len(texts) != len(labels) or not all(isinstance(label, bool) or label in (0, 1) for label in labels):
        raise Unusable("completions and labels are not lists of one length, the labels true or false")
    return v.steps(v.text(row.get("prompt")), list(map(v.text, texts)), list(map(bool, labels)))


def _math_shepherd(row: Mapping[str, Any]) -> Record:
    begin = _STEP.search(row["input"])
    asked = row["input"][: begin.start()].strip() if begin else ""
    texts = [piece.strip() for piece in row["input"][begin.start() :].split(MARK)] if begin else []
    texts = [piece for piece in texts if piece]
    rest = row["label"].removeprefix(asked)
    ends = [piece.rstrip()[-1:] for piece in _STEP.split(rest) if piece.strip()]
    if len(ends) != len(texts) or not set(ends) <= {"+", "-"}:
        raise Unusable("the steps of input and label do not fit together")
    return v.steps(asked, texts, [end == "+" for end in ends], task=v.text(row.get("task")))


def _prm800k(row: Mapping[str, Any]) -> Record:
    """Read the chain of chosen completions; a rating of 0 or 1 is good, -1 is not, as the paper counts them."""
    texts: list[str] = []
    labels: list[bool] = []
    for step in row["label"]["steps"]:
        completions = step.get("completions") or [] if isinstance(step, dict) else []
        chosen = step.get("chosen_completion") if isinstance(step, dict) else None
        human = step.get("human_completion") if isinstance(step, dict) else None
        if human and chosen is None:
            texts.append(v.text(human.get("text") if isinstance(human, dict) else human))
            labels.append(True)
            continue
        taken = completions[chosen if isinstance(chosen, int) and 0 <= chosen < len(completions) else 0] if completions else None
        if not isinstance(taken, dict) or taken.get("rating") not in (-1, 0, 1):
            break  # the labeller stopped here
        texts.append(v.text(taken.get("text")))
        labels.append(taken["rating"] >= 0)
    gold = v.text(v.at(row, "question.ground_truth_answer"))
    return v.steps(v.text(v.at(row, "question.problem")), texts, labels, gold=gold)
