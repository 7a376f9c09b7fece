"""A local model's reply in parts: what was thought, what is answered, and the tools that are asked for.

Told apart once, here, by what every client asks (`reasoner.clients._thoughts`); what a constraint made begins where the worker says.
"""

from __future__ import annotations

from typing import Any

from reasoner.clients._thoughts import Split, split
from reasoner.clients.llamacpp.tool_text import read_calls
from reasoner.types import Request


def parts_of_reply(reply: dict[str, Any], request: Request) -> Split:
    """Return the parts of a worker's reply."""
    text, at = reply["text"], reply["answer_at"]
    thought = split(text[:at]).reasoning if at else ""
    parts = split(text) if at is None else Split(thought, text[at:].lstrip() if at else text)
    if not request.tools or parts.tool_calls:
        return parts
    n_before = sum(len(message.tool_calls) for message in request.messages)
    answer, calls = read_calls(parts.text, names={tool.name for tool in request.tools}, n_before=n_before)
    return Split(parts.reasoning, answer, parts.inside, calls)
