r"""Tell a model's thought from its answer where both come in one text: tags, Harmony channels, a tag that the prompt has opened.

    split("<think>9 + 1</think>\n\nAnswer: 24")   -> Split("9 + 1", "Answer: 24")
    split("9 + 1</think>\nAnswer: 24")             -> Split("9 + 1", "Answer: 24")       the template had opened the tag
    split("<think>9 +")                        -> Split("9 +", "", inside=True)      the token limit ended the thought

Every client calls it once, on the whole text. A tag counts at the start of the text only (or where the prompt has opened it), so that an
answer may speak of tags. Inside a thought, pairs are counted, and a tag in quotes or backticks is a mention. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reasoner.types import ToolCall

PAIRS: Mapping[str, str] = {
    "<think>": "</think>",
    "<thought>": "</thought>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
}
"""How families of models frame a thought: the tag that opens it, and the one that ends it."""

HARMONY = "<|channel|>"
_HARMONY_START = "<|start|>assistant"
_HARMONY_TOKENS = re.compile(r"<\|(start|channel|message|end|call|return|constrain)\|>")
_RECIPIENT = re.compile(r"\bto=(?:functions\.)?([A-Za-z0-9_.-]{1,128})")
_STRIPPED = re.compile(r"analysis(?P<thought>.*?)assistantfinal(?P<text>.*)", re.DOTALL)
"""Harmony whose special tokens a server has dropped while it wrote the text."""

_AT_START = re.compile("|".join(map(re.escape, PAIRS)))
_TAGS = {opening: re.compile(rf"(?P<opening>{re.escape(opening)})|{re.escape(closing)}") for opening, closing in PAIRS.items()}
_ANY_END = re.compile("|".join(map(re.escape, PAIRS.values())))
_OPENING = {closing: opening for opening, closing in PAIRS.items()}
_QUOTED = {"``", "''", '""', "“”", "‘’"}


@dataclass(frozen=True, slots=True)
class Split:
    """A reply in parts. `inside` says that the text ended before the thought did, so that there is no answer."""

    reasoning: str
    text: str
    inside: bool = False
    tool_calls: tuple[ToolCall, ...] = ()


def split(text: str, *, opened: str = "") -> Split:
    """Split a whole reply into what was thought and what is answered.

    Args:
        text: the reply, as the model wrote it.
        opened: the tag that the prompt ended with, see `opened_by`; the reply then begins inside the thought.
    """
    begin = text.lstrip()
    if begin.startswith((HARMONY, _HARMONY_START)):
        return _harmony(begin)
    if opened in PAIRS:
        return _of_pair(begin.removeprefix(opened), opened)
    if (tag := _AT_START.match(begin)) is not None:
        return _of_pair(begin[tag.end() :], tag[0])
    if (stripped := _STRIPPED.fullmatch(begin)) is not None:
        return Split(stripped["thought"].strip(), stripped["text"].lstrip())
    if (end := next((tag for tag in _ANY_END.finditer(text) if _ends_a_line(text, tag)), None)) is not None:
        opening = _OPENING[end[0]]
        if opening not in text[: end.start()]:
            return _of_pair(text, opening)
    return Split("", text)


def opened_by(prompt: str) -> str:
    """Return the tag that the end of a rendered prompt leaves open, empty where it opens none."""
    end = prompt.rstrip()
    return next((opening for opening in PAIRS if end.endswith(opening)), "")


def may_open_a_thought(text: str) -> bool:
    """Tell whether the beginning of a reply may still become the tag of a thought."""
    begin = text.lstrip()
    return any(tag.startswith(begin) for tag in (*PAIRS, HARMONY, _HARMONY_START))


def _of_pair(text: str, opening: str) -> Split:
    """Split a text that begins inside a thought: after the last end tag that no opening tag answers for."""
    depth, end, last = 1, None, None
    for tag in _TAGS[opening].finditer(text):
        if _is_mention(text, tag):
            continue
        if tag["opening"]:
            depth += 1
            continue
        last = tag
        if depth == 0 or (depth == 1 and end is None):
            end = tag
        depth = max(0, depth - 1)
    end = end or last  # an opening tag that was spoken of and never closed
    if end is None:
        return Split(text.strip(), "", inside=True)
    return Split(text[: end.start()].strip(), text[end.end() :].lstrip())


def _is_mention(text: str, tag: re.Match[str]) -> bool:
    return text[max(0, tag.start() - 1) : tag.start()] + text[tag.end() : tag.end() + 1] in _QUOTED


def _ends_a_line(text: str, tag: re.Match[str]) -> bool:
    """Tell whether an end tag stands where a model puts it: at the end of a line, or alone on one."""
    after = text[tag.end() : tag.end() + 1]
    return not _is_mention(text, tag) and (after in {"", "\n", "\r"} or text[max(0, tag.start() - 1) : tag.start()] == "\n")


def _harmony(text: str) -> Split:
    """Read Harmony: `final` is the answer, a message to a function is a call of it, `analysis` and `commentary` are thought."""
    thoughts: list[str] = []
    answers: list[str] = []
    calls: list[ToolCall] = []
    header, inside = "", True
    pieces = _HARMONY_TOKENS.split(text)
    for kind, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if kind in {"start", "channel", "constrain"}:
            header = piece if kind == "start" else f"{header} {piece}"
        elif kind == "message":
            channel = f" {header} "
            if (recipient := _RECIPIENT.search(channel)) is not None:
                calls.append(ToolCall(f"call_{len(calls)}", recipient[1], piece.strip()))
                inside = False
            elif " final " in channel:
                answers.append(piece)
                inside = False
            else:
                thoughts.append(piece.strip())
            header = ""
        else:
            header = ""
    return Split("\n\n".join(filter(None, thoughts)), "".join(answers).strip(), inside, tuple(calls))
