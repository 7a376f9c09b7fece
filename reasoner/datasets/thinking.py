r"""What was thought before a reply, in a training row: the model's own thought, or what stands in the reply before its answer line.

>>> divide("1: 9 -> 10\nAnswer: 9 -> 10")
('1: 9 -> 10', 'Answer: 9 -> 10')

A thought that the model gave apart is written apart: as a field of the message, or in tags before the text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reasoner.datasets.records import Conversation, Label, Pair, Prompt, Record
from reasoner.text import answer_line

if TYPE_CHECKING:
    from reasoner.datasets.options import Thinking
    from reasoner.types import Message


def divide(text: str) -> tuple[str, str]:
    """Return what stands before the last answer line, and the rest; ("", text) where there is no such line or nothing before it."""
    lines = text.split("\n")
    for index in range(len(lines) - 1, 0, -1):
        if "nswer" in lines[index].lower() and answer_line(lines[index] + "\n.") is not None:
            before = "\n".join(lines[:index]).rstrip()
            return (before, "\n".join(lines[index:])) if before else ("", text)
    return "", text


def in_tags(thinking: str, text: str) -> str:
    """Return a thought and a text as one text, the thought in tags."""
    return f"<think>\n{thinking}\n</think>\n\n{text}"


def from_tags(text: str) -> tuple[str, str]:
    """Return (thought, text) of what `in_tags` wrote; ("", text) of any other text."""
    if not text.startswith("<think>\n"):
        return "", text
    thinking, tag, answer = text.removeprefix("<think>\n").partition("\n</think>\n\n")
    return (thinking, answer) if tag else ("", text)


def untagged(text: str) -> str:
    """Return a reply as it was before a part of it was put in tags; any other text as it is."""
    thinking, answer = from_tags(text)
    return f"{thinking}\n{answer}" if thinking else text


def placed(thinking: str, text: str, how: Thinking, *, fields: bool) -> tuple[str, str, str]:
    """Return (thought, text, key of the thought) as `how` wants them written.

    `thinking` is what the model thought apart, `fields` whether the format has a place for it. A text without a thought of its own is
    divided at its answer line for `tags` and `field`.
    """
    key = "reasoning_content" if how in {"none", "reasoning_content"} else "thinking"
    if how == "drop":
        return "", text, key
    if thinking:
        return (thinking, text, key) if fields and how != "tags" else ("", in_tags(thinking, text), key)
    if how in {"tags", "field"}:
        thinking, answer = divide(text)
        if thinking:
            return (thinking, answer, key) if how == "field" else ("", in_tags(thinking, answer), key)
    return "", text, key


def apply(record: Record, how: Thinking, *, fields: bool) -> None:
    """Place the thoughts of a record, in place; those of messages before the reply too."""
    match record:
        case Conversation():
            record.thinking, record.reply, record.thinking_key = placed(record.thinking, record.reply, how, fields=fields)
        case Label():
            record.thinking, record.completion, record.thinking_key = placed(record.thinking, record.completion, how, fields=fields)
        case Pair():
            record.chosen_thinking, record.chosen, record.thinking_key = placed(record.chosen_thinking, record.chosen, how, fields=fields)
            record.rejected_thinking, record.rejected, _ = placed(record.rejected_thinking, record.rejected, how, fields=fields)
        case Prompt():
            pass
        case _:
            return
    if any(m.reasoning for m in record.messages):
        record.messages = tuple(_before(m, how, fields=fields) for m in record.messages)


def _before(message: Message, how: Thinking, *, fields: bool) -> Message:
    """Place the thought of an earlier turn."""
    if not message.reasoning:
        return message
    thinking, text, _ = placed(message.reasoning, message.content, how, fields=fields)
    return replace(message, content=text, reasoning=thinking)
