"""The page of a run, the lists of runs and of questions, the search and the comparison of two trajectories."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from large_store import fill_chain, fill_many
from starlette.requests import Request
from stores import grow

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison.tables import Column, ComparisonTable
from reasoner.runs.problems import problem_from_line
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.serve.run_page import collapsed, group_columns, mistakes
from reasoner.serve.settings import Settings
from reasoner.serve.trajectory_page import aligned, in_words
from reasoner.serve.viewer import Viewer
from reasoner.store import Store, queries, run_queries
from reasoner.store.search import n_hits, search


def look(store: Store, page: str, query: str = "", **path: str) -> str:
    scope = {"type": "http", "path_params": path, "query_string": query.encode(), "headers": []}
    return bytes(getattr(Viewer(store, Settings("t" * 32)), page)(Request(scope)).body).decode()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of questions with groups, of which a model answers one in three."""
    folder = tmp_path_factory.mktemp("asked")
    rows = [{"question": f"What is {n} plus 1?", "answer": str(n + 1), "subject": "ab"[n % 2]} for n in range(6)]
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "r.jsonl").write_text("\n".join(json.dumps(f"Answer: {n + 1 if n % 3 == 0 else 900 + n}") for n in range(6)))
    made = reasoner.bench(
        f"question:{folder / 'q.jsonl'}", strategy="direct", model=f"scripted:{folder / 'r.jsonl'}", n=6, db=folder / "t.db"
    )
    for question in ("Who was Ada?", "Who was Bob?"):
        chat = problem_from_line(
            "chat", json.dumps({"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": question}]})
        )
        client = ScriptedClient(lambda _: "A person.\nOf note.", name="m")
        asyncio.run(reasoner.api.bench.arun([chat], parse_strategies("plain"), [client], db=folder / "t.db"))
    return folder / "t.db", made.report.run_id


def test_reasons_that_differ_in_numbers_alone_are_one(asked: tuple[Path, str]) -> None:
    db, run = asked
    with Store.read(db) as store:
        found = mistakes(store, run)
        wrong = store.tuples("SELECT count(*) FROM verdicts WHERE correct = 0")[0][0]
        assert sum(each["n"] for each in found) == wrong > 1
        assert len(found) == 1
        assert len(found[0]["examples"]) == min(3, wrong)
        assert "…" in found[0]["reason"]
        assert not any(character.isdigit() for character in found[0]["reason"])
        text = look(store, "run", run=run)
        assert f"<b>{wrong}×</b>" in text


def test_failed_answers_are_among_them(tmp_path: Path) -> None:
    grow(tmp_path / "x.db", 5)
    with Store.open(tmp_path / "x.db") as store:
        run = store.tuples("SELECT id FROM runs")[0][0]
        store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'failed', error = 'the server said 503'"))
        store.write_now(lambda c: c.execute("DELETE FROM verdicts"))
        assert [(each["reason"], each["n"]) for each in mistakes(store, run)] == [("the server said …", 1)]


def test_counts_are_those_of_what_is_chosen(asked: tuple[Path, str]) -> None:
    db, run = asked
    with Store.read(db) as store:
        for chosen in ({}, {"verdict": "right"}, {"verdict": "wrong"}, {"strategy": "direct"}, {"strategy": "none"}, {"verdict": "open"}):
            rows = queries.trajectory_page(store, run, chosen=chosen, limit=100)
            assert queries.n_trajectories(store, run, chosen=chosen) == len(rows)
        wrong = queries.n_trajectories(store, run, chosen={"verdict": "wrong"})
        text = look(store, "run", "verdict=wrong", run=run)
        assert f"1–{wrong} of {wrong}" in text
        assert 'action="#list"' in text, "filters keep their place"


def test_groups_of_the_questions_are_offered_and_shown(asked: tuple[Path, str]) -> None:
    db, run = asked
    with Store.read(db) as store:
        assert group_columns(store, run) == ["subject"]
        assert "<option selected>subject</option>" in look(store, "run", "by=subject", run=run)
        assert "Accuracy by subject" in look(store, "run", "by=subject", run=run)
        assert "Accuracy by subject" not in look(store, "run", run=run)


def test_questions_are_shown_in_words_wherever_they_are_listed(asked: tuple[Path, str]) -> None:
    db, run = asked
    with Store.read(db) as store:
        assert {row["asked"] for row in queries.trajectory_page(store, run)} == {f"What is {n} plus 1?" for n in range(6)}
        rows = run_queries.requests(store)
        assert [(row["asked"], row["answer"]) for row in rows] == [
            ("Who was Bob?", "A person.\nOf note."),
            ("Who was Ada?", "A person.\nOf note."),
        ]
        assert run_queries.n_requests(store) == 2
        assert [row["asked"] for row in run_queries.requests(store, words="ADA")] == ["Who was Ada?"]
        assert run_queries.n_requests(store, words="ada") == 1
        for text in (look(store, "runs"), look(store, "requests")):
            assert "Who was Ada?" in text
            assert "A person. Of note." in text
            assert "&#34;role&#34;" not in text
        assert "1–3 of 3" in look(store, "runs")


def test_a_problem_without_words_of_its_own_shows_how_its_search_began(tmp_path: Path) -> None:
    made = reasoner.bench("sql", strategy="direct", model="teacher", n=1, db=tmp_path / "t.db")
    with Store.read(tmp_path / "t.db") as store:
        (row,) = queries.trajectory_page(store, made.report.run_id)
        assert row["asked"] == (queries.root_text(store, row["id"]) or "")[:400]
        assert "theme" not in row["asked"]


@pytest.mark.parametrize("whole", [True, False], ids=["all judged", "some open, failed and judged by a model"])
def test_every_filter_counts_what_fits_and_wrong_ones_are_found(tmp_path: Path, *, whole: bool) -> None:
    db = tmp_path / "t.db"
    fill_many(db, 260)
    fill_chain(db, 3)

    def change(c: Any) -> None:
        c.execute("UPDATE trajectories SET run_id = 'chain' WHERE sample >= 240")
        c.execute("UPDATE verdicts SET correct = 0, score = 0 WHERE trajectory_id IN (SELECT id FROM trajectories WHERE sample % 3 = 0)")
        if not whole:
            gone = "(SELECT id FROM trajectories WHERE run_id = 'many' AND sample % 10 < 2)"
            c.execute(f"DELETE FROM verdicts WHERE trajectory_id IN {gone}")
            c.execute(f"UPDATE trajectories SET status = iif(sample % 10, 'open', 'failed') WHERE id IN {gone}")
            c.execute("UPDATE verdicts SET judged_by = 'm' WHERE trajectory_id IN (SELECT id FROM trajectories WHERE sample % 7 = 3)")

    with Store.open(db) as store:
        store.write_now(change)
    fits = {"right": "v.correct = 1", "wrong": "v.correct = 0", "open": "t.status = 'open'", "failed": "t.status = 'failed'", "": "1"}
    with Store.read(db) as store:
        joined = "FROM trajectories t LEFT JOIN verdicts v ON v.trajectory_id = t.id WHERE t.run_id = 'many' AND"
        for verdict, condition in fits.items():
            for strategy, more in (("", ""), ("cot", " AND t.strategy = 'cot'")):
                ids = [row[0] for row in store.tuples(f"SELECT t.id {joined} {condition}{more} ORDER BY t.rowid")]
                for page in range(-(-len(ids) // 50) + 1):
                    shown = look(store, "run", f"verdict={verdict}&strategy={strategy}&page={page}", run="many")
                    assert [each for each in ids if f'/t/{each}"' in shown.split('id="list"')[1]] == ids[50 * page : 50 * (page + 1)]
                    assert f"of {len(ids)}</span>" in shown or (not ids and "<span>none</span>" in shown), (verdict, strategy, page)
        found = [row["id"] for row in queries.not_right(store, "many")]
        assert found == [row[0] for row in store.tuples(f"SELECT t.id {joined} (v.correct = 0 OR t.status = 'failed') ORDER BY t.rowid")]
        assert found
        assert [row["id"] for row in queries.not_right(store, "many", limit=7)] == found[:7]


def test_hits_are_counted_and_paged(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    reasoner.bench("number_path", strategy="cot", model="teacher", n=9, db=db)
    with Store.read(db) as store:
        n = n_hits(store, "Answer")
        every = search(store, "Answer", limit=1000)
        assert n == len(every) > 5
        parts = [hit["id"] for at in range(0, n, 4) for hit in search(store, "Answer", limit=4, offset=at)]
        assert sorted(parts) == sorted(hit["id"] for hit in every)
        assert all(hit["places"] for hit in every)
        assert f"{n} messages" in look(store, "search", "q=Answer")
        assert (n_hits(store, ""), n_hits(store, "no-such-word-at-all")) == (0, 0)


def test_two_trajectories_are_compared_from_their_answers_down(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    for strategy in ("ats", "ats:order=dfs", "direct"):
        reasoner.solve("number_path", "3 4 11", strategy=strategy, model="teacher", db=db)
    with Store.read(db) as store:
        ids = [row[0] for row in store.tuples("SELECT id FROM trajectories ORDER BY rowid")]
        same = look(store, "pair", f"a={ids[0]}&b={ids[0]}")
        assert "Both go the same way" in same
        other = look(store, "pair", f"a={ids[0]}&b={ids[2]}")
        assert "They differ from the first step" in other
        assert other.index("Answer") < other.index('class="pair"')


def test_steps_are_aligned_and_the_first_difference_is_named() -> None:
    def steps(*said: str) -> list[dict[str, Any]]:
        return [{"said": each} for each in said]

    assert aligned(steps("a", "b"), steps("a", "b"))["first"] is None
    assert aligned(steps("a", "b"), steps("a", "c", "d"))["first"] == 2
    assert aligned(steps("a"), steps("a", "c"))["rows"][1] == (2, None, {"said": "c"}, False)


def test_columns_that_say_the_same_are_told_once() -> None:
    columns = (Column("solver", words=True), Column("strategy", words=True), Column("n"))
    made = collapsed(ComparisonTable("T", columns, (("x", "a", "1"), ("x", "b", "1"))))
    assert [column.name for column in made["columns"]] == ["strategy"]
    assert (made["lines"], made["same"]) == ([["a"], ["b"]], [("solver", "x"), ("n", "1")])
    alone = collapsed(ComparisonTable("T", columns, (("x", "a", "1"),)))
    assert (len(alone["columns"]), alone["same"]) == (3, [])


def test_a_running_run_says_how_far_it_has_come(tmp_path: Path) -> None:
    grow(tmp_path / "x.db", 5)
    with Store.open(tmp_path / "x.db") as store:
        run = store.tuples("SELECT id FROM runs")[0][0]
        assert "data-progress" not in look(store, "run", run=run)
        store.write_now(lambda c: c.execute("UPDATE runs SET status = 'running'"))
        store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'open'"))
        assert "data-progress" in look(store, "run", run=run)
        made = json.loads(look(store, "progress", run=run))
        assert (made["status"], made["done"], made["trajectories"], made["calls"]) == ("running", 0, 1, 1)
        assert json.loads(look(store, "progress", run="none")) == {"error": "no such run"}


def test_a_step_in_the_form_of_json_is_shown_in_words() -> None:
    assert in_words('{"thought": "Double it.", "done": false, "answer": "10"}') == "Double it. · 10"
    for text in ("plain", '{"a": 1}', '{"cut": "of', "{}", "", "[1, 2]"):
        assert in_words(text) == text
