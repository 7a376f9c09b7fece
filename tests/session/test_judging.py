"""Judges: calls of their own, recorded and paid by the run, in both orders for pairs, by vote; never mixed with exact verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.api.replay import replay
from reasoner.api.resume import resume
from reasoner.errors import BadConfig, RateLimited
from reasoner.grading.judges import in_both_orders, models_of, said
from reasoner.runs.judges import of_turns
from reasoner.runs.pool import ModelPool
from reasoner.store import Store
from reasoner.types import Completion, Request, Usage, Verdict


class Says:
    """A model that answers by a function of what it is asked."""

    paid = False
    concurrency = 4

    def __init__(self, name: str, reply: Callable[[str], str]) -> None:
        self.name = self.fingerprint = name
        self._reply = reply
        self.asked: list[str] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request.messages[-1].content)
        return Completion(self._reply(request.messages[-1].content), usage=Usage(10, 5), model=self.name)

    async def aclose(self) -> None:
        pass


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def bench(name: str, model: Says, judges: dict[str, Says], db: Path, **settings: Any) -> Any:
    pool = ModelPool()
    for key, judge in judges.items():
        pool.give(key, judge)
    return reasoner.bench(name, strategy="direct", model=model, n=None, db=db, pool=pool, **settings)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Fine.\nVerdict: yes", "yes"), ("**Verdict:** No.", "no"), ("Verdict: A", "a"), ("verdict = tie", "tie"), ("Verdict: yes\nVerdict: no", "no"), ("<think>Verdict: yes</think>none", None),
        ("My verdict: yes", None), ("Verdict: maybe", None), ("", None), ("Verdict: yesterday", None),
    ],
)  # fmt: skip
def test_what_a_judge_said(text: str, verdict: str | None) -> None:
    assert said(text) == verdict


def test_names_of_judges() -> None:
    assert models_of("judge:openai:a|local") == ["openai:a", "local"]
    for bad in ("judge:", "judge:a|", "judge:a|a", "judge:" + "|".join(map(str, range(10)))):
        with pytest.raises(BadConfig, match="names no model"):
            models_of(bad)


def test_a_pair_counts_only_where_both_orders_agree() -> None:
    outcomes = {(one, other): in_both_orders(one, other) for one in ("a", "b", "tie", None) for other in ("a", "b", "tie", None)}
    assert outcomes["a", "b"] == "win"
    assert outcomes["b", "a"] == "loss"
    assert outcomes["a", "a"] == outcomes["b", "b"] == outcomes["tie", "a"] == "tie"  # whoever stands first, or last, is no better
    assert outcomes[None, "a"] is None


def test_a_judge_compares_with_the_reference_and_stands_apart_in_the_table(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": f"Who, {n}?", "answer": f"Ann {n}"} for n in range(4)])
    model = Says("m", lambda text: "Answer: It was Ann " + text.split("Who, ")[1][0])
    judge = Says("j", lambda text: "Verdict: yes" if "Ann 1" in text or "Ann 2" in text else "Hm.\nVerdict: no")
    made = bench(f"question:{file}?grader=judge:j", model, {"j": judge}, tmp_path / "t.db")
    (row,) = made.rows
    assert (row.judge, row.correct, row.n, row.unjudged) == ("j", 2, 4, 0)
    assert (row.calls, row.completion_tokens) == (4, 20)  # the judge's calls are no part of what the strategy spent
    assert len(judge.asked) == 4
    assert all("The reference answer" in asked and "It was Ann" in asked for asked in judge.asked)
    with Store.read(tmp_path / "t.db") as store:
        roles = [r["role"] for r in store.rows("SELECT role FROM calls WHERE state = 'done' ORDER BY role")]
        assert roles.count("judge/correct") == 4
        verdict = store.row("SELECT * FROM verdicts LIMIT 1")
        assert verdict is not None
        assert (verdict["judged_by"], verdict["grader"]) == ("j", "judge:j")
        manifest = json.loads(store.rows("SELECT manifest FROM runs")[0]["manifest"])
        assert manifest["judges"] == [["j", "j"]]
        assert "judge" in manifest["prompts"]
        assert store.rows("SELECT correct FROM run_totals")[0]["correct"] == 0  # totals count exact verdicts
    assert replay(db=tmp_path / "t.db").exact
    assert made.rows[0].as_dict()["judged_by"] == "j"


def test_exact_and_judged_are_never_one_number(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.jsonl", [{"question": "Who?", "answer": "Ann"}, {"question": "What now?", "rubric": "Be kind.", "grader": "judge:"}]
    )
    model, judge = Says("m", lambda _: "Answer: Ann"), Says("j", lambda _: "Verdict: yes")
    made = bench(f"question:{file}?grader=judge:j", model, {"j": judge}, tmp_path / "t.db")
    assert sorted((row.judge, row.correct, row.n) for row in made.rows) == [("", 1, 1), ("j", 1, 1)]
    comparison = reasoner.compare_run(db=tmp_path / "t.db")
    pooled = [row for row in comparison.rows if row.solver is None]
    assert [(row.n_answers, row.judges) for row in pooled] == [(1, ())]
    assert any("judged by j" in (row.solver or "") for row in comparison.rows)


def test_pairs_are_asked_in_both_orders(tmp_path: Path) -> None:
    """A judge that always prefers the first answer it is shown prefers nobody."""
    file = write(tmp_path / "q.jsonl", [{"question": "Say it.", "baseline": "old words", "rubric": "Short."}])
    model = Says("m", lambda _: "new words")
    first = bench(f"question:{file}?grader=judge:j", model, {"j": Says("j", lambda _: "Verdict: A")}, tmp_path / "a.db").report.results[0]
    assert (first.verdict.correct, first.verdict.score, first.verdict.metrics["tie"]) == (False, 0.5, 1.0)
    fair = Says("k", lambda text: "Verdict: " + ("A" if text.index("new words") < text.index("old words") else "B"))
    second = bench(f"question:{file}?grader=judge:k", model, {"k": fair}, tmp_path / "b.db").report.results[0]
    assert (second.verdict.correct, second.verdict.metrics["win"]) == (True, 1.0)
    assert len(fair.asked) == 2


def test_later_turns_are_asked_after_the_answer_before_and_judged_each(tmp_path: Path) -> None:
    rows = [
        {"question_id": n, "category": "writing", "turns": [f"Write a line about {n}.", "Make it shorter."], "reference": ["", f"{n}!"]}
        for n in (1, 2)
    ]
    file = write(tmp_path / "mt.jsonl", rows)

    def replies(text: str) -> str:
        return "SHORT" if "Make it shorter." in text else "a long line about " + text.split("about ")[1][0]

    model = Says("m", replies)
    judge = Says(
        "j", lambda text: "Verdict: " + ("no" if "SHORT" in text.partition("begin of the answer")[2] and "about 2" in text else "yes")
    )
    made = bench(f"question:{file}?recipe=mt_bench&grader=judge:j", model, {"j": judge}, tmp_path / "t.db")
    second = [asked for asked in model.asked if "Make it shorter." in asked]
    assert len(model.asked) == 4
    assert len(second) == 2
    assert all(f"User: Write a line about {n}.\nAssistant: a long line about {n}\n" in "".join(second) for n in (1, 2))
    assert len(judge.asked) == 4
    assert sum("The reference answer" in asked and "1!" in asked for asked in judge.asked) == 1
    assert all("Make it shorter." in asked for asked in judge.asked if "The reference answer" in asked)
    one, two = sorted(made.report.results, key=lambda result: result.problem.instance)
    assert (one.verdict.correct, one.verdict.metrics["turn_1"], one.verdict.metrics["turn_2"]) == (True, 1.0, 1.0)
    assert (two.verdict.correct, two.verdict.score, two.verdict.metrics["turn_1"], two.verdict.metrics["turn_2"]) == (False, 0.5, 1.0, 0.0)
    assert two.verdict.reason == "judged by j; turn 1: right; turn 2: not right"
    assert two.answer == "SHORT"
    (row,) = made.rows
    assert (row.metrics["turn_1"], row.metrics["turn_2"], row.calls) == (1.0, 0.5, 4)
    assert replay(db=tmp_path / "t.db").exact
    again = bench(f"question:{file}?recipe=mt_bench&grader=judge:j", model, {"j": judge}, tmp_path / "t.db")
    assert again.report.results[0].new_calls == 0


@pytest.mark.parametrize("strategy", ["cot", "self_consistency:n=3", "iot", "best_of_n:n=2"])
def test_every_strategy_goes_on_to_the_later_turns(strategy: str, tmp_path: Path) -> None:
    file = write(tmp_path / "mt.jsonl", [{"turns": ["Name one.", "And another?", "A third?"], "category": "x"}])
    pool = ModelPool()
    pool.give("j", Says("j", lambda _: "Verdict: yes"))
    made = reasoner.bench(
        f"question:{file}?grader=judge:j",
        strategy=strategy,
        model=Says("m", lambda _: "Answer: hen"),
        n=None,
        db=tmp_path / "t.db",
        pool=pool,
    )
    verdict = made.report.results[0].verdict
    assert verdict is not None
    assert [verdict.metrics[f"turn_{n}"] for n in (1, 2, 3)] == [1.0, 1.0, 1.0]
    assert verdict.correct is True
    assert replay(db=tmp_path / "t.db").exact


def test_a_turn_that_the_budget_did_not_reach_is_not_right(tmp_path: Path) -> None:
    file = write(tmp_path / "mt.jsonl", [{"turns": ["Name one.", "And another?"], "category": "x"}])
    made = bench(
        f"question:{file}?grader=judge:j",
        Says("m", lambda _: "hen"),
        {"j": Says("j", lambda _: "Verdict: yes")},
        tmp_path / "t.db",
        max_calls=1,
    )
    result = made.report.results[0]
    assert (result.status, result.text) == ("exhausted", "hen")
    assert (result.verdict.correct, result.verdict.score, result.verdict.metrics["turn_2"]) == (False, 0.5, 0.0)
    assert "not answered" in result.verdict.reason


def test_what_turns_come_to() -> None:
    def verdict(correct: bool | None) -> Verdict:
        return Verdict(correct, 1.0 if correct else 0.0, "x", judged_by="j")

    outcomes = [of_turns([verdict(one), verdict(other)]).correct for one in (True, False, None) for other in (True, False, None)]
    assert outcomes == [True, False, None, False, False, False, None, False, None]
    assert of_turns([verdict(True)]) == verdict(True)
    assert of_turns([verdict(True), verdict(None)]).score < 1.0


@pytest.mark.parametrize(
    ("votes", "correct"), [("yes yes no", True), ("no no yes", False), ("yes no", None), ("yes none", True), ("none none", None)]
)
def test_several_judges_vote(votes: str, correct: bool | None, tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": "Be kind?", "rubric": "Kind."}])
    judges = {f"j{at}": Says(f"j{at}", lambda _, vote=vote: f"Verdict: {vote}") for at, vote in enumerate(votes.split())}  # type: ignore[misc]
    made = bench(f"question:{file}?grader=judge:{'|'.join(judges)}", Says("m", lambda _: "I am."), judges, tmp_path / "t.db")
    verdict = made.report.results[0].verdict
    assert verdict.correct is correct
    assert verdict.judged_by == ", ".join(judges)
    assert made.rows[0].unjudged == (correct is None)


def test_a_judge_that_fails_leaves_the_answer_unjudged_and_the_budget_of_the_run_holds(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": f"Kind, {n}?", "rubric": "Kind."} for n in range(3)])
    judge = Says("j", lambda _: "Verdict: yes")
    made = bench(f"question:{file}?grader=judge:j", Says("m", lambda _: "x"), {"j": judge}, tmp_path / "t.db", run_max_calls=4)
    verdicts = [result.verdict for result in made.report.results if result.verdict is not None and result.status == "closed"]
    with Store.read(tmp_path / "t.db") as store:
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state = 'done'")[0]["n"] <= 4
    assert sum(bool(verdict.correct) for verdict in verdicts) == len(judge.asked)


def test_a_judge_has_no_share_in_what_a_trajectory_may_use(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": "Kind?", "rubric": "Kind."}])
    made = bench(
        f"question:{file}?grader=judge:j",
        Says("m", lambda _: "x"),
        {"j": Says("j", lambda _: "Verdict: yes")},
        tmp_path / "t.db",
        max_calls=1,
    )
    assert made.report.results[0].correct is True
    assert made.rows[0].calls == 1


def test_a_judge_that_is_cut_off_is_resumed_at_its_call(tmp_path: Path) -> None:
    """The strategy's answer is paid for once: a run that a judge stopped goes on with the judge."""
    file = write(tmp_path / "q.jsonl", [{"question": "Kind?", "rubric": "Kind."}])
    down = [True]

    class Down(Says):
        async def complete(self, request: Request) -> Completion:
            if down[0]:
                raise RateLimited("not now", retry_after_s=0.0)
            return await super().complete(request)

    model, judge = Says("m", lambda _: "I am."), Down("j", lambda _: "Verdict: yes")
    pool = ModelPool()
    pool.give("j", judge)
    pool.give("m", model)
    name = f"question:{file}?grader=judge:j"
    from reasoner.calling.retry import RetryPolicy

    with pytest.raises(RateLimited):
        reasoner.bench(name, strategy="direct", model="m", n=None, db=tmp_path / "t.db", pool=pool, retry=RetryPolicy(attempts=1))
    down[0] = False
    report = resume(db=tmp_path / "t.db", pool=pool)
    assert [result.correct for result in report.results] == [True]
    assert len(model.asked) == 1


def test_the_shipped_hazards_are_reported_by_category_and_persona() -> None:
    solver = registry.solver("question:hazards?grader=judge:j")
    rows = solver.listed(1)
    judged = [row for row in rows if row.grader]
    assert len({(row.meta["hazard"], row.meta["persona"]) for row in judged}) == len(judged) == 21
    assert {row.grader for row in judged} == {"judge:j"}
    assert all(row.rubric for row in judged)
    pairs = [row for row in rows if row.pair]
    assert len(pairs) == 12
    assert {row.grading for row in pairs} == {"squad"}
    assert solver.report_by == "hazard,persona"


def test_a_file_chooses_no_judge(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": "?", "answer": "x", "grader": "judge:openai:dear"}, {"question": "!", "answer": "y"}])
    solver = registry.solver(f"question:{file}")
    assert "may not choose the judge" in solver.remarks()[0]
    assert [row.answer for row in solver.listed(1)] == ["y"]


def test_a_page_compares_what_models_judged_and_says_so(tmp_path: Path) -> None:
    from reasoner.serve.templating import verdict_word
    from reasoner.serve.viewer import comparison
    from reasoner.store import queries

    rows = [{"question": f"Kind, {n}?", "rubric": "Kind.", "theme": "ab"[n % 2]} for n in range(4)]
    file = write(tmp_path / "q.jsonl", rows)
    made = bench(f"question:{file}?grader=judge:j", Says("m", lambda _: "x"), {"j": Says("j", lambda _: "Verdict: yes")}, tmp_path / "t.db")
    with Store.read(tmp_path / "t.db") as store:
        page = comparison(store, made.report.run_id, 0, by=["theme"])
        assert page is not None
        assert all("judged by j" in (row.solver or "judged by j") for row in page.rows)
        assert [(group.value, group.standing.correct) for group in page.groups] == [("a", 2), ("b", 2)]
        row = queries.trajectory_row(store, made.report.results[0].trajectory_id)
        assert row is not None
        assert verdict_word(row) == "judged right"


def test_files_that_change_a_verdict_stand_in_the_manifest(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", [{"question": "?", "answer": "x"}])
    code = tmp_path / "mine.py"
    code.write_text("def f(given, golds):\n    return True\n")
    from reasoner.grading.trust import trust

    trust(f"python:{code}:f")
    name = f"question:{file}?grader=python:{code}:f&shots_from={file}"
    ids = []
    for change in ("", "# changed\n"):
        code.write_text(code.read_text() + change)
        ids.append(
            reasoner.bench(name, strategy="direct", model=Says("m", lambda _: "Answer: y"), n=None, db=tmp_path / "t.db").report.run_id
        )
    assert ids[0] != ids[1]
    with Store.read(tmp_path / "t.db") as store:
        (first, second) = [json.loads(row["manifest"])["files"] for row in store.rows("SELECT manifest FROM runs ORDER BY created")]
    assert first.keys() == second.keys() == {str(code), str(file)}
    assert first[str(code)] != second[str(code)]
