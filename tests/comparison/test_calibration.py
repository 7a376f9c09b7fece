"""Calibration against values worked out by hand, and its edges."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.comparison import calibration
from reasoner.comparison.calibration import calibrate, confidence
from reasoner.errors import BadConfig

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50)


def test_the_example_is_true() -> None:
    found = doctest.testmod(calibration)
    assert (found.attempted > 1, found.failed) == (True, 0)


def test_by_hand() -> None:
    made = calibrate([(1.0, True), (1.0, False), (0.55, True), (0.0, False)], n_bins=10)
    assert made.brier == pytest.approx((0 + 1 + 0.45**2 + 0) / 4)
    assert made.ece == pytest.approx((2 * 0.5 + 1 * 0.45 + 0) / 4)
    assert [(b.n, b.confidence, b.accuracy) for b in made.bins if b.n] == [(1, 0.0, 0.0), (1, 0.55, 1.0), (2, 1.0, 0.5)]
    assert made.as_dict()["bins"][9] == {"low": 0.9, "high": 1.0, "n": 2, "confidence": 1.0, "accuracy": 0.5}


@given(PAIRS, st.integers(1, 20))
def test_every_pair_is_in_one_bin_and_scores_are_bounded(pairs: list[tuple[float, bool]], n_bins: int) -> None:
    made = calibrate(pairs, n_bins=n_bins)
    assert made.n == sum(b.n for b in made.bins) == len(pairs)
    assert made.brier is not None
    assert made.ece is not None
    assert 0 <= made.ece <= 1
    assert 0 <= made.brier <= 1
    assert made.ece**2 <= made.brier + 1e-9  # Jensen: the calibration part of the Brier score is at least the square of the error


def test_perfect_and_empty() -> None:
    perfect = calibrate([(1.0, True), (0.0, False)])
    assert (perfect.brier, perfect.ece) == (0.0, 0.0)
    empty = calibrate([])
    assert (empty.n, empty.brier, empty.ece, len(empty.bins)) == (0, None, None, 10)


@pytest.mark.parametrize("sure", [-0.1, 1.1, math.nan, -3.0])
def test_log_probabilities_are_not_taken_for_confidence(sure: float) -> None:
    with pytest.raises(BadConfig, match="not in"):
        calibrate([(sure, True)])
    with pytest.raises(BadConfig, match="n_bins"):
        calibrate([], n_bins=0)


def test_confidence_of_log_probabilities() -> None:
    assert confidence(None) is None
    assert confidence(math.nan) is None
    assert confidence(0.0) == 1.0
    assert confidence(math.log(0.25)) == pytest.approx(0.25)
    assert confidence(1e-9) == 1.0  # rounding of a provider
    assert confidence(-math.inf) == 0.0
