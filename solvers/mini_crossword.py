"""Mini crossword: fill a 5x5 grid whose five rows and five columns are words, from ten clues.

The puzzles are frozen in `corpora/crosswords/`; `scripts/make_crosswords` made them.

    {"clues": [...], "solution": "bliss..."}  ->  "Answer: bliss / renal / ovule / nerve / creep"

Source: Yao et al., "Tree of Thoughts", arXiv 2305.10601 (mini crosswords: rules, letter, word and game scores). The puzzles are our own.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from reasoner.assets import asset_dir
from reasoner.drawing import Cell, Grid
from reasoner.errors import CorruptRecord, MissingAsset, Unparseable
from reasoner.solver import Searchable
from reasoner.text import tail
from reasoner.types import Move, Verdict, digest
from solvers import _answer as answers
from solvers._record import Record, load, read, why

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

SIZE = 5
BLANK = "?"
N_CANDIDATES = 8
"""How many words the search may try in one slot: the right one and seven others of the corpus."""
SLOTS = tuple([f"h{n}" for n in range(1, SIZE + 1)] + [f"v{n}" for n in range(1, SIZE + 1)])
CELLS = {
    slot: tuple(range(SIZE * n, SIZE * n + SIZE) if slot[0] == "h" else range(n, SIZE * SIZE, SIZE))
    for slot in SLOTS
    for n in [int(slot[1]) - 1]
}
"""The five places of every slot in the grid, which is written row after row."""

_EXAMPLE = "first / second / third / fourth / fifth"
_MARKER = re.compile(r"answer(?:[\s*_`]{0,9}[:=]|\s{1,9}is\b)", re.IGNORECASE)
_BLANKS = str.maketrans(dict.fromkeys("_.-#·□", BLANK))
_ROW = re.compile(r"[a-z?]{5}")
_LABEL = re.compile(r"^(?:[hr]?[1-5][.:)]|row\s[1-5]:?)\s*", re.IGNORECASE)


class MiniCrossword(Record):
    """Ten clues (five rows, then five columns) and the 25 letters, row after row."""

    clues: tuple[str, ...] = Field(min_length=2 * SIZE, max_length=2 * SIZE)
    solution: str = Field(pattern=r"^[a-z]{25}$")

    @model_validator(mode="after")
    def _clues_are_lines(self) -> MiniCrossword:
        bad = next((n for n, clue in enumerate(self.clues, start=1) if not clue.strip() or len(clue) > 500 or not clue.isprintable()), None)
        if bad is not None:
            raise ValueError(f"clue {bad} is no printable line of 1 to 500 characters")
        return self

    def word(self, slot: str) -> str:
        """Return the word of a slot, `h1` to `v5`."""
        return "".join(self.solution[cell] for cell in CELLS[slot])


@dataclass(frozen=True, slots=True)
class Scores:
    """How much of a grid is right: of 25 letters, of 10 words, and the whole game."""

    letters: int
    words: int

    @property
    def game(self) -> bool:
        """Whether all of it is right."""
        return self.letters == SIZE * SIZE


def corpus(level: int) -> tuple[MiniCrossword, ...]:
    """Return the frozen puzzles of a level, in the file's order.

    Raises:
        MissingAsset: the file is not there.
        CorruptRecord: a line of it cannot be used.
    """
    return _corpus()[level]


@cache
def _corpus() -> dict[int, tuple[MiniCrossword, ...]]:
    path = asset_dir("corpora") / "crosswords" / "mini.jsonl"
    if not path.is_file():
        raise MissingAsset(f"the crosswords are missing at {path}", hint="reinstall reasoner-llm")
    found: dict[int, list[MiniCrossword]] = {level: [] for level in MiniCrosswordSolver.levels}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = load(line)
            found[row.pop("level")].append(MiniCrossword.model_validate(row))
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptRecord(path, number, why(error) if isinstance(error, ValueError) else f"no such level: {error}") from error
    return {level: tuple(puzzles) for level, puzzles in found.items()}


@cache
def lexicon() -> tuple[str, ...]:
    """Return every word of the frozen puzzles, sorted."""
    return tuple(sorted({each.word(slot) for puzzles in _corpus().values() for each in puzzles for slot in SLOTS}))


@cache
def candidates(instance: MiniCrossword) -> Mapping[str, tuple[str, ...]]:
    """Return the words the search may try in each slot, sorted: the right one and seven drawn by a hash of puzzle and slot."""
    found: dict[str, tuple[str, ...]] = {}
    for slot in SLOTS:
        right = instance.word(slot)
        rng = random.Random(int(digest("mini_crossword", instance.solution, slot), 16))
        drawn = rng.sample(lexicon(), N_CANDIDATES)
        found[slot] = tuple(sorted([right, *[word for word in drawn if word != right][: N_CANDIDATES - 1]]))
    return found


class MiniCrosswordSolver(Searchable[MiniCrossword, str]):
    """Ten words that cross. A state is the grid as 25 letters, `?` where it is empty."""

    name = "mini_crossword"
    summary = "fill a 5x5 crossword from ten clues"
    syntax = '{"clues": [five for the rows, five for the columns], "solution": "25 letters, row after row"}'
    Instance = MiniCrossword
    levels: ClassVar[Mapping[int, str]] = {
        1: "52 frozen puzzles of words up to SCOWL size 50",
        2: "52 frozen puzzles of words up to SCOWL size 60",
        3: "52 frozen puzzles of words up to SCOWL size 70 (the rarest)",
    }
    default_level = 1

    def parse(self, line: str) -> MiniCrossword:
        """Read the JSON object with `clues` and `solution`."""
        return read(self, MiniCrossword, line)

    def format(self, instance: MiniCrossword) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: MiniCrossword) -> Hashable:
        """Return the grid: other clues for it make no other problem."""
        return instance.solution

    def listed(self, level: int) -> Sequence[MiniCrossword]:
        """Return the frozen puzzles of a level."""
        return corpus(level)

    def generate(self, rng: random.Random, level: int) -> MiniCrossword:
        """Draw one of the frozen puzzles of a level."""
        return rng.choice(corpus(level))

    def statement_variables(self, instance: MiniCrossword) -> Mapping[str, Any]:
        """Return the `rows` and `columns` clues and a format `example`."""
        return {"rows": list(instance.clues[:SIZE]), "columns": list(instance.clues[SIZE:]), "example": _EXAMPLE}

    def verify(self, instance: MiniCrossword, text: str) -> Verdict:
        """Compare letter by letter. The score is the share of the ten words that are right; the reason has all three scores."""
        try:
            grid = read_grid(text)
        except Unparseable as error:
            return answers.unread(error.message)
        scores = score(instance, grid)
        if scores.game:
            return answers.right("letters 25/25, words 10/10, game right")
        first = next(slot for slot in SLOTS if _word(grid, slot) != instance.word(slot))
        reason = f"letters {scores.letters}/25, words {scores.words}/10, game wrong; {first} is not {_word(grid, first)}"
        return Verdict(correct=False, score=scores.words / len(SLOTS), reason=reason)

    def drawing(self, instance: MiniCrossword, text: str) -> Grid | None:
        """Draw the grid of an answer; a letter that is not the solution's is wrong."""
        try:
            grid = read_grid(text)
        except Unparseable:
            return None
        cells = [Cell("" if had == BLANK else had.upper(), had == has) for had, has in zip(grid, instance.solution, strict=True)]
        rows = tuple(tuple(cells[n : n + SIZE]) for n in range(0, SIZE * SIZE, SIZE))
        names = [f"{way} {n}" for way in ("row", "column") for n in range(1, SIZE + 1)]
        n_right = sum(cell.right for cell in cells)
        return Grid(f"The grid: {n_right} of {len(cells)} letters right", rows, tuple(zip(names, instance.clues, strict=True)))

    def start(self, instance: MiniCrossword) -> str:  # noqa: ARG002 - all start alike
        """Return the empty grid."""
        return BLANK * SIZE * SIZE

    def moves(self, instance: MiniCrossword, state: str) -> list[Move[str]]:
        """Return every candidate that fits the crossing letters, for every slot that is not full."""
        found: list[Move[str]] = []
        for slot, words in candidates(instance).items():
            before = _word(state, slot)
            if BLANK in before:
                fits = (word for word in words if all(had in {BLANK, has} for had, has in zip(before, word, strict=True)))
                found += [Move(f"{slot} = {word}", _fill(state, slot, word)) for word in fits]
        return found

    def is_goal(self, instance: MiniCrossword, state: str) -> bool:
        """Tell whether the grid is the solution."""
        return state == instance.solution

    def show(self, instance: MiniCrossword, state: str) -> str:  # noqa: ARG002 - the state says it all here
        """Write the rows with strokes between them."""
        return "/".join(_rows(state))

    def answer(self, instance: MiniCrossword, path: Sequence[Move[str]]) -> str:
        """Write the rows, spaced."""
        return "Answer: " + " / ".join(_rows(path[-1].state if path else self.start(instance)))

    def solve(self, instance: MiniCrossword) -> list[Move[str]]:
        """Fill the rows from the top: five moves, and none is shorter."""
        path: list[Move[str]] = []
        state = self.start(instance)
        for slot in SLOTS[:SIZE]:
            state = _fill(state, slot, instance.word(slot))
            path.append(Move(f"{slot} = {instance.word(slot)}", state))
        return path


def score(instance: MiniCrossword, grid: str) -> Scores:
    """Count the letters and words of a grid (25 characters) that are right."""
    letters = sum(a == b for a, b in zip(grid, instance.solution, strict=True))
    return Scores(letters, sum(_word(grid, slot) == instance.word(slot) for slot in SLOTS))


def read_grid(text: str) -> str:
    """Read five rows of five letters: on one line after the last `Answer:`, or on the five lines that end the text.

    Letters may be spaced, rows may be separated by strokes, commas, bars or blanks, and a blank cell may be written `?`, `_`, `.` or `-`.

    Raises:
        Unparseable: there is no such grid.
    """
    text = tail(text)
    marks = list(_MARKER.finditer(text))
    if marks:
        lines = [line for line in text[marks[-1].end() :].splitlines() if line.strip(" \t*`")][:SIZE]
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        lines = lines if len(lines) == 1 else lines[-SIZE:]
    if not lines:
        raise Unparseable("no grid was found: five rows of five letters after 'Answer:'")
    if any(len(line) > answers.MAX_ANSWER_CHARS for line in lines):
        raise Unparseable(f"a line of the grid has more than {answers.MAX_ANSWER_CHARS} characters")
    for rows in (re.split(r"[/|,;\\]|->", lines[0]), lines[0].split(), lines):
        read_rows = [_row(row) for row in rows if row.strip(" \t*`")]
        if len(read_rows) == SIZE and all(row is not None for row in read_rows):
            return "".join(row for row in read_rows if row is not None)
    raise Unparseable(f"{answers.shown(lines[0])} is no grid: five rows of five letters are needed")


def _row(text: str) -> str | None:
    """Read one row, `H E A R T`, `1. heart` or `he?rt`; None when it is none."""
    row = _LABEL.sub("", text.strip().strip("*`").strip())
    row = re.sub(r"[\s,]+", "", row.lower().translate(_BLANKS))
    row = row.removesuffix(BLANK) if len(row) > SIZE else row  # a full stop
    return row if _ROW.fullmatch(row) else None


def _rows(grid: str) -> list[str]:
    return [grid[SIZE * n : SIZE * n + SIZE] for n in range(SIZE)]


def _word(grid: str, slot: str) -> str:
    return "".join(grid[cell] for cell in CELLS[slot])


def _fill(grid: str, slot: str, word: str) -> str:
    cells = list(grid)
    for cell, letter in zip(CELLS[slot], word, strict=True):
        cells[cell] = letter
    return "".join(cells)
