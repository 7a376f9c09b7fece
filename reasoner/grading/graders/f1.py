"""The grader `f1:T`: right where token F1 with one of the golds is at least T.

grader("f1:0.5").judge("the blue house", ["a blue house in Rome"])  ->  right, F1 0.67
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from reasoner.errors import BadConfig
from reasoner.grading.graders import Grader, right, shown, wrong
from reasoner.grading.graders.squad import measured, normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict


class F1(Grader):
    """Enough words in common."""

    name = "f1"
    summary = "token F1 with a gold of at least T: f1:0.6"
    argument = "T"

    def __init__(self, spec: str, least: float) -> None:
        super().__init__(spec)
        self._least = least

    @classmethod
    def open(cls, argument: str) -> Self:
        """Read the threshold.

        Raises:
            BadConfig: it is no number above 0 and at most 1.
        """
        try:
            least = float(argument)
        except ValueError:
            least = 0.0
        if not 0 < least <= 1:
            raise BadConfig(f"f1:{argument[:40]} names no threshold", hint="write f1:T with T above 0 and at most 1")
        return cls(f"{cls.name}:{argument}", least)

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Measure the best F1."""
        found = measured(given, golds)
        said = f"F1 {found['f1']:.2f}, {self._least:g} is enough"
        return right(said, **found) if found["f1"] >= self._least else wrong(f"{said}: {shown(given)}", **found)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the normal form of the words."""
        return normal(given)


GRADER = F1
