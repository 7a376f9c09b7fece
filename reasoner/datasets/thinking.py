r"""What was thought before a reply, in a training row: the model's own thought, or what stands in the reply before its answer line.

>>> divide("1: 9 -> 10\nAnswer: 9 -> 10")
('1: 9 -> 10', '\n', 'Answer: 9 -> 10')

A thought that the model gave apart is written apart: as a field of the message, or in tags before the text. What is done is said in the lineage
(`reasoning`, `divided`), so that an import undoes exactly that. A text that holds tags of a thought already gets no others around them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reasoner.clients._thoughts import PAIRS
from reasoner.datasets.records import Conversation, Group, Label, Pair, Prompt, Record
from reasoner.text import answer_line

if TYPE_CHECKING:
    from reasoner.datasets.options import Thinking
    from reasoner.types import Message

FIELDS = ("reasoning_content", "thinking", "both")
_UNDIVIDED = frozenset({"reasoning_content", "drop"})
"""Where a reply without a thought of its own stays as it is."""
NESTED = "its texts hold tags of a thought already, and another pair would stand around them"
_TAG = re.compile("|".join(re.escape(tag) for pair in PAIRS.items() for tag in pair))


def divide(text: str) -> tuple[str, str, str]:
    """Return what stands before the last answer line, the blanks between, and the rest; ("", "", text) where there is no such line or nothing before it."""
    lines = text.split("\n")
    for index in range(len(lines) - 1, 0, -1):
        if "nswer" in lines[index].lower() and answer_line(lines[index] + "\n.") is not None:
            whole = "\n".join(lines[:index]) + "\n"
            before = whole.rstrip()
            return (before, whole[len(before) :], "\n".join(lines[index:])) if before else ("", "", text)
    return "", "", text


def holds_tags(*texts: str) -> bool:
    """Tell whether a text holds a tag that frames thoughts."""
    return any(("<" in text or "[" in text) and _TAG.search(text) is not None for text in texts)


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
    """Return a reply as earlier versions divided it, in one piece again; any other text as it is."""
    thinking, answer = from_tags(text)
    return f"{thinking}\n{answer}" if thinking else text


class Nested(Exception):
    """Tags would stand within tags."""


def placed(thinking: str, text: str, how: Thinking, *, fields: bool) -> tuple[str, str, str]:
    """Return (thought, text, blanks the reply was divided at) as `how` wants them written.

    `thinking` is what the model thought apart, `fields` whether the format has a place for it. A text without a thought of its own is
    divided at its answer line for `tags`, `thinking` and `both`, unless it holds tags.

    Raises:
        Nested: the thought would stand in tags, and the texts hold tags already.
    """
    if how == "drop":
        return "", text, ""
    apart = fields and how in FIELDS
    if thinking:
        if apart:
            return thinking, text, ""
        if holds_tags(thinking, text):
            raise Nested
        return "", in_tags(thinking, text), ""
    if how == "reasoning_content" or holds_tags(text):
        return "", text, ""
    thinking, blanks, answer = divide(text)
    if not thinking:
        return "", text, ""
    return (thinking, answer, blanks) if apart else ("", in_tags(thinking, answer), blanks)


def apply(record: Record, how: Thinking, *, fields: bool) -> None:
    """Place the thoughts of a record, in place; those of messages before the reply too.

    Raises:
        Nested: tags would stand within tags.
    """
    key = how if fields and how in FIELDS else ""
    blanks = other = ""
    match record:
        case Conversation():
            if record.thinking or how not in _UNDIVIDED:
                record.thinking, record.reply, blanks = placed(record.thinking, record.reply, how, fields=fields)
            record.thinking_key = key
        case Label():
            record.thinking, record.completion, blanks = placed(record.thinking, record.completion, how, fields=fields)
            record.thinking_key = key
        case Pair():
            record.chosen_thinking, record.chosen, blanks = placed(record.chosen_thinking, record.chosen, how, fields=fields)
            record.rejected_thinking, record.rejected, other = placed(record.rejected_thinking, record.rejected, how, fields=fields)
            record.thinking_key = key
        case Prompt():
            pass
        case Group():
            apart = fields and how in FIELDS
            if how != "drop" and not apart and any(record.thoughts) and holds_tags(*record.texts):
                raise Nested
            # A reply without a thought is not divided: a group says for all its replies at once what was done.
            both = [
                placed(thought, text, how, fields=fields) if thought else ("", text, "")
                for thought, text in zip(record.thoughts, record.texts, strict=True)
            ]
            record.thoughts, record.texts = [one[0] for one in both], [one[1] for one in both]
            record.thinking_key = key
        case _:
            return
    if [m for m in record.messages if m.reasoning]:
        record.messages = tuple(_before(m, how, fields=fields) for m in record.messages)
    _note(record, blanks, other, told=how != "drop")


def _note(record: Record, blanks: str, other: str, *, told: bool) -> None:
    """Say in the lineage what was done to the replies; one that an import noted says what its file held."""
    if told and not blanks and not other and "divided" not in record.lineage and "rejected" not in record.lineage:
        return
    record.lineage = _noted(record.lineage, blanks, told=told)
    rejected = record.lineage.get("rejected")
    if isinstance(rejected, dict):
        record.lineage = {**record.lineage, "rejected": _noted(rejected, other, told=told)}


def _noted(lineage: dict[str, Any], blanks: str, *, told: bool) -> dict[str, Any]:
    if lineage.get("divided", "") == blanks and (told or not lineage.get("reasoning")):
        return lineage
    return {**lineage, "divided": blanks, "reasoning": told and bool(lineage.get("reasoning"))}


def _before(message: Message, how: Thinking, *, fields: bool) -> Message:
    """Place the thought of an earlier turn."""
    if not message.reasoning:
        return message
    thinking, text, _ = placed(message.reasoning, message.content, how, fields=fields)
    return replace(message, content=text, reasoning=thinking)
