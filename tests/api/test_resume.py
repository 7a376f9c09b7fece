"""Resume, replay, fork, the cache and lost calls: through the Python face, on real strategies, with no model but scripts and the teacher."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.calling.retry import RetryPolicy
from reasoner.clients import open_client
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, OutcomeUnknown, Refused, TimedOut, UnknownName
from reasoner.store import Store
from reasoner.store.queries import load_trajectory
from reasoner.store.run_queries import runs

TEMPLATE = '+++\nversion = 2\nvariables = ["statement"]\n+++\n{% block user %}{{ statement }} Think.{% endblock %}'


GUIDED = "iot:mode=guided,max_rounds=4"
"""A search of several calls, each of which holds those before it."""


class Counting:
    """A teacher that counts; from the call `broken_after` on it refuses."""

    def __init__(self, *, broken_after: int = 10**9, paid: bool = False) -> None:
        self.inner = open_client("teacher")
        self.name, self.fingerprint, self.concurrency, self.paid = "teacher", self.inner.fingerprint, 1, paid
        self.broken_after, self.calls = broken_after, 0

    async def complete(self, request: Any) -> Any:
        self.calls += 1
        if self.calls > self.broken_after:
            raise Refused("401 for everybody")
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


def broken_bench(db: Path, **more: Any) -> None:
    with pytest.raises(Refused):
        reasoner.bench("number_path", strategy="cot", model=Counting(broken_after=3), n=6, db=db, command="reasoner bench", **more)


def test_resume_needs_nothing_but_the_run(db: Path) -> None:
    broken_bench(db, seed=3, limits=reasoner.Limits(calls=7), sampling=reasoner.Sampling(max_tokens=300))
    with Store.open(db) as store:
        assert [row["resumable"] for row in runs(store)] == [True]
    client = Counting()
    report = reasoner.resume(db=db, models=[client])
    assert report.resumed
    assert (len(report.results), client.calls) == (6, 3)
    assert all(o.correct for o in report.results)
    assert len(reasoner.resume(db=db).results) == 6, "the model's name is enough where it opens"
    with Store.open(db) as store:
        assert [row["resumable"] for row in runs(store)] == [False]


def test_resume_names_what_changed_and_refuses_unless_forced(db: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "mine" / "cot"
    prompts.mkdir(parents=True)
    (prompts / "answer.jinja").write_text(TEMPLATE)
    broken_bench(db, prompts=tmp_path / "mine")
    (prompts / "answer.jinja").write_text(TEMPLATE.replace("Think.", "Think twice."))
    client = Counting()
    client.fingerprint = "another model"
    with pytest.raises(BadConfig, match=r"model teacher \(fingerprint .*now another model\); prompts cot"):
        reasoner.resume(db=db, models=[client])
    assert client.calls == 0
    report = reasoner.resume(db=db, models=[client], force=True)
    assert (len(report.results), client.calls) == (6, 3)
    with Store.open(db) as store:
        first, second = store.rows("SELECT id, parent_run, status, manifest FROM runs ORDER BY rowid")
        assert (second["id"], second["parent_run"]) == (report.run_id, first["id"])
        assert json.loads(second["manifest"])["continues"] == first["id"]
        assert store.rows("SELECT count(*) AS n FROM trajectories WHERE run_id = ?", (second["id"],)) == [{"n": 3}]
        assert {o.run_id for o in report.results} == {first["id"], second["id"]}


def test_the_same_command_with_another_prompt_says_that_it_is_another_run(db: Path, tmp_path: Path) -> None:
    broken_bench(db)
    said: list[str] = []
    (tmp_path / "mine" / "cot").mkdir(parents=True)
    (tmp_path / "mine" / "cot" / "answer.jinja").write_text(TEMPLATE)
    more: dict[str, Any] = {
        "prompts": tmp_path / "mine",
        "command": "reasoner bench",
        "progress": lambda event: said.append(event.text) if isinstance(event, reasoner.Note) else None,
    }
    reasoner.bench("number_path", strategy="cot", model="teacher", n=6, db=db, **more)
    (line,) = said
    assert "had the same command" in line
    assert "prompts cot" in line


def test_a_run_without_a_plan_is_replayed_but_not_resumed(db: Path) -> None:
    reasoner.bench("number_path", strategy="cot", model="teacher", n=2, db=db)
    with Store.open(db) as store:
        store.write_now(lambda c: c.execute("UPDATE runs SET plan = NULL"))
    with pytest.raises(BadConfig, match="kept no plan"):
        reasoner.resume(db=db)
    assert reasoner.replay(db=db).exact
    with pytest.raises(UnknownName):
        reasoner.replay("nope", db=db)


@pytest.mark.parametrize("strategy", ["cot", "tot", "ats", "self_consistency(cot)"])
def test_replay_compares_every_graph_and_names_the_one_that_differs(db: Path, strategy: str) -> None:
    made = reasoner.bench("game24", strategy=strategy, model="teacher", n=3, db=db)
    before = db.read_bytes()
    found = reasoner.replay(db=db)
    assert (found.compared, found.mismatches, found.left_out) == (3, {}, 0)
    assert found.calls_read == sum(o.spent.calls for o in made.report.results) > 0
    assert db.read_bytes() == before, "a replay writes nothing"
    victim = made.report.results[1].trajectory_id
    with Store.open(db) as store:
        sql = "UPDATE calls SET reply_id = (SELECT id FROM messages WHERE content = 'planted') WHERE trajectory_id = ?"
        store.write_now(lambda c: c.execute("INSERT INTO messages (hash, role, content) VALUES ('x', 'assistant', 'planted')"))
        store.write_now(lambda c: c.execute(sql, (victim,)))
    found = reasoner.replay(db=db)
    assert set(found.mismatches) == {victim}


class Converted(Counting):
    """A teacher that says it has another form, and an adapter."""

    prepared = 0
    provenance: dict[str, Any] = {"adapter": "a.gguf"}  # noqa: RUF012 - read only

    async def prepare(self, tell: Any) -> None:
        if not self.prepared:
            tell("converting teacher to q8_0, once ...")
        self.prepared += 1

    def form(self) -> str:
        return "q8_0"

    def form_report(self) -> dict[str, Any]:
        return {"form": "q8_0", "quality": {"mean_kl": 0.25}}


def test_a_form_is_made_and_told_before_the_first_call_and_kept_with_the_run(db: Path, tmp_path: Path) -> None:
    said: list[str] = []
    client = Converted()

    def hear(event: Any) -> None:
        if isinstance(event, reasoner.Note):
            assert client.calls == 0
            said.append(event.text)

    reasoner.bench("number_path", strategy="cot", model=client, n=2, db=db, progress=hear)
    assert said == ["converting teacher to q8_0, once ..."]
    with Store.open(db) as store:
        (row,) = store.rows("SELECT manifest, plan FROM runs")
    assert json.loads(row["manifest"])["forms"] == {"teacher": "q8_0"}
    assert json.loads(row["plan"])["forms"] == {"teacher": {"form": "q8_0", "quality": {"mean_kl": 0.25}}}
    (tmp_path / "mine" / "cot").mkdir(parents=True)
    (tmp_path / "mine" / "cot" / "answer.jinja").write_text(TEMPLATE)
    reasons = reasoner.replay(db=db, prompts=tmp_path / "mine").mismatches.values()
    assert all("prompts cot" in why and "form" not in why and "adapter" not in why for why in reasons), reasons


def test_replay_names_a_changed_prompt(db: Path, tmp_path: Path) -> None:
    reasoner.bench("number_path", strategy="cot", model="teacher", n=2, db=db)
    (tmp_path / "mine" / "cot").mkdir(parents=True)
    (tmp_path / "mine" / "cot" / "answer.jinja").write_text(TEMPLATE)
    found = reasoner.replay(db=db, prompts=tmp_path / "mine")
    assert len(found.mismatches) == 2
    assert all("cot/answer" in why and "prompts cot" in why for why in found.mismatches.values())


def test_replay_of_an_exhausted_search_goes_the_same_way(db: Path) -> None:
    made = reasoner.bench("game24", strategy="tot", model="teacher", n=3, db=db, limits=reasoner.Limits(calls=9))
    assert {o.status for o in made.report.results} == {"exhausted"}
    assert reasoner.replay(db=db).exact


def script(first: str, *rest: str) -> ScriptedClient:
    made = ScriptedClient([first, *rest])
    made.fingerprint = "one model"
    return made


def test_a_fork_keeps_what_was_before_the_thought_and_asks_the_rest_anew(db: Path) -> None:
    old = reasoner.solve("game24", "4 9 10 13", strategy=GUIDED, model=(client := Counting()), db=db)
    assert old.trajectory is not None
    replies = [t for t in old.trajectory.thoughts() if t.finish_reason]
    assert len(replies) >= 3, "the search must be long enough to have a middle"
    at = replies[2]
    other = Counting()
    forked = reasoner.fork(db=db, at=at.id[:10], temperature=0.7, model=other)
    assert forked.spent.taken_calls == 2
    assert forked.new_calls == other.calls == forked.spent.calls - 2 > 0
    assert client.calls == old.spent.calls, "the old model was not asked again"
    with Store.open(db) as store:
        (row,) = store.rows("SELECT * FROM trajectories WHERE id = ?", (forked.trajectory_id,))
        assert (row["fork_of"], row["fork_at"], row["cached_calls"]) == (old.trajectory_id, at.id, 2)
        assert [r["parent_run"] for r in store.rows("SELECT parent_run FROM runs ORDER BY rowid")] == [None, old.run_id]
        calls = store.rows(
            "SELECT sampling, cached_from, cost FROM call_details WHERE trajectory_id = ? ORDER BY id", (forked.trajectory_id,)
        )
        assert [call["cached_from"] is None for call in calls] == [False, False] + [True] * other.calls
        assert all(call["cost"] == 0 for call in calls)
        new, was = load_trajectory(store, forked.trajectory_id), load_trajectory(store, old.trajectory_id)
        assert [t.text for t in new.thoughts() if t.finish_reason][:2] == [t.text for t in was.thoughts() if t.finish_reason][:2]
    assert reasoner.replay(forked.run_id, db=db).exact
    again = Counting()
    assert reasoner.fork(old.run_id, db=db, at=at.id, temperature=0.7, model=again).trajectory_id == forked.trajectory_id
    assert again.calls == 0, "the same fork is the same run"


def test_a_fork_at_the_first_thought_asks_everything_and_with_another_seed_other_requests(db: Path) -> None:
    old = reasoner.solve("number_path", "4 9 41", strategy="cot", model=script("Answer: no"), db=db)
    assert old.trajectory is not None
    first = next(t for t in old.trajectory.thoughts() if t.finish_reason)
    other = script("Answer: 4 * 9 + 5 = 41")
    forked = reasoner.fork(db=db, at=first.id, seed=9, model=other)
    assert (forked.spent.taken_calls, len(other.requests)) == (0, 1)
    with Store.open(db) as store:
        assert len(store.rows("SELECT DISTINCT seed FROM calls")) == 2


def test_a_fork_refuses_a_change_that_reaches_back_before_the_thought(db: Path) -> None:
    old = reasoner.solve("game24", "4 9 10 13", strategy=GUIDED, model="teacher", db=db)
    assert old.trajectory is not None
    last = [t for t in old.trajectory.thoughts() if t.finish_reason][-1]
    with pytest.raises(BadConfig, match="before the thought"):
        reasoner.fork(db=db, at=last.id, params={"transcript": "last"})
    with pytest.raises(BadConfig, match="no Sampling"):
        reasoner.fork(old.run_id, db=db, at=last.id, sampling={"heat": 2})  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="thought of run"):
        reasoner.fork(old.run_id, db=db, at="zzzz")


def test_the_cache_answers_the_same_request_of_the_same_model_and_sample(db: Path) -> None:
    first = Counting()
    reasoner.bench("number_path", strategy="cot", model=first, n=4, samples=2, db=db)
    more = Counting()
    made = reasoner.bench("number_path", strategy="cot", model=more, n=6, samples=2, db=db, cache=True)
    assert (first.calls, more.calls) == (8, 4), "a bench that grew asks only what is new"
    assert sum(o.spent.taken_calls for o in made.report.results) == 8
    assert sum(o.spent.calls for o in made.report.results) == 12
    with Store.open(db) as store:
        taken = store.rows(
            "SELECT c.cost, o.sampling = c.sampling AS same, o.seed = c.seed AS seed, o.key <> c.key AS other FROM call_details c JOIN call_details o ON o.id = c.cached_from"
        )
        assert taken == [{"cost": 0.0, "same": 1, "seed": 1, "other": 1}] * 8
        sources = store.rows("SELECT cached_from FROM calls WHERE cached_from IS NOT NULL")
        assert len({row["cached_from"] for row in sources}) == 8, "n samples stay n answers"
    another = Counting()
    another.fingerprint = "another model"
    reasoner.bench("number_path", strategy="cot", model=another, n=2, db=db, cache=True)
    assert another.calls == 2
    plain = Counting()
    reasoner.bench("number_path", strategy="cot", model=plain, n=5, db=db)
    assert plain.calls == 5, "without the option nothing is taken"
    assert reasoner.replay(made.report.run_id, db=db).exact


def lost_call(db: Path, cost: float | None) -> None:
    """Record a solve whose one call was sent and never answered."""
    client = ScriptedClient([TimedOut("nothing came back")], paid=True)
    client.fingerprint = "one model"
    reasoner.solve("number_path", "4 9 41", strategy="cot", model=client, db=db, retry=RetryPolicy(attempts=1))
    with Store.open(db) as store:
        assert store.rows("SELECT state FROM calls") == [{"state": "unknown"}]
        store.write_now(lambda c: c.execute("UPDATE calls SET lost_cost = ?", (cost,)))


def paid(*replies: str) -> ScriptedClient:
    made = ScriptedClient(list(replies), paid=True)
    made.fingerprint = "one model"
    return made


@pytest.mark.parametrize(("cost", "mode", "asked"), [(None, "auto", True), (0.01, "auto", True), (0.5, "auto", False), (0.5, "retry", True), (0.01, "ask", False), (0.01, "skip", False)])  # fmt: skip
def test_a_lost_call_is_made_again_only_where_that_is_wanted(db: Path, cost: float | None, mode: Any, asked: bool) -> None:
    lost_call(db, cost)
    client = paid("Answer: none")

    def run(**more: Any) -> reasoner.Result:
        return reasoner.solve("number_path", "4 9 41", strategy="cot", model=client, db=db, on_unknown=mode, **more)

    if asked:
        assert run().status == "closed"
    elif mode == "skip":
        outcome = run()
        assert (outcome.status, outcome.error_kind) == ("failed", "OutcomeUnknown")
        assert 'on_unknown="retry"' in (outcome.error or "")
    else:
        with pytest.raises(OutcomeUnknown, match="may have been billed"):
            run()
        questions: list[str] = []
        with pytest.raises(OutcomeUnknown):
            run(confirm=lambda question: [*questions, questions.append(question)] == [])  # type: ignore[func-returns-value]
        assert len(questions) == 1
        assert client.requests == []
        assert run(confirm=lambda _question: True).status == "closed"
    assert len(client.requests) == (1 if asked or mode != "skip" else 0)


def test_a_money_budget_over_an_unpriced_model_is_refused_unless_allowed(db: Path) -> None:
    both: list[dict[str, Any]] = [{"limits": reasoner.Limits(cost=1.0)}, {"run_limits": reasoner.Limits(cost=1.0)}]
    for limits in both:
        with pytest.raises(BadConfig, match="allow_unpriced"):
            reasoner.solve("number_path", "4 9 41", strategy="cot", model=paid("x"), db=db, **limits)
        outcome = reasoner.solve(
            "number_path", "4 9 41", strategy="cot", model=paid("x"), db=db, allow_unpriced=True, mode="fresh", **limits
        )
        assert (outcome.status, outcome.spent.cost) == ("closed", None)


def test_the_budget_of_a_run_ends_it_resumably_and_more_lets_it_go_on(db: Path) -> None:
    client = Counting()

    def run(calls: int) -> reasoner.Bench:
        return reasoner.bench("number_path", strategy="cot", model=client, n=6, db=db, run_limits=reasoner.Limits(calls=calls))

    made = run(4)
    assert (client.calls, made.report.cut_short) == (4, 2)
    assert {o.status for o in made.report.results if not o.correct} == {"exhausted"}
    with Store.open(db) as store:
        assert store.rows("SELECT status FROM runs") == [{"status": "exhausted"}]
    made = run(6)
    assert (client.calls, made.report.cut_short) == (6, 0)
    assert all(o.correct for o in made.report.results)


def test_two_that_are_given_the_same_run_share_it(db: Path) -> None:
    clients = [Counting(), Counting()]

    async def slow(client: Counting) -> reasoner.Bench:
        ask = client.complete

        async def complete(request: Any) -> Any:
            await asyncio.sleep(0.02)
            return await ask(request)

        client.complete = complete  # type: ignore[method-assign]
        return await reasoner.abench("number_path", strategy="cot", model=client, n=20, db=db)

    async def both() -> list[reasoner.Bench]:
        return list(await asyncio.gather(*map(slow, clients)))

    made = asyncio.run(both())
    assert sum(client.calls for client in clients) == 20
    assert min(client.calls for client in clients) >= 5
    assert [len(m.report.results) for m in made] == [20, 20]
    assert made[0].rows[0].correct == made[1].rows[0].correct == 20
    assert len({m.report.run_id for m in made}) == 1
    with Store.open(db) as store:
        assert store.rows("SELECT status FROM runs") == [{"status": "finished"}]
        assert store.rows("SELECT count(*) AS n FROM workers") == [{"n": 0}]
        assert store.rows("SELECT count(*) AS n FROM calls") == [{"n": 20}]
