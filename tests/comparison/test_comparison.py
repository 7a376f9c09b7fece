"""What is said about trials: single answers, not any-of-k; upper bounds apart; equal tokens; the claim."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reasoner.budget import Spent
from reasoner.comparison.comparison import Comparison, choose_baseline, compare_trials
from reasoner.comparison.standings import Standing
from reasoner.comparison.tables import short_models, tables
from reasoner.comparison.trials import Trial, Trials, is_upper_bound, model_labels
from reasoner.errors import BadConfig


def trial(problem: int, strategy: str, correct: bool, *, sample: int = 0, tokens: int = 100, calls: int = 1, **more: Any) -> Trial:
    values = {
        "solver": "game24", "problem_id": f"p{problem}", "level": 1, "strategy": strategy, "upper_bound": "oracle" in strategy,
        "model": "m", "sample": sample, "correct": correct, "unparsed": False, "failed": False, "exhausted": False,
        "answer": "Answer: right" if correct else f"Answer: wrong {sample}", "unknown_calls": 0,
        "spent": Spent(calls, tokens - tokens // 4, tokens // 4, 0, 1.0, 0.0),
    }  # fmt: skip
    return Trial(**{**values, **more})


def compared(*trials: Trial, samples: int = 1, baseline: str | None = None) -> Comparison:
    return compare_trials(Trials("run", "", samples, trials, 0, 0), baseline=baseline)


def row(made: Comparison, strategy: str, solver: str | None = "game24") -> Standing:
    (found,) = [r for r in made.rows if (r.strategy, r.solver) == (strategy, solver)]
    return found


def test_any_of_k_is_never_reported_as_accuracy() -> None:
    """The published defect: a problem counted as solved when any of k samples was right."""
    made = compared(*(trial(p, "cot", s == p % 4, sample=s) for p in range(8) for s in range(4)), samples=4)
    found = row(made, "cot").as_dict()
    assert found["accuracy"] == 0.25
    assert found["pass_at"] == {"1": 0.25, "2": 0.5, "4": 1.0}
    assert (found["correct"], found["answers"], found["problems"]) == (8, 32, 8)
    table = tables(made)[0]
    line = dict(zip([c.name for c in table.columns], table.lines[0], strict=True))
    assert (line["accuracy"], line["pass@4"]) == ("25.0 %", "100.0 %")


def test_more_samples_of_a_problem_do_not_narrow_the_interval() -> None:
    once = row(compared(*(trial(p, "cot", p < 5) for p in range(10))), "cot")
    often = row(compared(*(trial(p, "cot", p < 5, sample=s) for p in range(10) for s in range(20)), samples=20), "cot")
    assert often.n_answers == 200
    assert often.interval == once.interval


def test_unparsed_and_failed_answers_stay_in_the_count_and_are_wrong() -> None:
    trials = [
        trial(0, "cot", True),
        trial(1, "cot", False, unparsed=True),
        trial(2, "cot", False, failed=True, answer=None),
        trial(3, "cot", False, exhausted=True),
    ]
    found = row(compared(*trials), "cot").as_dict()
    assert (found["answers"], found["accuracy"], found["unparsed"], found["failed"], found["exhausted"]) == (4, 0.25, 1, 1, 1)


@pytest.mark.parametrize(
    ("label", "params", "bound"),
    [
        ("tot", '{"oracle":false}', False),
        ("tot:oracle=True", '{"oracle":true}', True),
        ("self_consistency(tot:oracle=true)", "{}", True),
        ("best_of_n", '{"by":"verifier"}', True),
        ("best_of_n", '{"by":"logprob"}', False),
        ("iot", '{"inner":{"name":"tot","params":{"oracle":true}}}', True),
        ("iot", '{"inner":"tot:breadth=2,oracle=true"}', True),
        ("iot", '{"inner":["tot:oracle=false"]}', False),
        ("cot", "not json", False),
    ],
)
def test_what_is_an_upper_bound(label: str, params: str, bound: bool) -> None:
    assert is_upper_bound(label, params) is bound


def test_an_upper_bound_is_marked_and_neither_ranked_nor_tested() -> None:
    """The published defect: an oracle over the beams, ranked beside strategies that see no verifier."""
    made = compared(
        *(trial(p, "tot:oracle=True", True) for p in range(9)),
        *(trial(p, "cot", p < 3) for p in range(9)),
        *(trial(p, "ats", p < 5) for p in range(9)),
        *(trial(p, "iot", p < 3) for p in range(9)),
    )
    assert made.baseline == "cot"
    assert {r.strategy: r.rank for r in made.rows if r.solver} == {"ats": 1, "cot": 2, "iot": 2, "tot:oracle=True": None}
    assert [r.strategy for r in made.rows][3] == "tot:oracle=True", "it stands after those that are ranked"
    assert {t.strategy for t in made.tests} == {"ats", "iot"}
    assert row(made, "tot:oracle=True").equal_tokens is None
    table = tables(made)[0]
    line = dict(zip([c.name for c in table.columns], table.lines[3], strict=True))
    assert line["strategy"] == "tot:oracle=True (upper bound)"
    assert line["#"] == line["p (Holm)"] == "–"
    with pytest.raises(BadConfig, match="upper bound"):
        compared(trial(0, "tot:oracle=True", True), trial(0, "cot", True), baseline="tot:oracle=True")
    with pytest.raises(BadConfig, match="cot, ats"):
        choose_baseline({"cot": False, "ats": False}, "iot")
    assert compared(trial(0, "tot:oracle=True", True)).baseline is None


def test_paired_tests_count_problems_not_samples_and_are_corrected() -> None:
    trials = [
        *(trial(p, "cot", p < 4, sample=s) for p in range(12) for s in range(3)),
        *(trial(p, "ats", (p >= 3) == (s == 0), sample=s) for p in range(12) for s in range(3)),
        *(trial(p, "iot", p < 5, sample=s) for p in range(12) for s in range(3)),
    ]
    made = compared(*trials, samples=3)
    ats, iot = (t for t in made.tests if t.solver == "game24")
    assert (ats.both, ats.gained, ats.lost, ats.neither) == (1, 8, 3, 0)
    assert ats.p == pytest.approx(2 * (1 + 11 + 55 + 165) / 2**11)
    assert (ats.p_holm, iot.p_holm) == (2 * ats.p, 1.0)
    assert made.as_dict()["tests"][0]["difference"] == pytest.approx(5 / 12)


def test_cost_is_unknown_as_soon_as_a_part_of_it_is() -> None:
    priced = [trial(p, "cot", True, spent=Spent(1, 9, 9, 0, 1.0, 0.5)) for p in range(2)]
    assert row(compared(*priced), "cot").spent.cost == 1.0
    unpriced = replace(priced[0], spent=replace(priced[0].spent, cost=None))
    assert row(compared(unpriced, priced[1]), "cot").as_dict()["cost"] is None
    lost = replace(priced[0], unknown_calls=1)
    assert row(compared(lost, priced[1]), "cot").as_dict()["cost"] is None, "a lost call may have been billed"
    free = replace(lost, spent=replace(lost.spent, cost=0.0))
    assert row(compared(free), "cot").as_dict()["cost"] == 0.0
    all_lost = replace(lost, spent=Spent(1, 0, 0, 0, 1.0, 0.0), failed=True)
    assert row(compared(all_lost), "cot").as_dict()["cost"] is None
    assert "unknown" in tables(compared(all_lost))[1].lines[0]


def test_equal_tokens_by_hand() -> None:
    """`ats` used 350 tokens, a sample of `cot` 100: three fit, two of them agree on what is right."""
    right, wrong = "Answer: 1+1", "Answer: 2+2"
    cot = [
        trial(0, "cot", False, sample=0, answer=wrong),
        trial(0, "cot", True, sample=1, answer=f"so\n{right}"),
        trial(0, "cot", True, sample=2, answer="other words\nAnswer:  1+1"),
        trial(0, "cot", False, sample=3, answer=wrong),
    ]
    ats = [trial(0, "ats", False, sample=s, tokens=350) for s in range(4)]
    matched = row(compared(*cot, *ats, samples=4), "ats").equal_tokens
    assert matched is not None
    assert (matched.tokens, matched.accuracy, matched.baseline_accuracy, matched.samples_needed) == (350, 0.0, 1.0, None)
    # With 300 tokens more all four fit, it is two against two, and the earliest counts; whether a fifth sample is right nobody knows.
    ats = [replace(t, spent=replace(t.spent, prompt_tokens=t.spent.prompt_tokens + 49)) for t in ats]
    assert row(compared(*cot, *ats, samples=4), "ats").equal_tokens == replace(matched, tokens=399.0)
    ats = [replace(t, spent=replace(t.spent, prompt_tokens=t.spent.prompt_tokens + 251)) for t in ats]
    short = row(compared(*cot, *ats, samples=4), "ats").as_dict()["at_equal_tokens"]
    assert (short["accuracy"], short["baseline_accuracy"], short["baseline_ci95"], short["samples_needed"]) == (None, None, None, 7)


def test_at_equal_tokens_the_cheaper_one_is_resampled_whichever_it_is() -> None:
    cot = [trial(0, "cot", True, sample=s, tokens=200) for s in range(2)]
    direct = [trial(0, "direct", s > 0, sample=s, tokens=90, answer="Answer: " + ("b" if s else "a")) for s in range(2)]
    matched = row(compared(*cot, *direct, samples=2), "direct").equal_tokens
    assert matched is not None
    assert (matched.accuracy, matched.baseline_accuracy) == (0.0, 1.0), "one vote each: the earliest"
    assert row(compared(*cot[:1], *direct[:1]), "direct").as_dict()["at_equal_tokens"]["samples_needed"] == 3


def test_an_unparsed_sample_has_no_vote() -> None:
    cot = [
        trial(0, "cot", False, sample=0, answer="mumble", unparsed=True),
        trial(0, "cot", False, sample=1, answer="mumble", unparsed=True),
        trial(0, "cot", True, sample=2),
    ]
    ats = [trial(0, "ats", True, sample=s, tokens=310) for s in range(3)]
    matched = row(compared(*cot, *ats, samples=3, baseline="cot"), "ats").equal_tokens
    assert matched is not None
    assert matched.baseline_accuracy == 1.0


def claim(ats: list[bool], tot: list[bool]) -> dict[str, Any]:
    made = compared(
        *(trial(p, "ats", right, tokens=600) for p, right in enumerate(ats)),
        *(trial(p, "tot", right, tokens=9000, calls=40) for p, right in enumerate(tot)),
        *(trial(p, "tot:oracle=True", True, tokens=9000, calls=40) for p in range(len(tot))),
    )
    assert [c.pair.solver for c in made.claims] == ["game24", None], "one claim a solver and one for all, none against an oracle"
    return made.claims[0].as_dict()


def test_the_claim_can_be_checked() -> None:
    alike = claim([True] * 10 + [False] * 10, [True] * 8 + [False] * 12)
    assert alike["verdict"] == "indistinguishable"
    assert (alike["calls_ratio"], alike["tokens_ratio"], alike["holds"]) == (40, 15, True)
    assert alike["tokens_to_solve_ratio"] == pytest.approx(15 * 10 / 8)
    low, high = alike["difference_ci95"]
    assert low < alike["difference"] < high, "and how far apart they may be is said too"
    assert low < 0


def test_fewer_tokens_at_a_lower_accuracy_do_not_make_the_claim_true() -> None:
    worse = claim([True] * 2 + [False] * 18, [True] * 15 + [False] * 5)
    assert (worse["verdict"], worse["holds"]) == ("less accurate", False)
    better = claim([True] * 15 + [False] * 5, [True] * 2 + [False] * 18)
    assert (better["verdict"], better["holds"]) == ("more accurate", True)


def test_where_nothing_was_solved_there_is_no_claim() -> None:
    nothing = claim([False] * 20, [False] * 20)
    assert (nothing["verdict"], nothing["holds"], nothing["tokens_to_solve_ratio"], nothing["tokens_ratio"]) == (
        "nothing solved",
        None,
        None,
        15,
    )


def test_the_dictionary_is_json_and_pooled_rows_have_no_solver() -> None:
    trials = [trial(p, s, p % 2 == 0, solver=f"s{p % 3}", level=p % 2) for p in range(12) for s in ("cot", "ats")]
    made = compared(*trials)
    told = json.loads(json.dumps(made.as_dict(), allow_nan=False))
    assert [(r["solver"], r["strategy"], r["answers"]) for r in told["rows"]][-2:] == [(None, "cot", 12), (None, "ats", 12)]
    assert {(r["level"], r["accuracy"]) for r in told["levels"]} == {(0, 1.0), (1, 0.0)}
    assert [table.title for table in tables(made)] == ["Accuracy of a single answer", "What was used", "Accuracy by level"]
    assert len(told["tests"]) == 4


def test_every_field_of_the_json_is_defined_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "compare.md").read_text(encoding="utf-8")
    trials = [trial(p, s, p % 2 == 0) for p in range(4) for s in ("cot", "ats", "tot")]
    told = compared(*trials).as_dict()
    fields = {*told, *told["rows"][0], *told["tests"][0], *told["claims"][0], *told["rows"][1]["at_equal_tokens"]}
    assert len(fields) > 50
    assert not [field for field in fields if not re.search(rf"[`\"]{field}[`\"]", page)]


def test_models_are_told_apart() -> None:
    labels = model_labels([("a.Q4_1.gguf", "x" * 64), ("a.Q8_0.gguf", "y" * 64), ("b.gguf", "1" * 64), ("b.gguf", "2" * 64)])
    assert list(labels.values()) == ["a.Q4_1", "a.Q8_0", "b@11111111", "b@22222222"]
    assert short_models(["SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct.Q8_0"]) == {
        "SmolLM2-135M-Instruct.Q4_1": "…Q4_1",
        "SmolLM2-135M-Instruct.Q8_0": "…Q8_0",
    }
    long = "m" * 40 + ".Q4_1"
    assert short_models([long])[long].endswith(".Q4_1")
    assert len(set(short_models(["local", "teacher"]).values())) == 2
    assert short_models(["abcdef.", "abcdef.x"]) == {"abcdef.": "abcdef.", "abcdef.x": "abcdef.x"}
    alike = ["a" * 40 + "1" + "b" * 40, "a" * 40 + "2" + "b" * 40]
    assert list(short_models(alike).values()) == alike, "cut, they would be the same"
