"""Review: is there a fault in a small function, on which line, and how should the line read?

    3    if number <= high:              "Answer: line 3: if number < low:", or "Answer: none" where nothing is wrong

The functions and their mutations are those of the family `code`; a third of those shown are as they should be. A mended line is put in the place of the
one that is named, and the function has to pass the forty hidden tests then: where another line mends it as well, that is right too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.solver import Solver
from reasoner.text import answer_line, clean, shorten
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers._record import Record, read
from solvers._worked import N_WORKED, stream, worked
from solvers.code import CodeSolver, CodeTask, functions, mutations

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

    from reasoner.drawing import Table

SHORT_LINES = 8
N_SHOWN = 3
WITHOUT_CALLS = 3
RIGHT_SHARE = 1 / 3
MAX_LINE_CHARS = 300
_NAMED = re.compile(r"line\s{1,3}([0-9]{1,3})\s{0,3}[:.]\s{0,80}(\S.*)", re.IGNORECASE)
_NONE = re.compile(r"(?:none|no fault|there is no fault)\.?", re.IGNORECASE)
CODE = CodeSolver()


class ReviewTask(Record):
    """A function as it stands (`source`); its tests follow from `made_from`."""

    function: str = Field(max_length=60)
    made_from: str = Field(pattern=r"^[0-9a-f]{1,16}$")
    source: str = Field(min_length=1, max_length=4000)
    calls: bool = True
    """Whether the statement shows what some calls should give."""

    @model_validator(mode="after")
    def _is_known(self) -> ReviewTask:
        if self.function not in functions():
            raise ValueError(f"there is no function {self.function[:40]!r}; there are {', '.join(functions())}")
        original = functions()[self.function].text
        if self.source != original and self.source not in mutations(functions()[self.function].source):
            raise ValueError("the source is neither the function nor a mutation of it")
        return self

    @property
    def line_number(self) -> int:
        """The line that is not as it should be, counted from 1; 0 where all are."""
        original = functions()[self.function].text.splitlines()
        return next((n for n, pair in enumerate(zip(self.source.splitlines(), original, strict=True), start=1) if pair[0] != pair[1]), 0)


class ReviewSolver(Solver[ReviewTask]):
    """Small functions to review."""

    name = "review"
    summary = "find and mend the fault in a small Python function, or say that there is none"
    syntax = (
        '{"function": "clamp", "made_from": "5f3a90c1", "source": "def clamp(number, low, high): ..."}, the function or a mutation of it'
    )
    Instance = ReviewTask
    levels: ClassVar[Mapping[int, str]] = {
        1: "a short function, with calls and what they should give",
        2: "any function, with calls and what they should give",
        3: "any function, with what it should do alone",
    }
    default_level = 1
    slow = True
    block = True

    def parse(self, line: str) -> ReviewTask:
        """Read the JSON object."""
        return read(self, ReviewTask, line)

    def format(self, instance: ReviewTask) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: ReviewTask) -> Hashable:
        """Return the function as it stands; what of it is told makes no other problem."""
        return (instance.function, instance.source, instance.made_from if instance.calls else "")

    def family(self, instance: ReviewTask) -> Hashable:
        """Return the function: its mended form must not be on both sides of a split."""
        return instance.function

    def generate(self, rng: random.Random, level: int) -> ReviewTask:
        """Draw a function as it should be, or a mutation of it that the tests tell apart."""
        known = [each for each in functions().values() if level > 1 or each.text.count("\n") < SHORT_LINES]
        while True:
            function, made_from = rng.choice(known), f"{rng.getrandbits(32):08x}"
            source = function.text if rng.random() < RIGHT_SHARE else rng.choice(mutations(function.source))
            made = ReviewTask(function=function.name, made_from=made_from, source=source, calls=level < WITHOUT_CALLS)
            if made.line_number == 0 or not _passes(made, source):
                return made

    def statement_variables(self, instance: ReviewTask) -> Mapping[str, Any]:
        """Return what the function `does`, its numbered `lines`, and the `calls` that are shown."""
        lines = [f"{n:>2}  {line}" for n, line in enumerate(instance.source.splitlines(), start=1)]
        tests = CODE.hidden(_task(instance))[:N_SHOWN] if instance.calls else []
        calls = [f"{test.call} should {'give' if test.wanted[0] == 'gives' else 'raise'} {test.wanted[1]}" for test in tests]
        return {"does": functions()[instance.function].does, "lines": lines, "calls": calls}

    def answer_constraint(self, instance: ReviewTask) -> Constraint:  # noqa: ARG002 - the same for all
        """Return the pattern of a line that is named and mended, or of none."""
        return Constraint.regex(r"Answer: (?:none|line [1-9][0-9]?: [^\s][^\n]{0,200})", after_thought=True)

    def verify(self, instance: ReviewTask, text: str) -> Verdict:
        """Put the mended line in its place and run the hidden tests; where nothing is wrong, only `none` is right."""
        found = find_review(text)
        if found is None:
            return answers.unread("no line 'Answer: line N: ...' and no 'Answer: none' was found")
        number, line = found
        lines = instance.source.splitlines()
        if number == 0:
            faulty = instance.line_number
            return answers.wrong(f"there is a fault on line {faulty}") if faulty else answers.right("there is no fault")
        if instance.line_number == 0:
            return answers.wrong(f"there is no fault, and line {number} is named")
        if number > len(lines):
            return answers.wrong(f"there is no line {number}; the function has {len(lines)}")
        if _passes(instance, _mended(instance, number, line)):
            return answers.right(f"the function passes all tests with line {number} as mended")
        return answers.wrong(f"with line {number} as {shorten(clean(line), 80)!r} the function does not pass the tests")

    def canonical_answer(self, instance: ReviewTask, text: str) -> str | None:  # noqa: ARG002 - spelling alone
        """Return the line's number and its text without blanks, or `none`."""
        found = find_review(text)
        return None if found is None else "none" if not found[0] else f"{found[0]}: {''.join(found[1].split())}"

    def drawing(self, instance: ReviewTask, text: str) -> Table | None:
        """Draw the hidden tests with what the function makes of them once the answer is followed."""
        found = find_review(text)
        if found is None or found[0] > len(instance.source.splitlines()):
            return None
        return CODE.drawn(_task(instance), _mended(instance, *found) if found[0] else instance.source)

    def right_answer(self, instance: ReviewTask) -> str:
        """Return the original line."""
        number = instance.line_number
        if number == 0:
            return "Answer: none"
        return f"Answer: line {number}: {functions()[instance.function].text.splitlines()[number - 1].strip()}"

    def explain(self, instance: ReviewTask) -> Sequence[str]:
        """Return which line is at fault, and how it should read."""
        number = instance.line_number
        if not number:
            return ["every line does what the function should do"]
        stands, wanted = (source.splitlines()[number - 1].strip() for source in (instance.source, functions()[instance.function].text))
        return [f"line {number}, `{stands}`, is not as it should be", f"it should read `{wanted}`"]

    def dead_ends(self, instance: ReviewTask) -> Sequence[str]:
        """Return another line, which is as it should be, beside the one that is at fault."""
        number, lines = instance.line_number, instance.source.splitlines()
        other = next((n for n in range(2, len(lines) + 1) if n != number), 0)
        return [f"line {other}, `{lines[other - 1].strip()}`, is as it should be"] if number and other else []

    def worked(self, kind: str) -> Sequence[tuple[ReviewTask, str]]:
        """Return worked examples of levels 1 and 2, drawn apart from all problems."""
        return worked(self, kind, _drawn_to_review())


@lru_cache(maxsize=1)
def _drawn_to_review() -> list[ReviewTask]:
    rng, solver = stream("review"), ReviewSolver()
    return [solver.generate(rng, 1 + n % 2) for n in range(N_WORKED)]


def _mended(instance: ReviewTask, number: int, line: str) -> str:
    """Return the source with a line in the place of the one that is named, as far in as that one."""
    lines = instance.source.splitlines()
    indent = lines[number - 1][: len(lines[number - 1]) - len(lines[number - 1].lstrip())]
    return "\n".join([*lines[: number - 1], indent + line, *lines[number:]])


def find_review(text: str) -> tuple[int, str] | None:
    """Return (the line that is named, how it should read); 0 where none is said to be wrong, None where nothing can be read.

    >>> find_review("Answer: line 3: `if a < b:`"), find_review("**Answer:** none."), find_review("Answer: line three")
    ((3, 'if a < b:'), (0, ''), None)
    """
    answer = answer_line(text)
    if answer is None or len(answer) > MAX_LINE_CHARS:
        return None
    answer = answer.strip("`* ")
    if _NONE.fullmatch(answer):
        return 0, ""
    named = _NAMED.fullmatch(answer)
    line = named[2].strip("` ") if named is not None else ""
    return (int(named[1]), line) if named is not None and int(named[1]) and line else None


def _task(instance: ReviewTask) -> CodeTask:
    return CodeTask(function=instance.function, made_from=instance.made_from)


def _passes(instance: ReviewTask, source: str) -> bool:
    return CODE.verify(_task(instance), f"```python\n{source}\n```").correct is True
