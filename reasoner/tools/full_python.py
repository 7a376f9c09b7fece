"""The tool `full_python`: run a whole Python program under bubblewrap, with its standard library. Its folder stays, its variables do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.sandbox import bubblewrap
from reasoner.tools._tool import Arguments
from reasoner.tools.shell import Sandboxed

if TYPE_CHECKING:
    from collections.abc import Mapping


class WholeProgram(Arguments):
    """What `full_python` takes."""

    code: str = Field(description="A whole program; print what you want to see.", max_length=50_000)


class FullPython(Sandboxed):
    """Run a whole program."""

    name = "full_python"
    description = (
        "Run a whole Python 3 program with the standard library in a sandbox and see what it prints. There is no network; only files in /work can be"
        " written, and they stay between calls; variables do not."
    )
    arguments = WholeProgram

    def program(self, arguments: Mapping[str, Any]) -> list[str]:  # noqa: ARG002 - the program is read from its input
        """Return the interpreter."""
        return [bubblewrap.interpreter(), "-I", "-"]

    def stdin(self, arguments: Mapping[str, Any]) -> bytes:
        """Return the program."""
        return str(arguments["code"]).encode("utf-8", "replace")


def open_tool(source: str = "") -> FullPython:  # noqa: ARG001 - it needs none
    """Return the tool.

    Raises:
        SandboxMissing: bubblewrap is not installed, or too old, or there is no Python it could see.
    """
    bubblewrap.interpreter()
    return FullPython()
