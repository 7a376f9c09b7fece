"""The tool `submit`: give the answer and end the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from reasoner.tools._tool import Arguments, Lent, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping


class Answer(Arguments):
    """What `submit` takes; a number is taken for text."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    answer: str = Field(description="The answer, in the form the task asks for.")


class Submit(Tool):
    """Give the answer."""

    name = "submit"
    description = "Give the final answer and end the work."
    ends = True
    arguments = Answer

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Return the answer."""
        return str(arguments["answer"])


def open_tool(source: str = "") -> Submit:  # noqa: ARG001 - it needs none
    """Return the tool."""
    return Submit()
