r"""Which grader suits golds where none is named.

    suited(["18 dollars"])  ->  "number";   suited([r"\frac{14}{3}"])  ->  "math";   suited(["C++"])  ->  "squad"

Choices are judged by `choice`, numbers by `number`, formulas by `math`, all else by `squad`, which is `exact` for what is not plain words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.grading.notation import is_mathematics, notation
from reasoner.grading.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = re.compile(r"\\(?!text|mbox|\$|%|&)[A-Za-z]+|\$.+\$")
_RELATION = re.compile(r"[<>≤≥^∪∩∞√π]|[A-Za-z0-9)]\s?=\s?[-A-Za-z0-9(\\]")
_LIST = re.compile(r"\s*[(\[{\\].*\d.*,.*[)\]}]\s*|[^,]*\d[^,]*(?:,\s?[^,]*\d[^,]*)+")
_DIGITS = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")  # most numbers are written so, and files have many rows


def suited(golds: Sequence[str], *, choices: bool = False) -> str:
    """Return the name of the grader that suits golds."""
    if choices:
        return "choice"
    if golds and all(_DIGITS.fullmatch(gold) or quantity(gold) is not None for gold in golds):
        return "number"
    if any(_formula(gold) for gold in golds):
        return "math"
    return "squad"


def _formula(gold: str) -> bool:
    plain = notation(gold)
    if not is_mathematics(plain):
        return False
    algebra = (
        any(c.isdigit() for c in plain)
        and any(c.isalpha() for c in plain)
        and any(c in "+-*/^(" for c in plain)
        and " " not in gold.strip()
    )
    return bool(_COMMAND.search(gold) or _RELATION.search(plain) or _LIST.fullmatch(plain)) or algebra
