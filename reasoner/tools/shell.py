"""The tool `shell`: run a command under bubblewrap. Its folder `/work` stays between the calls of a trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.errors import ToolFailed
from reasoner.sandbox import bubblewrap
from reasoner.sandbox.bubblewrap import Ended, ProgramLimits
from reasoner.tools._tool import Arguments, Lent, Result, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AS_IT_WAS = "[/work is as it was before]"


class Command(Arguments):
    """What `shell` takes."""

    command: str = Field(description="A shell command, or several.", max_length=50_000)


class Sandboxed(Tool):
    """A program under bubblewrap with a folder that stays. Subclasses say which program a call runs."""

    timeout_s = 60.0
    needs = "bubblewrap"

    def __init__(self, *, limits: ProgramLimits | None = None) -> None:
        """Make the tool.

        Raises:
            SandboxMissing: bubblewrap is not installed, or too old.
        """
        bubblewrap.find()
        self._limits = limits or ProgramLimits()
        self._folder = b""
        self._to_run_again: list[Mapping[str, Any]] = []

    def fresh(self, seed: str) -> Sandboxed:  # noqa: ARG002 - nothing here is random
        """Return the tool with an empty folder, for a trajectory."""
        return type(self)(limits=self._limits)

    def remember(self, arguments: Mapping[str, Any], result: Result, lent: Sequence[Result]) -> None:  # noqa: ARG002 - it calls no functions
        """Note a program that was run before, to be run again for what it left in the folder."""
        if result.ok and not result.text.endswith(_AS_IT_WAS):
            self._to_run_again.append(arguments)

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - programs are lent nothing
        """Run the program and tell what it wrote and how it ended.

        Raises:
            SandboxMissing: the sandbox cannot be made here.
        """
        again, self._to_run_again = self._to_run_again, []
        for earlier in again:
            await self._run(earlier)
        ended = await self._run(arguments)
        notes = [f"[ended: {ended.stopped}]"] if ended.stopped else [f"[exit code {ended.exit_code}]"] if ended.exit_code else []
        if ended.folder is None:
            notes.append(_AS_IT_WAS)
        output = ended.output.rstrip("\n")
        return "\n".join([*([output] if output else []), *notes]) or "[no output]"

    async def _run(self, arguments: Mapping[str, Any]) -> Ended:
        ended = await bubblewrap.run(self.program(arguments), folder=self._folder, stdin=self.stdin(arguments), limits=self._limits)
        if ended.folder is not None:
            self._folder = ended.folder
        elif ended.output.startswith("bwrap: "):
            await bubblewrap.check()  # raises where the fault is this machine's
            raise ToolFailed(ended.output.strip()[:300])
        return ended

    def program(self, arguments: Mapping[str, Any]) -> list[str]:
        """Return the program with its arguments."""
        raise NotImplementedError

    def stdin(self, arguments: Mapping[str, Any]) -> bytes:  # noqa: ARG002 - nothing, where a subclass does not say
        """Return what the program reads."""
        return b""


class Shell(Sandboxed):
    """Run a command."""

    name = "shell"
    description = "Run a shell command in a sandbox and see its output. There is no network; only /work can be written, and what is there stays between calls."
    arguments = Command

    def program(self, arguments: Mapping[str, Any]) -> list[str]:
        """Return the shell with the command."""
        return ["/bin/sh", "-c", str(arguments["command"])]


def open_tool(source: str = "") -> Shell:  # noqa: ARG001 - it needs none
    """Return the tool.

    Raises:
        SandboxMissing: bubblewrap is not installed, or too old.
    """
    return Shell()
