r"""The fan layout: a search written for a small model to learn, one line per state that is looked into.

    1/4 9: 18 10                 step 1 of 4; from 9 one can go to 18 and to 10
    2/4 9>18: 36 19              the whole path first, so that nothing has to be looked up
    3/4 9>18>36: 72x 37          x: a dead end, never looked into
    4/4 9>10>20>40: 80 41!       !: the goal
    Goal: 9>10>20>40>41          its whole path, from which the answer is copied
    Answer: 9 -> 10 -> 20 -> 40 -> 41

Knows this layout, written and read by one definition. Does not know any puzzle: a state is a word without blanks, `>` and `:` here, and
two words can stand for the same state. Where several lines carry a `!`, the last counts: a search for the least value marks each
state that is better than all before it. Reading takes time linear in the text, is bounded, and never raises on any text.

>>> found = parse("1/2 9: 18 10\n2/2 9>18: 36x\n2/2 9>10: 20! 11\nAnswer: 9 -> 10 -> 20")
>>> [(entry.state, entry.dead, entry.parent) for entry in found.entries], found.goal
([('18', False, None), ('10', False, None), ('36', True, 0), ('20', False, 1), ('11', False, 1)], 3)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.outline import climb

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ENTRIES = 2_000
MAX_LINES = 20_000
MAX_LINE_CHARS = 2_000
MAX_TEXT_CHARS = 1 << 20
MAX_DEPTH = 64

DEAD, GOAL = "x", "!"

_GOAL = re.compile(r"\s*Goal:\s*([^\s:]+)\s*")
_LINE = re.compile(r"\s*([0-9]{1,3})/([0-9]{1,3})\s+([^\s:]+):(?:\s(.*))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One state that a line shows. `parent` is the index of the entry it is reached from, None for what is reached from the start."""

    label: str
    """Where it stands in the tree: `1.2` is the second state reached from the first."""
    path: tuple[str, ...]
    """All states from the start, this one included."""
    dead: bool
    hit: bool
    parent: int | None

    @property
    def state(self) -> str:
        """The state itself."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Fan:
    """What was read: the states in the order they were written, and the index of the one that ends the search (None: none does)."""

    entries: tuple[Entry, ...]
    goal: int | None

    def path(self, index: int) -> list[int]:
        """Return the indices from the first level down to an entry, the entry included."""
        return climb(self.entries, index)


def write_line(n_steps: int, path: Sequence[str], words: Sequence[str]) -> str:
    """Write one line: which step this is of how many, the path to a state, and the states it leads to with their marks."""
    return " ".join([f"{len(path)}/{n_steps}", f"{'>'.join(path)}:", *words])


def write_goal(path: Sequence[str]) -> str:
    """Write the path that ends the search."""
    return f"Goal: {'>'.join(path)}"


def parse(text: str) -> Fan:
    """Read a fan out of any text; what is no line of it is skipped.

    A line whose path was not written before hangs on the longest beginning of it that was.
    """
    entries: list[Entry] = []
    at: dict[tuple[str, ...], int] = {}
    n_children: dict[int | None, int] = {}
    goal: int | None = None
    for line in text[:MAX_TEXT_CHARS].splitlines()[:MAX_LINES]:
        if (named := _GOAL.fullmatch(line[:MAX_LINE_CHARS])) is not None:
            goal = at.get(tuple(named[1].split(">")), goal)
        match = _LINE.fullmatch(line[:MAX_LINE_CHARS])
        if match is None:
            continue
        path = tuple(match[3].split(">"))
        if not all(path) or len(path) > MAX_DEPTH:
            continue
        parent = next((at[path[:n]] for n in range(len(path), 1, -1) if path[:n] in at), None)
        for word in (match[4] or "").split():
            state = word.rstrip(DEAD + GOAL)
            if not state:
                continue
            if len(entries) == MAX_ENTRIES:
                return Fan(tuple(entries), goal)
            number = n_children[parent] = n_children.get(parent, 0) + 1
            label = str(number) if parent is None else f"{entries[parent].label}.{number}"
            at.setdefault((*path, state), len(entries))
            if GOAL in word[len(state) :]:
                goal = len(entries)
            entries.append(Entry(label, (*path, state), DEAD in word[len(state) :], GOAL in word[len(state) :], parent))
    return Fan(tuple(entries), goal)
