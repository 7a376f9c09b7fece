"""The tool `python`: run Python in Monty. Variables stay between the calls of a trajectory.

What is run after a resume needs the variables that were there before: the programs that were run since the interpreter was last started
are then fed to it again, in order, with the recorded results of the functions they called; nothing is called a second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.errors import ToolFailed
from reasoner.sandbox.monty import CANNOT, Interpreter, LentFunctionFailed, MontyLimits, Ran
from reasoner.tools._tool import NO_OUTPUT, Arguments, Lent, Result, Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

ANEW = "[the interpreter was started anew: all variables are gone]"


class Program(Arguments):
    """What `python` takes."""

    code: str = Field(description="The program. The value of its last expression is shown, and so is what it prints.")


class Python(Tool):
    """Run a program of the model in Monty."""

    name = "python"
    description = f"Run Python and see what it prints and the value of the last expression. Variables stay between calls. {CANNOT}"
    timeout_s = 60.0
    needs = "the extra tools (Monty)"
    arguments = Program

    def __init__(self, *, seed: str = "", limits: MontyLimits | None = None) -> None:
        self._limits = limits
        self._interpreter = Interpreter(seed=seed, limits=limits)
        self._to_run_again: list[tuple[str, Sequence[Result]]] = []

    def fresh(self, seed: str) -> Python:
        """Return an interpreter of its own for a trajectory."""
        return Python(seed=seed, limits=self._limits)

    def remember(self, arguments: Mapping[str, Any], result: Result, lent: Sequence[Result]) -> None:
        """Note a program that was run before, to be run again before the next one."""
        if not result.ok or result.text.endswith(ANEW):
            self._to_run_again.clear()
        else:
            self._to_run_again.append((str(arguments["code"]), lent))

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:
        """Run the program."""
        again, self._to_run_again = self._to_run_again, []
        for code, results in again:
            if (await self._interpreter.run(code, _recorded(lent or {}, results))).anew:
                raise ToolFailed(f"what was run before could not be run again. {ANEW}")
        return shown(await self._interpreter.run(str(arguments["code"]), lent))

    async def aclose(self) -> None:
        """End the interpreter."""
        await self._interpreter.aclose()


def shown(ran: Ran) -> str:
    """Return what a program did as the model reads it."""
    parts = [part.rstrip("\n") for part in (ran.printed, ran.value or "", ran.error) if part]
    if ran.anew:
        parts.append(ANEW)
    return "\n".join(parts) or NO_OUTPUT


def _recorded(lent: Lent, results: Sequence[Result]) -> Lent:
    """Return functions of the same names that give the recorded results, one after the other."""
    left = iter(results)

    async def answer(*_: Any, **__: Any) -> Any:
        result = next(left, None)
        if result is None:
            raise LentFunctionFailed("it was not called here before")
        return result.value()

    functions: dict[str, Callable[..., Awaitable[Any]]] = dict.fromkeys(lent, answer)
    return functions


def open_tool(source: str = "") -> Python:  # noqa: ARG001 - it needs none
    """Return the tool.

    Raises:
        MissingDependency: pydantic-monty is not installed.
    """
    return Python()
