"""What of a local model's reply can be told while it is written: its thought and its answer apart, each piece once.

Told is only what the rest of the reply will not change: not what may become a tag, a tool call or trailing white space. Whoever listens gets the
whole answer at the end in any case.

    voice = LocalVoice(request, hear)
    voice.take({"text": "<think>9 + 1", "answer_at": None})   # hear("reasoning", "9 + 1")
    voice.take({"text": "</think>10", "answer_at": None})     # hear("text", "10")
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reasoner.clients._thoughts import PAIRS, may_open_a_thought
from reasoner.clients.llamacpp.reply import parts_of_reply

if TYPE_CHECKING:
    from reasoner.capabilities import Hear, Part
    from reasoner.types import Request

_UNFINISHED_TAG = re.compile(r"[<\[][^>\]]{0,64}\Z")
_MAY_BE_A_CALL = re.compile(r"[<\[{`]")


class LocalVoice:
    """Tells the listener of a request what its reply has grown by."""

    def __init__(self, request: Request, hear: Hear) -> None:
        self._request = request
        self._hear = hear
        self._text = ""
        self._told: dict[Part, str] = {"reasoning": "", "text": ""}

    def begin(self) -> None:
        """Hear that the reply is written from its beginning: again, where a worker was lost. What was told is not told twice."""
        self._text = ""

    def take(self, piece: dict[str, Any]) -> None:
        """Take a piece of the reply."""
        self._text += piece["text"]
        at = piece["answer_at"]
        if at is None and may_open_a_thought(self._text):
            return
        parts = parts_of_reply({"text": self._text, "answer_at": at}, self._request)
        self._tell("reasoning", parts.reasoning if parts.text else _UNFINISHED_TAG.sub("", parts.reasoning).rstrip())
        if at is None and any(tag in parts.reasoning for tag in PAIRS):
            return  # a thought within the thought: only the whole reply tells which end tag was the last
        if at is None and self._request.tools:
            found = _MAY_BE_A_CALL.search(parts.text)
            self._tell("text", parts.text[: found.start()].rstrip() if found else parts.text.rstrip())
        else:
            self._tell("text", parts.text.rstrip())

    def _tell(self, part: Part, whole: str) -> None:
        told = self._told[part]
        if len(whole) > len(told) and whole.startswith(told):
            self._told[part] = whole
            self._hear(part, whole[len(told) :])
