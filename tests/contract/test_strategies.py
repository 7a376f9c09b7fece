"""What every registered strategy must do on every registered solver, whoever wrote it and whenever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.api.bench import arun
from reasoner.budget import Limits
from reasoner.clients import open_client
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison import tabulate
from reasoner.errors import UsageError
from reasoner.runs.problems import draw
from reasoner.runs.results import Result
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.session.digit_grouping import group
from reasoner.solver import Searchable
from reasoner.store import Store
from reasoner.store.queries import load_trajectory
from reasoner.types import Completion, Request, Sampling

SOLVERS = [name for name in registry.names("solver") if registry.solver(name).judged]
STRATEGIES = [
    name
    for name in registry.names("strategy")
    if not (only := registry.find("strategy", name).solvers) or any(solver.partition(":")[0] in SOLVERS for solver in only)
]
"""All that work on something with right answers; `plain` and `chat` are tested with the endpoint."""
SMALL_TOT = "tot:breadth=2,value_samples=1"
VARIANTS = [
    *STRATEGIES,
    "ats:order=dfs",
    "cot:format=json",
    "tot:search=dfs,value_samples=1,prune_below=0.01",
    "tot:generate=sample,evaluate=vote,breadth=2,candidates=4,value_samples=2",
    "tot:breadth=2,value_samples=1,oracle=true",
    "iot:mode=guided,max_rounds=2",
    "iot(cot)",
    "best_of_n:n=2,select=logprob",
    "self_consistency(ats):n=2",
    "fragment_shot:reply=line",
    "self_consistency:stop=certain",
    "self_consistency:stop=beta",
    "self_consistency:weight=logprob,stop=certain",
    "best_of_n:n=3,select=check",
    "draft:calls=1",
    "draft:form=json",
    "program:n=3",
    "repair(direct):early_stop=false,rounds=1",
    "self_consistency(iot:mode=guided,max_rounds=2):n=2",
    "self_consistency(guided):n=2",
    "refine:until_satisfied=false,rounds=1",
]
HOSTILE_TO = [v for v in VARIANTS if "logprob" not in v]
"""Scripted replies carry no log-probabilities; that this is refused is tested with the strategy."""


def works_on(strategy: str, solver: str) -> bool:
    """Tell whether a strategy can work on a solver: it may be made for some only, and the teacher writes no search where there is none."""
    only = registry.find("strategy", strategy.partition(":")[0].partition("(")[0]).solvers
    searches = "ats" in strategy or "guided" in strategy or strategy.startswith("tot")
    return solver in only if only else isinstance(registry.solver(solver), Searchable) or not searches


def home(strategy: str) -> str:
    """Return a solver the strategy works on."""
    return next(solver for solver in ("number_path", *SOLVERS) if works_on(strategy, solver))


SUITED = [(strategy, solver) for strategy in VARIANTS for solver in SOLVERS if works_on(strategy, solver)]
SAMPLING = Sampling(max_tokens=4000)


async def run(db: Path, strategy: str, client: Any, *, solver: str = "", n: int = 2, **setup: Any) -> list[Result]:
    report = await arun(
        draw(solver or home(strategy), n=n, seed=3, level=level_of(strategy)),
        parse_strategies(strategy),
        [client],
        db=db,
        sampling=SAMPLING,
        **setup,
    )
    return list(report.results)


def level_of(strategy: str) -> int | None:
    """Return the direction English to Mesrin for what needs a pivot, else the default."""
    return 7 if "pivot" in strategy else None


class Counting:
    """A client that counts, in front of another."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name, self.fingerprint, self.paid, self.concurrency = inner.name, inner.fingerprint, inner.paid, inner.concurrency
        self.calls = 0

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        completion: Completion = await self.inner.complete(request)
        return completion

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize(("strategy", "solver"), SUITED)
async def test_replay_makes_no_call_and_gives_the_identical_graph(tmp_path: Path, strategy: str, solver: str) -> None:
    client = Counting(open_client("teacher"))
    first = await run(tmp_path / "s.db", strategy, client, solver=solver)
    assert client.calls == sum(o.spent.calls for o in first) > 0
    assert all(o.correct for o in first), [o.verdict for o in first]
    made = client.calls
    for mode in ("recheck", "join"):
        again = await run(tmp_path / "s.db", strategy, client, solver=solver, mode=mode)
        assert client.calls == made
        assert [o.dag_hash for o in again] == [o.dag_hash for o in first]
        assert again == [Result(**{f: getattr(o, f) for f in o.__slots__} | {"new_calls": 0}) for o in first]
    with Store.open(tmp_path / "s.db") as store:
        for outcome in first:
            assert load_trajectory(store, outcome.trajectory_id).hash() == outcome.dag_hash
            assert outcome.trajectory is not None
            assert len(outcome.trajectory.graph) > 1
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state <> 'done'") == [{"n": 0}]
        assert store.rows("SELECT count(*) AS n FROM runs") == [{"n": 1}]


@pytest.mark.parametrize("strategy", VARIANTS)
async def test_deterministic_under_a_seed(tmp_path: Path, strategy: str) -> None:
    asked = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        teacher = open_client("teacher")
        client = Counting(teacher)
        requests: list[Request] = []
        inner = client.complete

        async def complete(request: Request, inner: Any = inner, requests: list[Request] = requests) -> Completion:
            requests.append(request)
            answer: Completion = await inner(request)
            return answer

        client.complete = complete  # type: ignore[method-assign]
        outcomes = await run(tmp_path / f"{name}.db", strategy, client, n=1, seed=seed)
        asked.append(([r.canonical() for r in requests], outcomes[0].dag_hash))
    assert asked[0] == asked[1]
    assert asked[0][0] != asked[2][0], "another seed must ask with other seeds"


@pytest.mark.parametrize("strategy", VARIANTS)
async def test_budget_is_respected(tmp_path: Path, strategy: str) -> None:
    client = Counting(open_client("teacher"))
    (outcome,) = await run(tmp_path / "s.db", strategy, client, n=1, limits=Limits(calls=0))
    assert client.calls == 0
    assert outcome.status == "exhausted"
    assert not outcome.correct
    assert outcome.verdict is not None
    assert outcome.verdict.unparsed


@pytest.mark.parametrize("strategy", VARIANTS)
@pytest.mark.parametrize("limit", [1, 3])
async def test_no_call_is_made_beyond_the_budget_and_none_that_was_made_is_lost(tmp_path: Path, strategy: str, limit: int) -> None:
    client = Counting(open_client("teacher"))
    (outcome,) = await run(tmp_path / "s.db", strategy, client, n=1, limits=Limits(calls=limit))
    assert client.calls == outcome.spent.calls <= limit
    assert (outcome.status, outcome.spent.calls) == ("exhausted", limit) or (outcome.status, outcome.correct) == ("closed", True)
    (again,) = await run(tmp_path / "s.db", strategy, client, n=1, limits=Limits(calls=limit), mode="recheck")
    assert (again.dag_hash, again.text, again.status) == (outcome.dag_hash, outcome.text, outcome.status)
    assert client.calls <= limit
    with Store.open(tmp_path / "s.db") as store:
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state <> 'done'") == [{"n": 0}]


N_CALLS: dict[str, int] = {
    "direct": 1,
    "example_shot": 1,
    "fragment_shot": 1,
    "fragment_shot_pivot": 1,
    "cot": 1,
    "ats": 1,
    "ats:order=dfs": 1,
    "iot": 2,  # 2 k: the teacher is done in one round
    "iot:max_rounds=1": 2,
    "iot:mode=guided": 2 * 5 + 1,
    "iot:mode=guided,max_rounds=3": 2 * 3 + 1,
    "iot(cot)": 2 * 2,  # only the guide can say that it is over, in the round after
    "iot(cot):mode=guided,max_rounds=2": 2 * 2 + 1,
    "self_consistency": 5,
    "self_consistency(iot):n=3": 3 * 2,
    "best_of_n": 5 + 5,
    "best_of_n:select=logprob": 5,
    "best_of_n:select=verifier,n=2": 2,
    "best_of_n(self_consistency:n=3):n=2": 2 * 3 + 2,
    "self_consistency:stop=certain": 3,  # three of five that agree cannot be outvoted
    "self_consistency:stop=certain,n=4": 2,  # nor two of four, since of equals the one first met is given
    "self_consistency:stop=beta,n=40": 4,  # 1 - 2^-5 is the first that reaches 0.95
    "self_consistency:weight=logprob,stop=certain": 3,  # the teacher's log-probabilities are 0
    "best_of_n:n=3,select=check": 3,
    "draft": 2,
    "draft:calls=1": 1,
    "draft:form=json": 2,
    "program": 1,
    "program:n=3": 3,
    "repair": 1,  # the check passes at once
    "repair:early_stop=false,rounds=3": 1 + 3,
    "repair(self_consistency:n=3)": 3,
    "guided": 2,  # a call a step; where nothing is legal any more nobody is asked
    # Two moves and the answer are three steps; what is proposed alike is scored once and followed once.
    "beam": 3 * 3 + 2 * 3 + 3 + 1,
    "beam:score=logprob": 3 * 3 + 2 * 3 + 1,
    "beam:score=check": 3 * 3 + 2 * 3 + 3,  # the answer was written when its path was scored
    "beam:diverse=true": 3 * (3 + 2 * 3 + 3) + 1,
    "beam:width=2,expand=4,depth=1": 2 * 4 + 1 + 1,
    "mcts": 3 * 3 + 3 + 1,
    "mcts:simulations=2,expand=5": 2 * 5 + 2 + 1,
    "mcts:score=check": 3 * 3 + 3,
    "refine": 1 + 1,  # the critique finds nothing wrong
    "refine:until_satisfied=false,rounds=3": 1 + 2 * 3,
}
"""What each strategy's algorithm says, on the teacher. `tot` is counted by formula below."""


def test_every_strategy_states_its_calls() -> None:
    assert {name.partition(":")[0] for name in N_CALLS} | {"tot", "react", "code_act"} >= set(
        STRATEGIES
    )  # the last two: as many as their turns


@pytest.mark.parametrize("strategy", N_CALLS)
async def test_as_many_calls_as_the_algorithm_says(tmp_path: Path, strategy: str) -> None:
    client = Counting(open_client("teacher"))
    (outcome,) = await run(tmp_path / "s.db", strategy, client, n=1, solver="arithmetic" if works_on(strategy, "arithmetic") else "")
    assert client.calls == outcome.spent.calls == N_CALLS[strategy]


@pytest.mark.parametrize("solver", [solver for solver in SOLVERS if works_on("tot", solver)])
@pytest.mark.parametrize(("strategy", "samples"), [("tot", 3), (SMALL_TOT, 1), ("tot:search=dfs,value_samples=2,prune_below=0.01", 2)])
async def test_tot_makes_as_many_calls_as_its_formula_says(tmp_path: Path, solver: str, strategy: str, samples: int) -> None:
    (outcome,) = await run(tmp_path / "s.db", strategy, open_client("teacher"), n=1, solver=solver)
    dag = outcome.trajectory
    assert dag is not None
    expansions = [t for t in dag.thoughts() if t.role == "tot/propose"]
    steps = [t for t in dag.thoughts() if t.role == "tot/step"]
    states = {(dag.graph.nodes[t.id]["depth"], str(dag.mark_of(t).state).casefold()) for t in steps}
    assert outcome.spent.calls == len(expansions) + samples * len(states) + 1


@pytest.mark.parametrize("strategy", ["ats", "ats:order=dfs", "tot", SMALL_TOT, "tot:search=dfs,value_samples=1,prune_below=0.01"])
async def test_what_was_pruned_stays_in_the_graph(tmp_path: Path, strategy: str) -> None:
    (outcome,) = await run(tmp_path / "s.db", strategy, open_client("teacher"), n=1, solver="game24")
    with Store.open(tmp_path / "s.db") as store:
        dag = load_trajectory(store, outcome.trajectory_id)
    statuses = [dag.mark_of(thought).status for thought in dag.thoughts()]
    assert statuses.count("pruned") > 1
    assert statuses.count("kept") > 1
    assert statuses.count("final") == 1


@pytest.mark.parametrize("strategy", [strategy for strategy in HOSTILE_TO if works_on(strategy, "number_path")])
async def test_numbers_are_grouped_in_all_the_model_sees_and_nowhere_else(tmp_path: Path, strategy: str) -> None:
    folder = tmp_path / "prompts" / "solvers"
    folder.mkdir(parents=True)
    head = "+++\nversion = 1\nvariables = []\n+++\n"
    (folder / "number_path.jinja").write_text(head + "{% block text %}Add 1234567 to 7654321.\nEnd with a line 'Answer: N'.{% endblock %}")
    reply = "1: 8888888 -> 8,888,888 (1234567 + 7,654,321 = 8,888,888)\nValue: sure\nAnswer: 8,888,888"
    both: dict[str, tuple[Result, ScriptedClient]] = {}
    for numbers in ("plain", "right_to_left"):
        client = ScriptedClient(lambda _request: reply)
        text = f"{strategy}{',' if ':' in strategy else ':'}numbers={numbers}"
        (outcome,) = await run(tmp_path / f"{numbers}.db", text, client, n=1, prompts=tmp_path / "prompts")
        both[numbers] = (outcome, client)
    plain, grouped = both["plain"], both["right_to_left"]
    same = slice(1) if strategy.startswith("repair") else slice(None)  # what a check says of 8,888,888 it does not say of 8888888
    asked = [[r.messages for r in client.requests[same]] for _, client in (plain, grouped)]
    assert [m.content for each in asked[1] for m in each] == [group(m.content) for each in asked[0] for m in each]
    assert all("1,234,567" in "".join(m.content for m in r.messages) for r in grouped[1].requests)
    assert "numbers=right_to_left" in grouped[0].strategy
    assert plain[0].answer is not None
    assert grouped[0].answer is not None
    assert "8,888,888" in plain[0].answer
    assert "8,888,888" not in grouped[0].answer
    dag = grouped[0].trajectory
    assert dag is not None
    assert not any("," in str(dag.mark_of(t).state) + t.operation for t in dag.thoughts() if t.role.endswith("/step"))


HOSTILE = [
    "",
    " ",
    "x" * 1_000_000,
    "(" * 100_000,
    "1.1.1.1" * 5000,
    "\x1b[2J\u202e",
    "Answer:",
    "1: a -> b\n" * 30_000,
    "\ud800",
    "Answer: " + "9" * 10_000,
]


@pytest.mark.parametrize("strategy", HOSTILE_TO)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_replies_end_in_a_verdict(tmp_path: Path, strategy: str, text: str) -> None:
    (outcome,) = await run(tmp_path / "s.db", strategy, ScriptedClient(lambda _request: text), n=1)
    assert not outcome.correct
    assert outcome.status in {"closed", "exhausted"}
    with Store.open(tmp_path / "s.db") as store:
        assert load_trajectory(store, outcome.trajectory_id).hash() == outcome.dag_hash


# A translation may be any text, so there is none that cannot be read.
@pytest.mark.parametrize("strategy", [strategy for strategy in HOSTILE_TO if works_on(strategy, "number_path")])
async def test_what_cannot_be_read_counts_as_wrong_and_is_shown(tmp_path: Path, strategy: str) -> None:
    """Published tables leave unreadable answers out of their means."""
    outcomes = await run(tmp_path / "s.db", strategy, ScriptedClient(lambda _request: "I have\nno idea."), n=3)
    (row,) = tabulate(outcomes)
    assert (row.n, row.correct, row.unparsed, row.failed) == (3, 0, 3, 0)


@pytest.mark.parametrize("strategy", HOSTILE_TO)
async def test_echo_is_not_an_answer(tmp_path: Path, strategy: str) -> None:
    for solver in (each for each in SOLVERS if works_on(strategy, each)):
        (outcome,) = await run(tmp_path / f"{solver}.db", strategy, ScriptedClient(lambda r: r.messages[-1].content), solver=solver, n=1)
        assert not outcome.correct, solver


def test_every_strategy_documents_its_parameters() -> None:
    for name in STRATEGIES:
        strategy = registry.find("strategy", name)
        assert strategy.summary
        for key, field in strategy.Params.model_fields.items():
            assert field.description, (name, key)
            assert field.default is not None or "None:" in field.description, "what None means is said"


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if registry.find("strategy", s).solvers])
async def test_what_is_made_for_some_solvers_refuses_the_others(tmp_path: Path, strategy: str) -> None:
    with pytest.raises(UsageError, match=strategy):
        await run(tmp_path / "s.db", strategy, ScriptedClient([]), solver="number_path", n=1)
