r"""The outline: a search or a chain of steps written as numbered lines, read and written by one definition of the layout.

Knows the layout that the prompts ask for, and the many ways in which models miss it. Does not know any puzzle, model or
strategy: a state is a piece of text here. Reading takes time linear in the text, is bounded, and never raises on any text.

>>> found = parse("Step 1\n1: 9 -> 10 (9 + 1 = 10)\n2: 9 -> 18 (9 * 2 = 18) x\nGoal: 1\nAnswer: 9 -> 10")
>>> [(format_label(e.label), e.state, e.operation, e.dead) for e in found.entries], found.goal, found.answer
([('1', '10', '9 + 1 = 10', False), ('2', '18', '9 * 2 = 18', True)], (1,), '9 -> 10')

Rules where a text can be read in two ways:

- A number at the start of a line is a label when something delimits it (`1.`, `1)`, `(1)`, `1:`, `**1**`, `Scenario 1`) or when it
  has two parts or more (`1.2 9 -> 10`), unless an operator or an arrow follows. A bare integer (`1 9 -> 10`) is one only if the
  chain behind it starts at the same state as the chains of the labelled lines do or, where there are none, if all bare
  integers count 1, 2, 3, … and the chains behind them start alike or continue each other.
- Steps that are all numbered with one part (1, 2, 3) form a chain where a line starts at the state the line before it ended
  at, or repeats its whole chain and goes on; otherwise they are siblings.
- A line whose parent was not written hangs on its nearest ancestor that was; a repeated label is an entry of its own, and what
  follows hangs on the latest.
- `Goal: 1.2` counts only when a line 1.2 stands above it (models also write `Goal: 41` to restate the task); the last one wins.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from reasoner.layouts import outline_line as reading
from reasoner.text import answer_line, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.layouts.outline_line import Body

Label = reading.Label
"""A hierarchical number: (1, 2, 1) is `1.2.1`."""

MAX_ENTRIES = 2_000
MAX_LINES = 20_000
MAX_LINE_CHARS = 2_000
MAX_TEXT_CHARS = 1 << 20
MAX_DEPTH = reading.MAX_DEPTH
MAX_STEPS = 200

_SPACES = re.compile(r"\s{2,}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the outline. `parent` is the index of the entry it hangs on, None for the first level."""

    label: Label
    """As the text has it: a chain of plainly numbered steps keeps 1, 2, 3 while each hangs on the one before."""
    chain: tuple[str, ...]
    """The states on the line, in order; never empty for a line that says anything."""
    operation: str
    dead: bool
    text: str
    line: int
    """Counted from 1."""
    step: int | None
    """The number of the heading above it, None where there is none."""
    parent: int | None

    @property
    def state(self) -> str:
        """The state the line ends at, empty for a label with nothing behind it."""
        return self.chain[-1] if self.chain else ""


class Hung(Protocol):
    """What hangs on another entry of the same list, or on none."""

    @property
    def parent(self) -> int | None:
        """The index of that entry."""


def climb(entries: Sequence[Hung], index: int) -> list[int]:
    """Return the indices from the first level of a tree down to one of its entries, that one included."""
    found: list[int] = []
    at: int | None = index
    while at is not None:
        found.append(at)
        at = entries[at].parent
    return found[::-1]


@dataclass(frozen=True, slots=True)
class Outline:
    """What was read. `goal` is the label of the entry `goal_index`; both are None when the text names no goal."""

    entries: tuple[Entry, ...]
    goal: Label | None
    goal_index: int | None
    answer: str | None

    def path(self, index: int) -> list[int]:
        """Return the indices from the first level down to an entry, the entry included."""
        return climb(self.entries, index)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a reply that was worked out line by line; all texts of a reply joined by newlines give its non-blank lines."""

    text: str
    label: str
    state: str
    operation: str


@dataclass(frozen=True, slots=True)
class _Row:
    label: Label
    body: Body
    bare: bool
    text: str
    line: int
    step: int | None


def format_label(label: Label) -> str:
    """Write a label: (1, 2, 1) is `1.2.1`."""
    return ".".join(map(str, label))


def write_heading(step: int) -> str:
    """Write the heading of a level."""
    return f"Step {step}"


def write_line(label: Label, chain: Sequence[str], operation: str, *, dead: bool = False) -> str:
    """Write one entry. The colon after the label keeps a one-part label apart from states that start with a number."""
    line = f"{format_label(label)}: {' -> '.join(chain)}"
    if operation:
        line += f" ({operation})"
    return line + " x" if dead else line


def write_back(label: Label) -> str:
    """Write that the search goes back to a line, or to the start."""
    return f"Back to {format_label(label)}" if label else "Back to the start"


def write_goal(label: Label) -> str:
    """Write which line reached the goal."""
    return f"Goal: {format_label(label)}"


def parse(text: str) -> Outline:
    """Read an outline out of any text; what is no line of it is skipped. See the module for the rules."""
    lines = _lines(text)
    rows: list[_Row] = []
    named: list[tuple[int, Label]] = []  # (number of rows above, label): goals the text names
    step: int | None = None
    for number, line in lines:
        if len(rows) >= MAX_ENTRIES:
            break
        read = reading.read_line(line)
        if read.step is not None:
            step = read.step
        if read.goal is not None:
            named.append((len(rows), read.goal))
        if read.label is not None and read.body is not None:
            rows.append(_Row(read.label, read.body, read.bare, line.strip(), number, step))
    keep = _accepted(rows)
    entries = _link([row for row, good in zip(rows, keep, strict=True) if good])
    index = _goal_index(rows, keep, entries, named)
    answer = answer_line("\n".join(_SPACES.sub(" ", line) for _, line in lines))
    return Outline(tuple(entries), entries[index].label if index is not None else None, index, answer)


def parse_chain(text: str) -> tuple[str, ...]:
    """Read a chain of states written on one line, without a label (an answer, say)."""
    return reading.read_body(clean(text[:MAX_LINE_CHARS])).chain


@dataclass(frozen=True, slots=True)
class Proposed:
    """One line read by itself, as the proposal of a step. `hit`: the line says that it reaches the goal."""

    chain: tuple[str, ...]
    operation: str
    hit: bool
    is_chain: bool
    """Whether it shows states or an equation; otherwise it is prose."""
    labelled: bool


def read_step(line: str) -> Proposed | None:
    """Read one line as a proposed step, with or without a number before it; None for a line that says nothing or is a heading."""
    read = reading.read_line(line)
    body = read.body
    if body is None:
        if read.step is not None or read.goal is not None:
            return None
        body = reading.read_body(line.strip().lstrip("*•> "))
    if not body.chain:
        return None
    return Proposed(body.chain, body.operation, body.hit, body.is_chain, read.label is not None and not read.bare)


def split_steps(text: str) -> tuple[Step, ...]:
    """Cut a worked reply into its steps: at its numbered lines if it has any, otherwise at every line.

    What stands before the first numbered line belongs to the first step; the answer line is the last step, with all that
    follows it. At most 200 steps, the last of which then holds the rest.
    """
    lines = [line for _, line in _lines(text) if line.strip()]
    marks = [reading.read_line(line) for line in lines]
    numbered = any((m.label is not None and not m.bare) or m.step is not None for m in marks)
    last = max((i for i, line in enumerate(lines) if _answers(line)), default=None)
    groups: list[list[int]] = []
    opened = False  # whether the first numbered line was met: what stands before it is no step of its own
    for i, mark in enumerate(marks):
        starts = (mark.label is not None and not mark.bare) or mark.step is not None
        cut = (starts and opened) if numbered else True
        opened = opened or starts
        answered = last is not None and i >= last
        if not groups or (len(groups) < MAX_STEPS and (i == last or (cut and not answered))):
            groups.append([])
        groups[-1].append(i)
    return tuple(_step(group, lines, marks) for group in groups)


def _step(group: list[int], lines: list[str], marks: list[reading.Line]) -> Step:
    text = "\n".join(lines[i].rstrip() for i in group)
    if _answers(lines[group[0]]):
        return Step(text, "", "", "")
    label, body = "", None
    for i in group:
        mark = marks[i]
        if not mark.bare and (mark.label is not None or mark.step is not None):
            label = format_label(mark.label) if mark.label is not None else str(mark.step)
            body = mark.body
            break
    if body is None:
        # A heading (or no number at all): the state is that of the last line that shows one.
        bodies = (reading.read_body(lines[i].strip()) for i in reversed(group))
        body = next((b for b in bodies if b.is_chain), None)
    if body is None or not body.is_chain:
        return Step(text, label, "", "")
    return Step(text, label, body.chain[-1] if body.chain else "", body.operation)


def _answers(line: str) -> bool:
    """Tell whether a line is an answer line, its answer on it or below it."""
    return "nswer" in line.lower() and answer_line(_SPACES.sub(" ", line) + "\n.") is not None


def _lines(text: str) -> list[tuple[int, str]]:
    found = text[:MAX_TEXT_CHARS].splitlines()[:MAX_LINES]
    return [(number, clean(line[:MAX_LINE_CHARS])) for number, line in enumerate(found, start=1)]


def _accepted(rows: list[_Row]) -> list[bool]:
    """Tell which rows are entries: all with a certain label, bare integers only where the context speaks for them."""
    bare = [row for row in rows if row.bare]
    if not bare:
        return [True] * len(rows)
    starts = Counter(row.body.chain[0] for row in rows if not row.bare and row.body.chain)
    if starts:
        start = starts.most_common(1)[0][0]
        return [not row.bare or (bool(row.body.chain) and row.body.chain[0] == start) for row in rows]
    pairs = list(pairwise(bare))
    counts = [row.label[0] for row in bare] == list(range(1, len(bare) + 1))
    alike = all(a.body.chain[:1] == b.body.chain[:1] for a, b in pairs)
    good = bool(pairs) and counts and (alike or all(_continues(a.body.chain, b.body.chain) for a, b in pairs))
    return [not row.bare or good for row in rows]


def _continues(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Tell whether a chain starts where another ended, or repeats it and goes on."""
    if not before or len(after) < 2:
        return False
    whole = len(before) > 1 and len(after) > len(before) and after[: len(before)] == before
    return after[0] == before[-1] or whole


def _link(rows: list[_Row]) -> list[Entry]:
    plain = all(len(row.label) == 1 for row in rows)
    latest: dict[Label, int] = {}
    entries: list[Entry] = []
    depths: list[int] = []
    for row in rows:
        parent: int | None = None
        if plain and entries:
            before = entries[-1]
            if row.label[0] == before.label[0] + 1 and _continues(before.chain, row.body.chain):
                parent = len(entries) - 1
        else:
            ancestors = (latest.get(row.label[:n]) for n in range(len(row.label) - 1, 0, -1))
            parent = next((found for found in ancestors if found is not None), None)
        if parent is not None and depths[parent] >= MAX_DEPTH:
            parent = entries[parent].parent  # keep the tree within its depth: a sibling instead of a child
        depths.append(1 if parent is None else depths[parent] + 1)
        latest[row.label] = len(entries)
        entries.append(Entry(row.label, row.body.chain, row.body.operation, row.body.dead, row.text, row.line, row.step, parent))
    return entries


def _goal_index(rows: list[_Row], keep: list[bool], entries: list[Entry], named: list[tuple[int, Label]]) -> int | None:
    """Return the entry the last valid goal names; a mark on the line itself (`(goal)`, `✓`) names that line."""
    above = [0]  # above[n]: how many of the first n rows are entries
    for good in keep:
        above.append(above[-1] + good)
    marked = [(position + 1, row.label) for position, row in enumerate(rows) if keep[position] and row.body.hit]
    wanted = sorted([*named, *marked], key=lambda goal: goal[0])  # stable: a goal line follows the mark it repeats
    at: dict[Label, int] = {}
    found: int | None = None
    done = 0
    for n_rows, label in wanted:
        for index in range(done, above[n_rows]):
            entry = entries[index]
            if not entry.dead or entry.label not in at:
                at[entry.label] = index
        done = max(done, above[n_rows])
        found = at.get(label, found)
    return found
