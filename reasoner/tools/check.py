"""The tool `check`: what can be seen of an answer without knowing a right one, as its problem's family checks it.

    check(answer="Answer: 9 -> 10")  ->  "passed: the answer has the form that was asked for"

Strategies that repair or choose answers work with it (`repair`, `best_of_n:select=check`); a model may be given it too. What a check does (tests
in a sandbox, a query) is recorded as an action, so that a replay makes none. It never tells whether an answer is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.errors import ToolFailed
from reasoner.sandbox.threads import in_thread
from reasoner.tools._tool import Arguments, Lent, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.solver import Solver

PASSED = "passed: "
FAILED = "failed: "
MAX_ANSWER_CHARS = 16_000
"""As much of an answer is checked, from its end: what a family reads of one is shorter."""


class Checked(Arguments):
    """What `check` takes."""

    answer: str = Field(description="The answer, in the form the task asks for.")


class Check(Tool):
    """Check an answer."""

    name = "check"
    description = "Check what can be seen of an answer before it is given: its form, whether it runs, the tests that are shown. Passing it does not mean it is right."
    timeout_s = 120.0
    arguments = Checked

    def __init__(self, solver: Solver[Any] | None = None, instance: Any = None) -> None:
        self._solver = solver
        self._instance = instance

    def about(self, solver: Solver[Any], instance: Any) -> Check:
        """Return the check of one problem."""
        return Check(solver, instance)

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Check the answer."""
        solver, instance = self._solver, self._instance
        if solver is None:
            raise ToolFailed("there is no problem here that an answer could be checked for")
        seen = await in_thread(lambda: solver.visible_check(instance, str(arguments["answer"])[-MAX_ANSWER_CHARS:]), name="reasoner-check")
        return (PASSED if seen.passed else FAILED) + seen.told


def open_tool(source: str = "") -> Check:  # noqa: ARG001 - it needs none
    """Return the tool, to be told its problem by the run."""
    return Check()
