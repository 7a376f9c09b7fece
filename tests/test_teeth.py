"""Every guard that `scripts/teeth` takes away is still there to be taken, and what is left without it still compiles."""

from __future__ import annotations

import ast
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GUARDS: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "teeth.toml").read_text(encoding="utf-8"))["guard"]


def test_there_are_enough() -> None:
    assert len(GUARDS) >= 25
    assert len({guard["name"] for guard in GUARDS}) == len(GUARDS)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g["name"])
def test_the_guard_is_there(guard: dict[str, Any]) -> None:
    text = (ROOT / guard["file"]).read_text(encoding="utf-8")
    for old, new in guard["change"]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    ast.parse(text)
    assert any((ROOT / word).exists() for word in shlex.split(guard["tests"]) if word.endswith(".py")), guard["tests"]
