r"""The fan layout: a search written for a small model to learn, one line per expanded state.

    3 9: 18 10                   from 9 to 18 or 10, after which 3 steps are left
    2 18: 36 19                  the path from the start, without the start itself
    1 18>36: 72x 37              x: a dead end, never expanded
    0 10>20>40: 80 41!           !: the goal; only on the last step
    Goal: 10>20>40>41            its whole path, from which the answer is copied
    Answer: 9 -> 10 -> 20 -> 40 -> 41

Where a state does not tell which move led to it, a word names the move first: `5+9=14,10` leaves 14 and 10. What has to be worked out
stands there as an equation, one operation after the other: `17,8+20=28-17=11` is what two jugs hold after a pour, `1*6=3,19+6=25*3=75`
two sums and their product. So each number follows from those right before it.

A word has no blanks, `>` and `:` in it, and two words can stand for the same state. Where several words carry a `!`, the last counts:
a search for the least value holds each of them against the least so far, says which of both is less, and marks it
where it is new (`...=121~123=121!`); what follows the `~` is no part of the state.
Lines of older versions are read too: those of version 2 (`2/4 9>18: 36 19`) tell which step of how many and repeat the start in every way,
version 3 had fewer equations, version 4 nothing after a `~`.
Reading takes time linear in the text, is bounded, and never raises on any text.

>>> found = parse("1 9: 18 10\n0 18: 36x\n0 10: 20! 11\nGoal: 10>20\nAnswer: 9 -> 10 -> 20")
>>> [(entry.state, entry.dead, entry.parent) for entry in found.entries], found.goal
([('18', False, None), ('10', False, None), ('36', True, 0), ('20', False, 1), ('11', False, 1)], 3)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reasoner.layouts.outline import climb

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ENTRIES = 2_000
MAX_LINES = 20_000
MAX_LINE_CHARS = 2_000
MAX_TEXT_CHARS = 1 << 20
MAX_DEPTH = 64

DEAD, GOAL, BEST = "x", "!", "~"

_GOAL = re.compile(r"\s*Goal:\s*([^\s:]+)\s*")
_LINE = re.compile(r"\s*[0-9]{1,3}(?:/[0-9]{1,3})?\s+([^\s:]+):(?:\s(.*))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One state that a line shows. `parent` is the index of the entry it is reached from, None for what is reached from the start."""

    label: str
    """Where it stands in the tree: `1.2` is the second state reached from the first."""
    path: tuple[str, ...]
    """All words from the start, which the first line shows, to this one."""
    dead: bool
    hit: bool
    parent: int | None

    @property
    def state(self) -> str:
        """The state itself, with the move to it where it is named."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Fan:
    """What was read: the states in the order they were written, and the index of the one that ends the search (None: none does)."""

    entries: tuple[Entry, ...]
    goal: int | None

    def path(self, index: int) -> list[int]:
        """Return the indices from the first level down to an entry, the entry included."""
        return climb(self.entries, index)


def write_line(n_left: int, path: Sequence[str], words: Sequence[str]) -> str:
    """Write one line: how many steps are left after this one, the way to a state, and the states it leads to with their marks.

    The way to the start is the start; other ways leave it out.
    """
    return " ".join([f"{n_left} {'>'.join(path)}:", *words])


def write_goal(path: Sequence[str]) -> str:
    """Write the way that ends the search."""
    return f"Goal: {'>'.join(path)}"


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    entries: list[Entry] = field(default_factory=list)
    start: tuple[str, ...] | None = None
    at: dict[tuple[str, ...], int] = field(default_factory=dict)
    n_children: dict[int | None, int] = field(default_factory=dict)
    goal: int | None = None

    def whole(self, way: str) -> tuple[str, ...]:
        """Return a way with the start in front of it; the first one is the start."""
        path = tuple(way.split(">"))
        if self.start is None:
            self.start = path[:1]
        return path if path[:1] == self.start and (*self.start, *path) not in self.at else (*self.start, *path)

    def add(self, path: tuple[str, ...], word: str, parent: int | None) -> None:
        """Take in one word of the line of a way."""
        state = word.partition(BEST)[0].rstrip(DEAD + GOAL)
        if not state:
            return
        marks = word[len(state) :]
        number = self.n_children[parent] = self.n_children.get(parent, 0) + 1
        label = str(number) if parent is None else f"{self.entries[parent].label}.{number}"
        self.at.setdefault((*path, state), len(self.entries))
        if GOAL in marks:
            self.goal = len(self.entries)
        self.entries.append(Entry(label, (*path, state), DEAD in marks, GOAL in marks, parent))


def parse(text: str) -> Fan:
    """Read a fan out of any text; what is no line of it is skipped.

    A line whose way was not written before hangs on the longest beginning of it that was.
    """
    found = _Reading()
    for line in text[:MAX_TEXT_CHARS].splitlines()[:MAX_LINES]:
        if (named := _GOAL.fullmatch(line[:MAX_LINE_CHARS])) is not None and found.start is not None:
            found.goal = found.at.get(found.whole(named[1]), found.goal)
        match = _LINE.fullmatch(line[:MAX_LINE_CHARS])
        if match is None:
            continue
        way = match[1]
        if way.count(">") >= MAX_DEPTH or not all(way.split(">")):
            continue
        path = found.whole(way)
        parent = next((found.at[path[:n]] for n in range(len(path), 1, -1) if path[:n] in found.at), None)
        for word in (match[2] or "").split():
            if len(found.entries) == MAX_ENTRIES:
                return Fan(tuple(found.entries), found.goal)
            found.add(path, word, parent)
    return Fan(tuple(found.entries), found.goal)
