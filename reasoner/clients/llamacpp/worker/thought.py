r"""When a model is thinking and when it answers, while it writes: by the tags its chat template knows, or by known ones at the start.

Whoever constrains an answer, looks for stop strings or bounds a thought must know this before the text is whole; what is thought and what is
answered in the end is told by `reasoner.clients._thoughts`, which this asks. Knows texts only.

    frame_of(template) -> Frame("<think>", "<think>\n", "\n</think>\n\n")
    thought = Thought(lead="<think>")
    thought.follow("9 + 1</think>"); thought.inside -> False; thought.answer_at -> 13
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reasoner.clients._thoughts import HARMONY, PAIRS, split
from reasoner.clients._wire.thinking import checked, level_of, tokens_of
from reasoner.errors import BadConfig

TOOL_MARKS = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>")
MARKS = frozenset(
    (*PAIRS, *PAIRS.values(), *TOOL_MARKS, *(f"<|{n}|>" for n in ("start", "channel", "message", "end", "call", "return", "constrain")))
)
"""Control tokens whose text is part of what a model says: they tell its parts apart."""

_QUOTES = tuple("`'\"“‘")
_HARMONY_LEAD = "<|channel|>analysis<|message|>"
_HARMONY_END = "<|end|><|start|>assistant<|channel|>final<|message|>"
_HARMONY_ANSWER = re.compile(r"<\|channel\|>(?:final|commentary[^<]*to=)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")


@dataclass(frozen=True, slots=True)
class Frame:
    """How a model frames its thoughts: the tag that opens one, what is written to begin one, and what to end it."""

    tag: str
    opening: str
    closing: str


def frame_of(template: str) -> Frame | None:
    """Return how the model of a chat template frames its thoughts, None where the template knows no thought."""
    if HARMONY in template and "analysis" in template:
        return Frame(_HARMONY_LEAD, _HARMONY_LEAD, _HARMONY_END)
    found = next(((o, c) for o, c in PAIRS.items() if o in template or c in template), None)
    return None if found is None else Frame(found[0], found[0] + "\n", f"\n{found[1]}\n\n")


@dataclass(frozen=True, slots=True)
class Wish:
    """How much a model is to think: what its template is told, and how many tokens it may take; `is_on` is None where nothing was said."""

    is_on: bool | None
    variables: Mapping[str, object]
    budget: int | None


def wish_of(thinking: str, template: str) -> Wish:
    """Return what `Sampling.thinking` means for the model of a chat template.

    Raises:
        BadConfig: it is to think, and its template knows no thought.
    """
    thinking = checked(thinking)
    if not thinking:
        return Wish(None, {}, None)
    is_on = thinking != "off"
    variables: dict[str, object] = {name: is_on for name in ("enable_thinking", "thinking") if re.search(rf"\b{name}\b", template)}
    has_levels = "reasoning_effort" in template
    if is_on and has_levels:
        variables["reasoning_effort"] = level_of(thinking)
    if is_on and not variables and frame_of(template) is None:
        raise BadConfig("this model cannot be told to think: its chat template knows no thought", hint="leave --thinking out")
    counts = is_on and (thinking.isdigit() or not has_levels)
    return Wish(is_on, variables, tokens_of(thinking) if counts else None)


class Thought:
    """Where the reply that is being written stands. `inside` is None as long as its beginning may still become a tag."""

    def __init__(self, lead: str) -> None:
        self.inside: bool | None = True if lead else None
        self.answer_at = 0
        """Where the answer begins in the text, once `inside` is False."""
        self._lead = lead
        self._n_seen = 0

    def follow(self, text: str) -> None:
        """Take note of how far the text has come."""
        if self.inside is None:
            self.inside = _begins_thought(text)
        if self.inside and (end := self.end_in(text)) is not None:
            self.inside, self.answer_at = False, end
        self._n_seen = len(text)

    def end_in(self, text: str) -> int | None:
        """Return where the answer begins in a text that goes on from what was followed; None where the thought has not ended."""
        whole = self._lead + text
        if whole.lstrip().startswith((HARMONY, "<|start|>")):
            found = _HARMONY_ANSWER.search(whole)
            return None if found is None else found.end() - len(self._lead)
        tag = next((opening for opening in PAIRS if whole.lstrip().startswith(opening)), "")
        closing = PAIRS.get(tag, "")
        if not closing or closing not in text[max(0, self._n_seen - len(closing)) :]:
            return None
        if text.endswith(closing) and text[: -len(closing)].endswith(_QUOTES):
            return None  # spoken of, if a quote follows
        parts = split(whole)
        return None if parts.inside else len(text) - len(parts.text)


def _begins_thought(text: str) -> bool | None:
    begin = text.lstrip()
    tags = (*PAIRS, HARMONY, "<|start|>assistant")
    if begin.startswith(tags):
        return True
    return None if any(tag.startswith(begin) for tag in tags) else False
