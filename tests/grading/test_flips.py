"""No answer with one character that matters changed is accepted, by any grader; equal values written differently are.

`REASONER_FLIPS` and `REASONER_PAIRS` say how many are drawn (all kinds in turn); the figures of docs/reference/grading.md are 20000 and 5000.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from golds import FLIPS, PAIRS, flips, pairs

from reasoner.grading import grader, suited

N_FLIPS = int(os.environ.get("REASONER_FLIPS", "1300"))
N_PAIRS = int(os.environ.get("REASONER_PAIRS", "400"))
SEED = 20261129

pytest.importorskip("math_verify", reason="the extra tasks is not installed")


def test_no_flip_is_accepted_by_any_grader() -> None:
    accepted = [
        (name, case)
        for case in flips(SEED, N_FLIPS)
        for name in sorted({suited([case.gold]), "exact", "squad", "number", "math", "any"})
        if grader(name).judge(case.given, [case.gold]).correct
    ]
    assert not accepted, accepted[:10]
    assert Counter(case.kind for case in flips(SEED, N_FLIPS)).keys() == FLIPS.keys()


def test_equal_values_written_differently_are_accepted() -> None:
    """At least 98 of 100 by `number` or `math`; those that are not are listed."""
    drawn = list(pairs(SEED, N_PAIRS))
    refused = [case for case in drawn if not any(grader(name).judge(case.given, [case.gold]).correct for name in ("number", "math"))]
    assert len(refused) <= 0.02 * len(drawn), refused
    assert {case.kind for case in drawn} == PAIRS.keys()


def test_every_gold_is_accepted_as_it_is_written() -> None:
    for case in flips(SEED + 1, 400):
        verdict = grader(suited([case.gold])).judge(case.gold, [case.gold])
        assert verdict.correct, (case, verdict)
