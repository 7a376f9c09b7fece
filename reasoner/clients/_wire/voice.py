"""What of a streamed answer can be told while it is written.

Text that may turn out to be a thought (it begins with a tag, or the model's template has opened one) is told apart once it is whole, so it is not
told before; everything else goes on as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.clients._wire.said import schema_is_tool

if TYPE_CHECKING:
    from reasoner.capabilities import Hear
    from reasoner.clients._wire.dialect import Reading
    from reasoner.clients._wire.profiles import Profile

_MAY_OPEN_A_THOUGHT = ("<", "[")


class Voice:
    """Tells a listener the pieces of one answer, each once."""

    def __init__(self, hear: Hear | None, profile: Profile) -> None:
        self._hear = hear
        self._profile = profile
        self._n_thoughts = 0
        self._n_texts = 0
        self._silent = False
        """Whether the text has to be whole before it can be told."""

    def tell(self, reading: Reading) -> None:
        """Tell what a reading holds and was not told yet."""
        if self._hear is None:
            return
        for piece in reading.thoughts[self._n_thoughts :]:
            self._hear("reasoning", piece)
        self._n_thoughts = len(reading.thoughts)
        if not self._n_texts and not self._silent:
            begin = "".join(reading.texts).lstrip()
            if not begin:
                return
            framed = self._profile.thought != "none" and not reading.thoughts
            opened = self._profile.thought not in {"none", "auto"}
            self._silent = schema_is_tool(reading.request, self._profile) or (framed and (opened or begin.startswith(_MAY_OPEN_A_THOUGHT)))
        if not self._silent:
            for piece in reading.texts[self._n_texts :]:
                self._hear("text", piece)
            self._n_texts = len(reading.texts)
