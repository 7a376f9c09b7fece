"""Question: a JSONL file of the user's own, judged by number, by exact match or by choice.

    question:mine.jsonl, one row:  {"question": "Which of these is a fruit?", "answer": "fig", "choices": ["fig", "fog", "fad"]}

A row has `question` and `answer`, and may have `choices` (the answer is one of them), `context`, and `pair` with `direction` (`forward`,
`backward`) where a fact is asked both ways. Without a file, the questions of `corpora/questions/sample.jsonl` are asked. Choices are never
shown in the file's order: a permutation is drawn for every seed and kept in the instance as `order`.

`solvers/_match.py` compares; `reasoner.comparison.calibration` measures confidence, `reasoner.comparison.reversal` counts over pairs.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from reasoner.assets import asset_dir
from reasoner.errors import BadConfig, CorruptRecord, MissingAsset, Unparseable
from reasoner.solver import Solver
from reasoner.types import Verdict, digest
from solvers import _answer as answers
from solvers import _match as match
from solvers._record import Record, load, read, why

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SAMPLE = "sample.jsonl"

Kind = Literal["choices", "number", "text"]


class Question(Record):
    """One question. `order[k]` is the place in `choices` of what is shown as the k-th letter."""

    question: str = Field(min_length=1, max_length=20_000)
    answer: str = Field(min_length=1, max_length=1_000)
    choices: tuple[str, ...] = Field(default=(), max_length=len(LETTERS))
    order: tuple[int, ...] = ()
    context: str = Field(default="", max_length=100_000)
    pair: str = ""
    direction: Literal["", "forward", "backward"] = ""

    @field_validator("answer", "pair", mode="before")
    @classmethod
    def _numbers_are_texts(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="before")
    @classmethod
    def _order_is_drawn(cls, row: object) -> object:
        """Shuffle the choices of a row that names no order, by a hash of the row: nothing is ever asked in the file's order by habit."""
        if not isinstance(row, dict) or row.get("order") or not isinstance(row.get("choices"), list | tuple):
            return row
        order = list(range(len(row["choices"])))
        random.Random(int(digest("question", str(row.get("question")), *map(str, row["choices"])), 16)).shuffle(order)
        return {**row, "order": order}

    @model_validator(mode="after")
    def _can_be_judged(self) -> Question:
        if not match.normal(self.answer) or not self.answer.isprintable():
            raise ValueError("the answer has to be one line with a letter or a digit")
        if bool(self.pair) != bool(self.direction):
            raise ValueError("pair and direction (forward or backward) go together")
        if not self.choices:
            if self.order:
                raise ValueError("an order without choices")
            return self
        texts = [match.normal(choice) for choice in self.choices]
        if len(texts) < 2 or len(set(texts)) < len(texts) or not all(texts):
            raise ValueError("at least two choices are needed, no two of them alike and none empty")
        if any(len(text) == 1 and text.upper() in LETTERS for text in texts):
            raise ValueError("a choice that is a single letter cannot be told from the letter of a choice")
        if self.answer not in self.choices:
            raise ValueError("the answer is none of the choices (it has to be written as the choice is, not as a letter or place)")
        if sorted(self.order) != list(range(len(self.choices))):
            raise ValueError(f"the order {list(self.order)} is no permutation of {len(self.choices)} choices")
        return self

    @property
    def kind(self) -> Kind:
        """How it is judged."""
        return "choices" if self.choices else "number" if match.number(self.answer) is not None else "text"

    @property
    def shown(self) -> list[str]:
        """The choices in the order they are shown."""
        return [self.choices[place] for place in self.order]

    @property
    def letter(self) -> str:
        """The letter of the right choice."""
        return LETTERS[self.shown.index(self.answer)]


_KINDS: dict[int, Kind | None] = {1: None, 2: "choices", 3: "number", 4: "text"}


class QuestionSolver(Solver[Question]):
    """Questions with known answers; there is nothing to search."""

    name = "question"
    summary = "questions from a JSONL file of your own (question:FILE): exact match, numbers, multiple choice"
    syntax = '{"question": "...", "answer": "...", "choices": [...], "context": "...", "pair": "...", "direction": "forward"}, the last four optional'
    Instance = Question
    levels: ClassVar[Mapping[int, str]] = {
        1: "all rows",
        2: "rows with choices",
        3: "rows without choices whose answer is a number",
        4: "the other rows: exact match",
    }
    default_level = 1

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._rows: list[Question] | None = None

    @classmethod
    def open(cls, source: str) -> Self:
        """Ask the questions of a file. It is read when the first of them is asked for.

        Raises:
            BadConfig: the path is empty.
        """
        if not source.strip():
            raise BadConfig("question: names no file", hint="write question:FILE.jsonl, or question for the sample questions")
        return cls(source)

    def parse(self, line: str) -> Question:
        """Read one row; without an `order` the choices are shuffled by a hash of the row."""
        return read(self, Question, line)

    def format(self, instance: Question) -> str:
        """Write the row, its `order` included."""
        return instance.line()

    def canonical(self, instance: Question) -> Hashable:
        """Return the question without its order: a permutation makes no other problem."""
        return (instance.question, instance.context, instance.answer, frozenset(instance.choices))

    def listed(self, level: int) -> Sequence[Question]:
        """Return the rows of the file that a level asks for.

        Raises:
            MissingAsset: the file is not there.
            CorruptRecord: rows of it cannot be used; the first is named and all are counted.
        """
        if self._rows is None:
            self._rows = read_rows(Path(self.source) if self.source else asset_dir("corpora") / "questions" / SAMPLE)
        return [row for row in self._rows if _KINDS[level] in {None, row.kind}]

    def vary(self, instance: Question, rng: random.Random) -> Question:
        """Shuffle the choices."""
        order = list(range(len(instance.choices)))
        rng.shuffle(order)
        return instance.model_copy(update={"order": tuple(order)})

    def generate(self, rng: random.Random, level: int) -> Question:
        """Draw a row and the order of its choices.

        Raises:
            BadConfig: the file has no row of that level.
        """
        rows = self.listed(level)
        if not rows:
            raise BadConfig(f"{self.title} has no {self.levels[level]}", hint="use level 1")
        return self.vary(rng.choice(rows), rng)

    def statement_variables(self, instance: Question) -> Mapping[str, Any]:
        """Return `question`, `context`, the lettered `choices` as they are shown, and what is `wanted`."""
        lettered = [[LETTERS[k], text] for k, text in enumerate(instance.shown)]
        wanted = {
            "choices": "the letter of the right choice",
            "number": "the number alone",
            "text": "the answer in as few words as possible",
        }
        return {"question": instance.question, "context": instance.context, "choices": lettered, "wanted": wanted[instance.kind]}

    def verify(self, instance: Question, text: str) -> Verdict:
        """Judge by choice, by value or by exact match. Token F1 is told in the reason and earns nothing."""
        try:
            given = answers.find(text)
        except Unparseable as error:
            return answers.unread(error.message)
        if instance.kind == "choices":
            return _verify_choice(instance, given)
        if instance.kind == "number":
            value = match.number(given)
            if value is None:
                return answers.unread(f"{answers.shown(given)} is no number")
            right = value == match.number(instance.answer)
            return answers.right("the number is right") if right else answers.wrong(f"{answers.shown(given)} is not the number")
        if match.normal(given) == match.normal(instance.answer):
            return answers.right("exact match")
        return answers.wrong(f"no exact match, F1 {match.f1(given, instance.answer):.2f}: {answers.shown(given)}")

    def right_answer(self, instance: Question) -> str:
        """Return the letter of the right choice, or the answer."""
        return f"Answer: {instance.letter if instance.choices else instance.answer}"


def _verify_choice(instance: Question, given: str) -> Verdict:
    letter, said = match.choice(given)
    place = LETTERS.find(letter) if letter else -1
    texts = [match.normal(text) for text in instance.shown]
    by_text = texts.index(match.normal(said)) if match.normal(said) in texts else -1
    if letter and place >= len(texts):
        return answers.wrong(f"there is no choice {letter}")
    if letter and by_text >= 0 and by_text != place:
        return answers.wrong(f"the letter {letter} and the words behind it name two choices")
    if not letter and by_text < 0:
        return answers.unread(f"{answers.shown(given)} is neither a letter nor a choice")
    chosen = LETTERS[place if letter else by_text]
    return answers.right(f"{chosen} is right") if chosen == instance.letter else answers.wrong(f"{chosen} is not right")


def read_rows(path: Path) -> list[Question]:
    """Read a JSONL file of questions; blank lines are skipped.

    Raises:
        MissingAsset: the file cannot be read.
        CorruptRecord: rows of it cannot be used; the first is named and all are counted.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingAsset(f"the questions {path} cannot be read: {error}", hint="write question:FILE.jsonl") from error
    rows: list[Question] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(Question.model_validate(load(line)))
        except ValueError as error:
            bad.append((number, why(error)))
    if bad:
        raise CorruptRecord(path, bad[0][0], f"{bad[0][1]} ({len(bad)} of {len(rows) + len(bad)} rows cannot be used)")
    return rows
