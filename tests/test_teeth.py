"""Every guard that `scripts/teeth` takes away is still there to be taken, and what is left without it still compiles."""

from __future__ import annotations

import ast
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from guards import NotThere, removed

ROOT = Path(__file__).parent.parent
GUARDS: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "teeth.toml").read_text(encoding="utf-8"))["guard"]


def test_there_are_enough() -> None:
    assert len(GUARDS) >= 25
    assert len({guard["name"] for guard in GUARDS}) == len(GUARDS)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g["name"])
def test_the_guard_is_there(guard: dict[str, Any]) -> None:
    text = (ROOT / guard["file"]).read_text(encoding="utf-8")
    without = removed(text, guard["change"])
    assert ast.dump(ast.parse(without)) != ast.dump(ast.parse(text))
    assert any((ROOT / word).exists() for word in shlex.split(guard["tests"]) if word.endswith(".py")), guard["tests"]


SOURCE = """
LIMIT = 3

class Door:
    def pass_through(self, who):
        if (
            who is None
            or who.barred
        ):
            raise ValueError(who)
        self.count += 1
        return who

def pass_through(who):
    self.count += 1
"""


def test_a_guard_is_found_by_its_symbol_however_its_lines_are_broken() -> None:
    left = removed(
        SOURCE,
        [["Door.pass_through", "who is None or who.barred", "False"], ["Door.pass_through", "self.count += 1", ""], ["LIMIT", "3", "4"]],
    )
    assert "        if (\n            False\n        ):" in left
    assert "LIMIT = 4" in left
    assert left.count("self.count += 1") == 1, "the other function of that name keeps its own"
    assert "        pass\n        return who" in left
    two = removed(SOURCE, [["Door.pass_through", "return who", "if who:\n    return who\nreturn None"]])
    assert "        if who:\n            return who\n        return None\n" in two


@pytest.mark.parametrize(
    "change",
    [["Door.pass", "return who", ""], ["Door.pass_through", "return nobody", ""], ["Door.pass_through", "who", ""], ["LIMIT", "4", ""]],
)
def test_what_is_not_there_once_is_told(change: list[str]) -> None:
    with pytest.raises(NotThere):
        removed(SOURCE, [change])
