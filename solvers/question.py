"""Question: a file of the user's own, read as it is published, judged by the grader that suits its golds or the one that is named.

    question:gsm8k-test.jsonl        question:dev.csv?map=question=problem,answer=solution&grader=math

JSON Lines, JSON, CSV, TSV, XML and Parquet are read, also packed; the layouts of published sets are known by their columns. Without a file,
the questions of `corpora/questions/sample.jsonl` are asked. Choices are never shown in the file's order: a permutation is drawn for every
seed and kept in the instance as `order`. Columns that are not used stay with the problem as `meta`.

Knows how a question is shown, found and judged. Does not know files (`_question_rows`), layouts (`_question_layouts`), options
(`_question_source`), nor how an answer is found and compared (`reasoner.grading`).
"""

from __future__ import annotations

import random
from array import array
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from reasoner.assets import asset_dir
from reasoner.constraint import Constraint
from reasoner.errors import BadConfig, CorruptRecord, MissingAsset
from reasoner.files import Chosen, complaint, read_lines
from reasoner.files.faults import Fault
from reasoner.grading import grader, read
from reasoner.grading.dress import without_thoughts
from reasoner.grading.graders import unjudged, unread
from reasoner.grading.graders.math_ import Math
from reasoner.grading.judges import JudgeCase
from reasoner.grading.trust import trusted
from reasoner.solver import Solver
from reasoner.text import excerpt
from solvers import _record
from solvers._question import LETTERS, NO_ANSWER, Kind, Question
from solvers._question_recipes import RECIPES
from solvers._question_rows import Reading, read_questions
from solvers._question_source import Source

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from reasoner.types import Verdict

SAMPLE = "sample.jsonl"
HAZARDS = "hazards.jsonl"
MAX_SAID_CHARS = 20_000
"""More of an answer is not shown in the next turn: its beginning and its end are."""
_KINDS: dict[int, Kind | None] = {1: None, 2: "choices", 3: "number", 4: "text"}


class QuestionSolver(Solver[Question]):
    """Questions with known answers; there is nothing to search."""

    name = "question"
    summary = "questions from a file of your own or a published set (question:FILE), judged by the grader that suits"
    syntax = '{"question": "...", "answer": "...", "choices": [...], "context": "...", "pair": "...", "direction": "forward"}, the last four optional'
    Instance = Question
    levels: ClassVar[Mapping[int, str]] = {
        1: "all rows",
        2: "rows with choices",
        3: "rows without choices whose answer is a number",
        4: "the other rows",
    }
    default_level = 1

    def __init__(self, source: str = "", options: Source | None = None) -> None:
        self.source = source
        self._options = options or Source(None)
        self._reading: Reading | None = None
        self._solutions: tuple[tuple[Question, str], ...] | None = None

    @classmethod
    def open(cls, source: str) -> Self:
        """Ask the questions of a file. It is read when the first of them is asked for.

        Raises:
            BadConfig: the path is empty, or an option behind its question mark cannot be used.
        """
        return cls(source, Source.read(source))

    def reading(self) -> Reading:
        """Read the file once.

        Raises:
            MissingAsset, BadConfig, CorruptRecord: see `solvers._question_rows.read_questions`.
            MissingDependency: a gold needs math-verify, and it is not installed.
        """
        if self._reading is None:
            questions = asset_dir("corpora") / "questions"
            sample = HAZARDS if self._options.recipe is not None else SAMPLE
            made = read_questions(self._options, self._options.path or questions / sample)
            if "math" in made.graders:
                Math.ready()
            self._reading = made
        return self._reading

    @classmethod
    def recipes(cls) -> list[dict[str, Any]]:
        """Return how published sets are read and judged, a row each, for listings."""
        return [
            {
                "name": each.name, "set": each.summary, "file": each.form, "grader": "a judge" if each.judged else each.grader or "as suits",
                "reader": each.reader or "as the grader's", "shots": each.shots, "by": each.by,
            }
            for each in RECIPES.values()
        ]  # fmt: skip

    @property
    def report_by(self) -> str:
        """The columns a recipe is reported by, with commas between them."""
        return self._options.recipe.by if self._options.recipe is not None else ""

    def files(self) -> Mapping[str, str]:
        """Return the file worked examples are taken from, and the file of a grader of the user's own."""
        shots, spec = self._options.shots_from, self._options.grader
        found = [shots] if shots is not None else []
        if spec.startswith("python:"):
            found.append(Path(spec.removeprefix("python:").rpartition(":")[0]))
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()}

    def remarks(self) -> Sequence[str]:
        """Say which rows of the file are left out."""
        return [remark] if (remark := self.reading().remark()) else []

    def parse(self, line: str) -> Question:
        """Read one row; without an `order` the choices are shuffled by a hash of the row."""
        return _record.read(self, Question, line)

    def format(self, instance: Question) -> str:
        """Write the row, its `order` included."""
        return instance.line()

    def canonical(self, instance: Question) -> Hashable:
        """Return the question without its order: a permutation makes no other problem."""
        return (instance.question, instance.context, instance.answer, frozenset(instance.choices))

    def listed(self, level: int) -> Sequence[Question]:
        """Return the rows of the file that a level asks for. See `reading` for what is raised."""
        rows, kind = self.reading().rows, _KINDS[level]
        places = range(len(rows)) if kind is None else array("Q", (k for k, row in enumerate(rows) if row.question.kind == kind))
        return Chosen(rows, places, lambda row: row.question)

    def worked(self, kind: str) -> Sequence[tuple[Question, str]] | None:  # noqa: ARG002 - a file has one kind
        """Return the questions of `shots_from` with their worked solutions; where a row has none, its right answer."""
        if self._options.shots_from is None:
            return None
        if self._solutions is None:
            rows = read_questions(replace(self._options, strict=False), self._options.shots_from).rows
            self._solutions = tuple((row.question, row.solution or self.right_answer(row.question)) for row in rows)
        return self._solutions

    def leaves_open(self, instance: Question) -> bool:
        """Tell whether there are choices to shuffle."""
        return bool(instance.choices)

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
        """Return `question`, `context`, the lettered `choices` as they are shown, what is `wanted` (nothing for a whole text), what was `said` before, and how to say `no_answer`."""
        lettered = [[LETTERS[k], text] for k, text in enumerate(instance.shown)]
        wanted = {
            "choices": "the letter of the right choice",
            "number": "the number alone",
            "text": "the answer in as few words as possible",
        }
        whole = reader_of(instance) == "whole"
        return {
            "question": instance.question, "context": instance.context, "choices": lettered, "wanted": "" if whole else wanted[instance.kind],
            "said": instance.said, "no_answer": NO_ANSWER if instance.may_be_unanswerable else "",
        }  # fmt: skip

    def verify(self, instance: Question, text: str) -> Verdict:
        """Find the answer with the question's reader, and let its grader judge. Exact match and F1 are measured beside the verdict."""
        spec = instance.grading
        if spec.startswith("judge:"):
            return replace(
                unjudged("a judge has not said anything yet" if spec != "judge:" else "no judge is named: give --grader judge:MODEL"),
                grader=spec,
            )
        if not trusted(spec):
            return replace(unjudged(f"{spec[:80]} runs code and was not named by you: give --grader"), grader=spec)
        found = read(reader_of(instance), text)
        if found is None:
            return replace(
                unread("no line 'Answer: ...' was found" if not instance.reader else f"{instance.reader} found no answer"), grader=spec
            )
        return replace(grader(spec).judge(found.text, instance.golds, choices=instance.shown), grader=spec, reader=found.by)

    def takes_time(self, instance: Question) -> bool:
        """Tell whether the judging process is asked, by the grader or by the reader."""
        if instance.grading.startswith("judge:") or not trusted(instance.grading):
            return False
        return grader(instance.grading).slow or reader_of(instance).startswith("regex:")

    def judge_case(self, instance: Question) -> JudgeCase | None:
        """Return reference, rubric and the answer to compare with; None where no judge is asked."""
        if not instance.grading.startswith("judge:"):
            return None
        reference = f"{instance.letter}. {instance.answer}" if instance.choices else "" if instance.answer == "-" else instance.answer
        return JudgeCase(reference, instance.rubric, instance.baseline)

    def follow_up(self, instance: Question, text: str) -> Question | None:
        """Return the next turn, with what was asked and answered before it; None after the last."""
        if not instance.turns:
            return None
        said = excerpt(without_thoughts(text).strip(), MAX_SAID_CHARS)
        return instance.model_copy(
            update={
                "question": instance.turns[0], "turns": instance.turns[1:], "said": (*instance.said, (instance.question, said)),
                "answer": instance.references[0] if instance.references else "-", "references": instance.references[1:],
            }
        )  # fmt: skip

    def canonical_answer(self, instance: Question, text: str) -> str | None:
        """Return one text for all spellings of the answer: its letter, its value, its notation, its words."""
        found = read(reader_of(instance), text)
        if found is None:
            return None
        return grader(_comparing(instance)).canonical(found.text, instance.golds, choices=instance.shown) or None

    def same_answer(self, instance: Question, one: str, other: str) -> bool:
        """Tell whether two texts answer alike where their canonical forms differ: mathematical equality."""
        judge = grader(_comparing(instance))
        a, b = read(reader_of(instance), one), read(reader_of(instance), other)
        return a is not None and b is not None and judge.same(a.text, b.text, instance.golds, choices=instance.shown)

    def answer_constraint(self, instance: Question) -> Constraint | None:
        """Return the pattern of the letters that are shown; None for questions without choices, and where a reader is named."""
        if not instance.choices or instance.reader:
            return None
        return Constraint.regex(f"Answer: [A-{LETTERS[len(instance.choices) - 1]}]", after_thought=True)

    def right_answer(self, instance: Question) -> str:
        """Return the letter of the right choice, or the answer."""
        return f"Answer: {instance.letter if instance.choices else instance.answer}"


def reader_of(instance: Question) -> str:
    """Return the reader that finds the answer to a question: the one that is named, else the one that suits its grader."""
    if instance.reader:
        return instance.reader
    if instance.grading.startswith("judge:"):
        return "whole"
    return grader(instance.grading).reader if trusted(instance.grading) else "auto"


def _comparing(instance: Question) -> str:
    """Return the grader that tells which answers are alike: where a judge or foreign code judges, the one that suits the golds."""
    spec = instance.grading
    return "exact" if spec.startswith("judge:") or not trusted(spec) else spec


def read_rows(path: Path) -> list[Question]:
    """Read a JSON Lines file whose rows are questions just as this family writes them.

    Raises:
        MissingAsset: the file cannot be read.
        CorruptRecord: rows of it cannot be used; the first is named and all are counted.
    """
    lines, damaged = read_lines(path, hint="write question:FILE")
    rows: list[Question] = []
    faults = list(damaged)
    for line in lines:
        try:
            rows.append(Question.model_validate(_record.load(line.text)))
        except ValueError as error:
            faults.append(Fault(line.number, 0, _record.why(error)))
    if faults:
        raise complaint(path, faults, len(rows) + len(faults))
    return rows


__all__ = ["CorruptRecord", "MissingAsset", "Question", "QuestionSolver", "read_rows"]
