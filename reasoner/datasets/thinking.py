r"""Divide a reply into thinking and answer, at its answer line.

>>> divide("1: 9 -> 10\nAnswer: 9 -> 10")
('1: 9 -> 10', 'Answer: 9 -> 10')

Knows replies and records; knows no format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from reasoner.datasets.records import Conversation, Label, Pair, Record
from reasoner.text import answer_line

if TYPE_CHECKING:
    from reasoner.datasets.options import Thinking


def divide(text: str) -> tuple[str, str]:
    """Return what stands before the last answer line, and the rest; ("", text) where there is no such line or nothing before it."""
    lines = text.split("\n")
    for index in range(len(lines) - 1, 0, -1):
        if "nswer" in lines[index].lower() and answer_line(lines[index] + "\n.") is not None:
            before = "\n".join(lines[:index]).rstrip()
            return (before, "\n".join(lines[index:])) if before else ("", text)
    return "", text


def tagged(text: str, how: Literal["tags", "field"]) -> tuple[str, str]:
    """Return (thinking, text) of a reply as `how` wants them: as two, or as one text with tags."""
    thinking, answer = divide(text)
    if how == "field" or not thinking:
        return thinking, answer
    return "", f"<think>\n{thinking}\n</think>\n\n{answer}"


def untagged(text: str) -> str:
    """Return a reply as it was before it was tagged; any other text as it is."""
    if not text.startswith("<think>\n"):
        return text
    thinking, tag, answer = text.removeprefix("<think>\n").partition("\n</think>\n\n")
    return f"{thinking}\n{answer}" if tag else text


def apply(record: Record, how: Thinking) -> None:
    """Divide the replies of a record, in place."""
    if how == "none":
        return
    match record:
        case Conversation():
            record.thinking, record.reply = tagged(record.reply, how)
        case Label():
            record.thinking, record.completion = tagged(record.completion, how)
        case Pair():
            record.chosen_thinking, record.chosen = tagged(record.chosen, how)
            record.rejected_thinking, record.rejected = tagged(record.rejected, how)
        case _:
            return
