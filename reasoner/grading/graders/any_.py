"""The grader `any`: right where another grader accepts one of the golds; `any` is `any:squad`, `any:number` compares numbers.

    grader("any").judge("NYC", ["New York City", "NYC"])  ->  right

Every grader takes several golds as aliases; this one says so, as the sets with aliases do, and lets `squad` compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from reasoner.errors import BadConfig
from reasoner.grading.graders import Grader, grader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict


class Any(Grader):
    """One of several golds."""

    name = "any"
    summary = "one of several golds, compared by another grader: any, any:number"
    argument = "[GRADER]"

    def __init__(self, spec: str, inner: Grader) -> None:
        super().__init__(spec)
        self._inner = inner
        self.slow = inner.slow

    @classmethod
    def open(cls, argument: str) -> Self:
        """Open the grader that compares.

        Raises:
            BadConfig: there is none of that name, or it runs code.
        """
        if argument.startswith(("any", "python", "judge")):
            raise BadConfig(f"any:{argument[:40]} cannot be used", hint="name it without any:")
        return cls(f"{cls.name}:{argument}" if argument else cls.name, grader(argument or "squad"))

    def check(self, golds: Sequence[str]) -> str:
        """Pass on what the other grader says."""
        return self._inner.check(golds)

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:
        """Let the other grader judge."""
        return self._inner.judge(given, golds, choices=choices)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:
        """Return the other grader's form."""
        return self._inner.canonical(given, golds, choices=choices)

    def same(self, one: str, other: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> bool:
        """Let the other grader tell."""
        return self._inner.same(one, other, golds, choices=choices)


GRADER = Any
