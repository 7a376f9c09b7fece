"""Calls that give back what the same calls gave before: small models that decode greedily repeat them for ever.

    repeats = Repeats()
    repeats.note([("calculator", '{"expression": "6*7"}', "42")])    -> set()
    repeats.note([("calculator", '{"expression": "6*7"}', "42")])    -> {("calculator", '{"expression": "6*7"}')}
    repeats.stuck                                                    -> False; True after another such turn

Calls that change something are not noted: pulling a lever twice is not pulling it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_REPEATS = 2
"""Turns in a row that give nothing new, after which the answer is asked for."""


@dataclass(slots=True)
class Repeats:
    """What every call gave back when it was last made."""

    _last: dict[tuple[str, str], str] = field(default_factory=dict)
    _n_old: int = 0

    @property
    def stuck(self) -> bool:
        """Whether the last turns gave nothing new."""
        return self._n_old >= MAX_REPEATS

    def note(self, turn: Iterable[tuple[str, str, str]], *, changes: bool = False) -> set[tuple[str, str]]:
        """Note what the calls of a turn gave (name, arguments, result), and return those that gave the same before; none where a turn `changes` something."""
        now = {} if changes else {(name, arguments): text for name, arguments, text in turn}
        again = {call for call, text in now.items() if self._last.get(call) == text}
        self._last = self._last | now if now else {}
        self._n_old = self._n_old + 1 if again and len(again) == len(now) else 0
        return again
