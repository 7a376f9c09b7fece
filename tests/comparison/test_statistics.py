"""The formulas against brute force: subsets counted, coins tossed, closed testing, coverage summed exactly."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.comparison import holm, mcnemar, paired_difference, pass_at_k, wilson


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_correct_sample(n: int) -> None:
    for correct in range(n + 1):
        samples = [index < correct for index in range(n)]
        for k in range(1, n + 1):
            subsets = list(itertools.combinations(samples, k))
            assert pass_at_k(n, correct, k) * len(subsets) == sum(map(any, subsets))


def test_pass_at_k_is_unbiased() -> None:
    """Over all draws of n samples its mean is the true chance; the tempting 1 - (1 - c/n)^k is not."""
    n, k, p = 5, 3, 0.3
    weight = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    truth = 1 - (1 - p) ** k
    assert sum(w * float(pass_at_k(n, c, k)) for c, w in enumerate(weight)) == pytest.approx(truth, abs=1e-12)
    assert abs(sum(w * (1 - (1 - c / n) ** k) for c, w in enumerate(weight)) - truth) > 0.01


@pytest.mark.parametrize(("n", "k"), [(3, 4), (3, 0), (0, 1)])
def test_pass_at_k_is_not_estimated_from_fewer_samples(n: int, k: int) -> None:
    with pytest.raises(ValueError, match="cannot be estimated"):
        pass_at_k(n, 0, k)


@pytest.mark.parametrize("n", range(11))
def test_mcnemar_against_all_tosses_of_n_coins(n: int) -> None:
    heads = [sum(toss) for toss in itertools.product((0, 1), repeat=n)]
    for gained in range(n + 1):
        far = abs(gained - n / 2)
        extreme = sum(abs(h - n / 2) >= far for h in heads)
        assert mcnemar(gained=gained, lost=n - gained) == pytest.approx(extreme / len(heads), abs=1e-15)


def test_mcnemar_by_hand() -> None:
    assert mcnemar(gained=1, lost=9) == 22 / 1024
    assert mcnemar(gained=0, lost=0) == 1.0
    assert mcnemar(gained=3000, lost=0) == 0.0 or mcnemar(gained=3000, lost=0) < 1e-300  # no overflow on the way


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values: list[float]) -> None:
    """Independent definition: a hypothesis falls when every subset that holds it falls under Bonferroni."""
    found = holm(p_values)
    for i in range(len(p_values)):
        subsets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(range(len(p_values)), size) if i in s]
        assert found[i] == pytest.approx(max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in subsets))


def test_the_interval_of_a_paired_difference_covers_what_it_says() -> None:
    """The chance that the interval holds the true difference, summed over all outcomes of a trinomial."""
    n = 20
    coverages = []
    for more, less in [(0.1, 0.1), (0.3, 0.1), (0.25, 0.25), (0.5, 0.1), (0.05, 0.15), (0.4, 0.4)]:
        covered = 0.0
        for gained in range(n + 1):
            for lost in range(n + 1 - gained):
                low, high = paired_difference(n, gained=gained, lost=lost)
                if low <= more - less <= high:
                    ways = math.comb(n, gained) * math.comb(n - gained, lost)
                    covered += ways * more**gained * less**lost * (1 - more - less) ** (n - gained - lost)
        coverages.append(covered)
    assert min(coverages) > 0.93, coverages
    assert sum(coverages) / len(coverages) == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_a_paired_difference_is_symmetric_and_bounded() -> None:
    low, high = paired_difference(10, gained=10, lost=0)
    assert high == 1.0
    assert paired_difference(10, gained=0, lost=10) == pytest.approx((-1.0, -low))
    assert paired_difference(0, gained=0, lost=0) == (-1.0, 1.0)


def test_wilson_of_a_share_of_samples() -> None:
    assert wilson(2.5, 10) == pytest.approx(tuple((a + b) / 2 for a, b in zip(wilson(2, 10), wilson(3, 10), strict=True)), abs=0.01)
    assert wilson(10.0, 10) == wilson(10, 10)
