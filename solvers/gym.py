"""reasoning-gym's data sets as solvers: `gym:leg_counting`. Optional extra `gym`; imported only when an instance is drawn.

    gym:chain_sum  ->  "State the final answer to the following arithmetic problem: 4 + 3 ="  ->  "Answer: 7"

Its scorers are never called: some hand the answer to an evaluator, and most give credit for parts. What is judged here, and how, stands in
`solvers/_gym_sets.py`: data sets whose answer is the only right one are compared with it, `puzzle24` and `countdown` go to our own
expression verifier, and the rest is refused with the reason.

Source: https://github.com/open-thought/reasoning-gym (Apache-2.0).
"""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from reasoner.errors import BadConfig, MissingDependency, Unparseable
from reasoner.grading.expression import evaluate
from reasoner.solver import Solver
from reasoner.text import MAX_ANSWER_CHARS, clean, tail
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers import _gym_sets as sets
from solvers._record import Record, read

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

DEFAULT = "leg_counting"
_MARKER = re.compile(r"(?:^|\n)[\s>*_#`-]{0,20}(?:final\s)?answer[*_`\s]{0,9}:[*_`]{0,3}", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9]{1,60}(?:\.[0-9]{1,60})?")


class GymTask(Record):
    """One task: the data set, its question and its answer; `numbers` and `target` where our own verifier judges."""

    dataset: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    question: str = Field(min_length=1, max_length=100_000)
    answer: str = Field(min_length=1, max_length=20_000)
    numbers: tuple[int, ...] = ()
    target: int | None = None

    @model_validator(mode="after")
    def _can_be_judged(self) -> GymTask:
        sets.judge(self.dataset)
        if (self.dataset in sets.OURS) != (bool(self.numbers) and self.target is not None):
            raise ValueError(f"numbers and target belong to {' and '.join(sorted(sets.OURS))}")
        if not _normal(self.answer):
            raise ValueError("the answer is empty")
        return self


class GymSolver(Solver[GymTask]):
    """One data set of reasoning-gym."""

    name = "gym"
    summary = f"a reasoning-gym data set, gym:NAME (extra gym); without a name {DEFAULT}"
    syntax = '{"dataset": "leg_counting", "question": "...", "answer": "..."}'
    Instance = GymTask
    levels: ClassVar[Mapping[int, str]] = {1: "as the data set draws by default"}
    default_level = 1

    def __init__(self, source: str = "") -> None:
        self.source = source
        self._dataset = source or DEFAULT

    @classmethod
    def open(cls, source: str) -> Self:
        """Open a data set by its name; the package is not imported yet.

        Raises:
            BadConfig: it is none that can be judged soundly.
        """
        try:
            sets.judge(source)
        except ValueError as error:
            raise BadConfig(f"gym:{clean(source)[:80]}: {error}", hint=f"known: {', '.join(sets.KNOWN)}") from error
        return cls(source)

    def parse(self, line: str) -> GymTask:
        """Read the JSON object."""
        return read(self, GymTask, line)

    def format(self, instance: GymTask) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: GymTask) -> Hashable:
        """Return data set and question."""
        return (instance.dataset, instance.question)

    def generate(self, rng: random.Random, level: int) -> GymTask:  # noqa: ARG002 - there is one level
        """Draw one task; the data set is seeded from `rng`, and only its first task is used, so that seeds share nothing.

        Raises:
            MissingDependency: reasoning-gym is not installed.
        """
        entry = _entry(self._dataset, rng.getrandbits(31))
        fields: dict[str, Any] = {"dataset": self._dataset, "question": entry["question"], "answer": str(entry["answer"])}
        if self._dataset in sets.OURS:
            metadata = entry["metadata"]
            fields |= {"numbers": tuple(metadata["numbers"]), "target": metadata.get("target", 24)}
        return GymTask.model_validate(fields)

    def statement_variables(self, instance: GymTask) -> Mapping[str, Any]:
        """Return the `question`, and whether the answer takes several `lines`."""
        return {"question": instance.question, "lines": "\n" in instance.answer}

    def verify(self, instance: GymTask, text: str) -> Verdict:
        """Compare with the answer, or check the expression; never with the package's own scorer."""
        try:
            if instance.target is not None:
                return _verify_expression(instance, answers.find(text))
            given = _after_marker(text) if "\n" in instance.answer.strip() else answers.find(text)
        except Unparseable as error:
            return answers.unread(error.message)
        if _normal(given) == _normal(instance.answer) or answers.plain(_normal(given)) == answers.plain(_normal(instance.answer)):
            return answers.right("the answer is right")
        value = _number(given)
        if value is not None and value == _number(instance.answer):
            return answers.right("the number is right")
        return answers.wrong(f"{answers.shown(given)} is not the answer")

    def canonical_answer(self, instance: GymTask, text: str) -> str | None:
        """Return the answer as it is compared: its value where it is a number, else its lines in lower case with blanks as one."""
        try:
            given = _after_marker(text) if "\n" in instance.answer.strip() else answers.find(text)
        except Unparseable:
            return None
        value = _number(given)
        return str(value) if value is not None else answers.plain(_normal(given)) or None

    def right_answer(self, instance: GymTask) -> str:
        """Return the data set's own answer."""
        return f"Answer: {instance.answer}" if "\n" not in instance.answer.strip() else f"Answer:\n{instance.answer}"


def _entry(dataset: str, seed: int) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of its modules import what warns; nothing of it concerns the task
            import reasoning_gym  # noqa: PLC0415 - an optional extra

            made = reasoning_gym.create_dataset(dataset, size=1, seed=seed)
            entry: dict[str, Any] = made[0]
    except ImportError as error:
        raise MissingDependency("reasoning-gym", extra="gym") from error
    except ValueError as error:
        raise BadConfig(f"gym:{dataset}: {error}", hint="another version of reasoning-gym may be installed; 0.1.25 is known") from error
    return entry


def _verify_expression(instance: GymTask, given: str) -> Verdict:
    """Check an arithmetic expression exactly: every number once, and the value."""
    left, _, rest = given.partition("=")
    value = evaluate(left)
    if Counter(value.literals) != Counter(map(Fraction, instance.numbers)):
        used = " ".join(map(str, value.literals))
        return answers.wrong(f"the expression uses {used}, not {' '.join(map(str, instance.numbers))}")
    if value.value != instance.target:
        return answers.wrong(f"the expression is worth {value.value}, not {instance.target}")
    if rest and evaluate(rest).value != instance.target:
        return answers.wrong(f"{answers.shown(rest)} is not {instance.target}")
    return answers.right(f"the expression is worth {instance.target}")


def _after_marker(text: str) -> str:
    """Return all lines after the last `Answer:`."""
    text = tail(text, MAX_ANSWER_CHARS)
    marks = list(_MARKER.finditer(text))
    if not marks:
        raise Unparseable("no line 'Answer: ...' was found")
    found = text[marks[-1].end() :].strip().strip("`").strip()
    if not found:
        raise Unparseable("the answer is empty")
    return found


def _normal(text: str) -> str:
    """Return the lines without what stands around them, blanks as one, in lower case."""
    return "\n".join(line for line in (" ".join(line.split()).casefold() for line in text.splitlines()) if line)


def _number(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None
