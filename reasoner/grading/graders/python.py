"""The grader `python:FILE:FUNCTION`: a function of the user's, `function(given, golds) -> bool`, or `(bool, reason)`.

    grader("python:my_rules.py:same_city").judge("NYC", ["New York City"])

It runs in the judging process, with its limits of time and memory. Only a person names it: a file of data never chooses code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from reasoner.errors import BadConfig
from reasoner.grading.graders import Grader, right, unjudged, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.worker.process import PLAIN, worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict


class Python(Grader):
    """The user's own function."""

    name = "python"
    summary = "a function of your own: python:FILE:FUNCTION, called with (given, golds)"
    argument = "FILE:FUNCTION"
    trusted = False
    slow = True

    def __init__(self, spec: str, file: Path, function: str) -> None:
        super().__init__(spec)
        self._file = file
        self._function = function

    @classmethod
    def open(cls, argument: str) -> Self:
        """Find the file; what it holds is run when the first answer is judged.

        Raises:
            BadConfig: there is no such file, or no function is named.
        """
        file, _, function = argument.rpartition(":")
        if not file or not function.isidentifier():
            raise BadConfig(f"python:{argument[:80]} names no function", hint="write python:FILE:FUNCTION")
        if not Path(file).is_file():
            raise BadConfig(f"the grader's file {file[:200]} is not there", hint="write python:FILE:FUNCTION")
        return cls(f"{cls.name}:{argument}", Path(file).absolute(), function)

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Call the function. What it raises, or does not finish, leaves the answer unjudged."""
        request = {"op": "python", "file": str(self._file), "function": self._function, "arguments": [given, list(golds)]}
        made = worker(PLAIN).ask(request)
        if made is None:
            return unjudged(f"{self._function} did not finish in time")
        if "verdict" not in made:
            return unjudged(f"{self._function}: {made.get('error', 'it gave no verdict')}")
        said = str(made.get("reason") or f"{self._function} says so")
        return right(said) if made["verdict"] else wrong(said)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the normal form of `exact`: what the function takes for equal is not known."""
        return normal(given)


GRADER = Python
