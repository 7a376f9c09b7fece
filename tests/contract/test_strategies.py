"""What every registered strategy must do on every registered solver, whoever wrote it and whenever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.api import Setup, execute
from reasoner.budget import Limits
from reasoner.clients import open_client
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import UsageError
from reasoner.plan import draw, parse_strategies
from reasoner.run import Outcome
from reasoner.store import Store
from reasoner.store.queries import load_trajectory
from reasoner.types import Completion, Request, Sampling

STRATEGIES = registry.names("strategy")
SOLVERS = registry.names("solver")
VARIANTS = [*STRATEGIES, "ats:order=dfs", "fragment_shot:reply=line"]


def works_on(strategy: str, solver: str) -> bool:
    """Tell whether a strategy can work on a solver: it may be made for some only, and the teacher writes no search where there is none."""
    only = registry.find("strategy", strategy.partition(":")[0]).solvers
    return solver in only if only else registry.solver(solver).searchable or not strategy.startswith("ats")


def home(strategy: str) -> str:
    """Return a solver the strategy works on."""
    return next(solver for solver in ("number_path", *SOLVERS) if works_on(strategy, solver))


SUITED = [(strategy, solver) for strategy in VARIANTS for solver in SOLVERS if works_on(strategy, solver)]
SAMPLING = Sampling(max_tokens=4000)


async def run(db: Path, strategy: str, client: Any, *, solver: str = "", n: int = 2, **setup: Any) -> list[Outcome]:
    report = await execute(
        draw(solver or home(strategy), n=n, seed=3, level=level_of(strategy)),
        parse_strategies(strategy),
        [client],
        Setup(db=db, sampling=SAMPLING, **setup),
        keep_graphs=True,
    )
    return list(report.outcomes)


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
    for replay in (True, False):
        again = await run(tmp_path / "s.db", strategy, client, solver=solver, replay=replay)
        assert client.calls == made
        assert [o.dag_hash for o in again] == [o.dag_hash for o in first]
        assert again == [Outcome(**{f: getattr(o, f) for f in o.__slots__} | {"new_calls": 0}) for o in first]
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


@pytest.mark.parametrize("strategy", VARIANTS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_replies_end_in_a_verdict(tmp_path: Path, strategy: str, text: str) -> None:
    (outcome,) = await run(tmp_path / "s.db", strategy, ScriptedClient(lambda _request: text), n=1)
    assert not outcome.correct
    assert outcome.status in {"closed", "exhausted"}
    with Store.open(tmp_path / "s.db") as store:
        assert load_trajectory(store, outcome.trajectory_id).hash() == outcome.dag_hash


@pytest.mark.parametrize("strategy", VARIANTS)
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
            assert field.default is not None


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if registry.find("strategy", s).solvers])
async def test_what_is_made_for_some_solvers_refuses_the_others(tmp_path: Path, strategy: str) -> None:
    with pytest.raises(UsageError, match=strategy):
        await run(tmp_path / "s.db", strategy, ScriptedClient([]), solver="number_path", n=1)
