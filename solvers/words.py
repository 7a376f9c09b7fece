"""Words: arithmetic word problems of one to eight steps, with quantities, units, money, times of day and rates.

    "Ada has 12 pencils. Bela gives Ada 30 more. How many pencils does Ada have now?"  ->  "Answer: 42"

The level is the number of steps; from level 3 on a sentence with a number stands in between that has nothing to do with the question, from level 6 on
two. Problems are drawn from the templates of `corpora/words`, or with `words:FILE` from those of a file of the user's own. Problems that are there
already are asked with `question:FILE`.

Knows how a problem is shown and judged; `_word_templates` knows how one is drawn.
"""

from __future__ import annotations

import random
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from reasoner.assets import asset_dir
from reasoner.constraint import Constraint
from reasoner.errors import BadConfig, Unparseable
from reasoner.grading import grader
from reasoner.solver import Solver
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers._clock import clock, minutes
from solvers._record import Record, read
from solvers._word_templates import CLOCK, MONEY, Template, read_templates
from solvers._worked import N_WORKED, stream, worked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ASIDES_FROM, MORE_FROM = 3, 6
MAX_PLACES = 4


class WordProblem(Record):
    """A problem with its answer. `steps` are the equations that lead to it, `template` is what it was drawn from; both may be empty."""

    question: str = Field(min_length=1, max_length=20_000)
    answer: str = Field(min_length=1, max_length=100)
    unit: str = Field(default="", max_length=40)
    steps: tuple[str, ...] = Field(default=(), max_length=50)
    template: str = Field(default="", max_length=60)


class WordsSolver(Solver[WordProblem]):
    """Arithmetic word problems."""

    name = "words"
    summary = "arithmetic word problems of one to eight steps, with units, money, times and rates"
    syntax = """{"question": "Ada has 3 boxes of 12 eggs. How many eggs does Ada have?", "answer": "36", "unit": "eggs"}"""
    Instance = WordProblem
    levels: ClassVar[Mapping[int, str]] = {
        n: f"{n} step{'s' if n > 1 else ''}"
        + (", two numbers that do not matter" if n >= MORE_FROM else ", a number that does not matter" if n >= ASIDES_FROM else "")
        for n in range(1, 9)
    }
    default_level = 2

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._path = Path(source).absolute() if source else asset_dir("corpora") / "words" / "templates.toml"

    @classmethod
    def open(cls, source: str) -> Self:
        """Draw from the templates of a TOML file; it is read when the first problem is drawn."""
        return cls(source)

    def parse(self, line: str) -> WordProblem:
        """Read the JSON object."""
        return read(self, WordProblem, line)

    def format(self, instance: WordProblem) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: WordProblem) -> str:
        """Return the question."""
        return instance.question

    def templates(self, level: int) -> list[Template]:
        """Return the templates with as many steps as the level says."""
        return [template for template in read_templates(self._path) if len(template.steps) == level]

    def generate(self, rng: random.Random, level: int) -> WordProblem:
        """Draw a template and its quantities.

        Raises:
            BadConfig: the file of templates has none with that many steps.
        """
        templates = self.templates(level)
        if not templates:
            raise BadConfig(f"{self.title} has no template of {level} steps", hint="use another level")
        n_asides = 2 if level >= MORE_FROM else 1 if level >= ASIDES_FROM else 0
        return WordProblem.model_validate(rng.choice(templates).problem(rng, n_asides))

    def files(self) -> Mapping[str, str]:
        """Return the file of the user's templates."""
        return {str(self._path): sha256(self._path.read_bytes()).hexdigest()} if self.source and self._path.is_file() else {}

    def statement_variables(self, instance: WordProblem) -> Mapping[str, Any]:
        """Return the `question` and the `unit` the answer is wanted in; `clock` where it is a time of day."""
        unit = "dollars" if instance.unit == MONEY else instance.unit
        return {"question": instance.question, "unit": unit, "clock": instance.unit == CLOCK}

    def answer_constraint(self, instance: WordProblem) -> Constraint | None:
        """Return the pattern of a time of day, or of a number with as many decimals as the template allows; None where the answer is neither.

        A full stop may follow: a model that may not write one behind a number writes decimals in its place.
        """
        if instance.unit == CLOCK:
            return Constraint.regex("Answer: [0-2][0-9]:[0-5][0-9]", after_thought=True)
        forms = (rf"[0-9]{{1,9}}(?:\.[0-9]{{1,{places}}})?" if places else "[0-9]{1,9}" for places in (self._places(instance), MAX_PLACES))
        form = next((form for form in forms if re.fullmatch(form, instance.answer)), None)
        return None if form is None else Constraint.regex(rf"Answer: {form}\.?", after_thought=True)

    def _places(self, instance: WordProblem) -> int:
        """Return how many decimals the answers of a problem's template may have; the most there can be where it is not a template of ours."""
        templates = read_templates(self._path) if instance.template else ()
        return next((template.places for template in templates if template.name == instance.template), MAX_PLACES)

    def verify(self, instance: WordProblem, text: str) -> Verdict:
        """Compare the value exactly, and the unit where one is written; times of day by the minute."""
        try:
            given = answers.find(text)
        except Unparseable as error:
            return answers.unread(error.message)
        if instance.unit == CLOCK:
            time = minutes(given)
            if time is None:
                return answers.unread(f"{answers.shown(given)} is no time of day")
            right = time == minutes(instance.answer)
            return answers.right("the time is right") if right else answers.wrong(f"{answers.shown(given)} is not the time")
        return grader("number").judge(given, [_gold(instance)])

    def canonical_answer(self, instance: WordProblem, text: str) -> str | None:
        """Return value and unit, or the minutes of a time of day."""
        try:
            given = answers.find(text)
        except Unparseable:
            return None
        if instance.unit == CLOCK and (time := minutes(given)) is not None:
            return clock(time)
        return grader("number").canonical(given, [_gold(instance)]) or None

    def right_answer(self, instance: WordProblem) -> str:
        """Return the answer line."""
        return f"Answer: {instance.answer}"

    def explain(self, instance: WordProblem) -> Sequence[str]:
        """Return the equations that lead to the answer."""
        return instance.steps

    def worked(self, kind: str) -> Sequence[tuple[WordProblem, str]]:
        """Return worked examples of one to four steps, drawn apart from all problems; none for layouts of searches."""
        rng = stream("words")
        with_steps = [level for level in (1, 2, 3, 4) if self.templates(level)]
        return worked(self, kind, [self.generate(rng, with_steps[n % len(with_steps)]) for n in range(N_WORKED)] if with_steps else [])


def _gold(instance: WordProblem) -> str:
    return f"${instance.answer}" if instance.unit == MONEY else f"{instance.answer} {instance.unit}".strip()
