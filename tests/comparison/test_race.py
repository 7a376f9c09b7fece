"""The race: who goes on, who is out and why, and how problems and contenders are shared among the rounds."""

from __future__ import annotations

import pytest

from reasoner.budget import Spent
from reasoner.comparison.race import OVER, Race, rounds_of
from reasoner.runs.problems import problem_from_line
from reasoner.runs.results import Result
from reasoner.store.claims import TrajectoryRow
from reasoner.store.records import Closing
from reasoner.types import Verdict

PROBLEM = problem_from_line("number_path", "2 9 20")


def answers(strategy: str, right: str, *, tokens: int = 100) -> list[Result]:
    """One answer for each sign, `+` where it is right."""
    made = []
    for place, sign in enumerate(right):
        row = TrajectoryRow(f"{strategy}{place}", "run", PROBLEM, strategy, "{}", "m", "f", 0)
        spent = Spent(calls=1, prompt_tokens=tokens - 10, completion_tokens=10, seconds=2.0)
        verdict = Verdict(correct=sign == "+", score=float(sign == "+"), reason="")
        made.append(Result(row, Closing("closed", spent, "h", "a", None, verdict), 1))
    return made


def test_the_better_half_goes_on_and_the_cheaper_of_equals() -> None:
    race = Race(["a", "b", "c", "d"], tokens=1000)
    for strategy, right, tokens in (("a", "+--", 100), ("b", "++-", 300), ("c", "++-", 200), ("d", "---", 10)):
        race.add(answers(strategy, right, tokens=tokens))
    race.close_round(keep=2)
    assert race.going == ["c", "b"]
    assert [(each.strategy, each.out) for each in race.contenders()] == [("c", None), ("b", None), ("a", 1), ("d", 1)]
    race.add([*answers("c", "---", tokens=200), *answers("b", "+--", tokens=300)])
    race.close_round(keep=1)
    assert race.best() == "b"
    first, second, *_ = race.contenders()
    assert (first.row.n, first.row.correct, first.tokens, first.seconds) == (6, 3, 300, 2)
    assert (second.strategy, second.out, second.why) == ("c", 2, "2 right, and 1 had more, or as many with fewer tokens")


def test_who_takes_too_many_tokens_is_out_however_good() -> None:
    race = Race(["cheap", "dear"], tokens=500)
    race.add([*answers("cheap", "+---"), *answers("dear", "++++", tokens=501)])
    race.close_round(keep=1)
    assert race.best() == "cheap"
    assert [(each.strategy, each.why) for each in race.contenders()][1] == ("dear", OVER)
    none = Race(["dear"], tokens=500)
    none.add(answers("dear", "+", tokens=501))
    none.close_round(keep=1)
    assert none.best() is None


@pytest.mark.parametrize(("n_problems", "n_strategies"), [(n, k) for n in (1, 4, 10, 19, 40, 100) for k in (1, 2, 3, 8, 20)])
def test_rounds_take_all_problems_and_end_with_one(n_problems: int, n_strategies: int) -> None:
    rounds = rounds_of(n_problems, n_strategies)
    ends, kept = [end for end, _ in rounds], [keep for _, keep in rounds]
    assert ends[-1] == n_problems
    assert kept[-1] == 1
    assert ends == sorted(set(ends))
    assert kept == sorted(kept, reverse=True)
    assert all(end >= 5 for end in ends[:-1])
