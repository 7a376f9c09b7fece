"""The contender of the overhead bench that is ours: logged calls through a strategy, as `reasoner bench` makes them.

The real path: `Runner.execute` on a store on disk, a strategy that asks `cot/answer` again and again, each question standing on the last
answer. Sequentially it is one trajectory and the store does not fsync (`NORMAL`, what a server on this machine gets); at a width the client
is said to cost money (`FULL`, every commit fsynced), and twice as many trajectories are under way as calls, which is what a run does.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path

from _overhead_peers import MAX_TOKENS, WIDEST, Round, base_url, serve, settle
from pydantic import Field

from reasoner import registry
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.openai import OpenAIClient
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import strategy_spec
from reasoner.session import Session
from reasoner.store import Store
from reasoner.strategies import Strategy
from reasoner.types import Answer, Sampling


class AgainAndAgain(Strategy):
    """Ask n times in sequence, each question under the answer before it; the last answer counts."""

    name = "again_and_again"
    summary = "the strategy of the overhead bench"

    class Params(Strategy.Params):
        """Its one parameter."""

        n: int = Field(default=1, ge=1, description="calls")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Ask."""
        thought = session.root
        for _ in range(self.params.n):
            thought = await session.ask("cot/answer", parent=thought)
            session.mark(thought, status="kept")
        session.mark(thought, status="final")
        return session.offer(thought.text, thought)


def open_ours(port: int, latency_ms: int, width: int) -> OpenAIClient:
    """Open the client; at a width it is said to cost money."""
    client = open_client("openai:stub", ClientOptions(base_url=base_url(port, latency_ms), concurrency=width))
    assert isinstance(client, OpenAIClient)
    client.paid = width > 1
    return client


async def ours(port: int, folder: Path, *, calls: int = 0) -> Round:
    """Make the contender; `calls` is how many each trajectory makes at a width, 0: as few as fill twice the width."""
    point = EntryPoint(AgainAndAgain.name, f"{__name__}:{AgainAndAgain.__name__}", "reasoner.strategies")
    registry.entry_points = lambda group: [point] if group == point.group else []  # type: ignore[attr-defined,assignment]
    registry.forget()
    problems = draw("game24", n=2 * WIDEST, seed=0)
    store = Store.open(folder / "trajectories.db")
    clients: dict[tuple[int, int], OpenAIClient] = {}

    async def round_(n: int, width: int, latency_ms: int) -> None:
        client = clients.setdefault((latency_ms, width), open_ours(port, latency_ms, width))
        chosen = problems[: 1 if width == 1 else 2 * width]
        samples = n // len(chosen) // calls if calls else 1
        spec = strategy_spec(AgainAndAgain.name, {"n": n // len(chosen) // samples})
        plan = Plan(chosen, [spec], samples=samples, sampling=Sampling(max_tokens=MAX_TOKENS))
        async with open_run(plan, [client], RunOptions(mode="fresh"), db=store) as run:
            report = await run.finish()
        made = sum(outcome.new_calls for outcome in report.results)
        assert made == n, f"{made} calls instead of {n}"
        done = store.rows(
            "SELECT count(*) AS n FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE run_id = ? AND c.state = 'done'",
            [report.run_id],
        )
        assert done[0]["n"] == n, f"{done} rows instead of {n}"

    return round_


async def main(name: str, port: int, core: int) -> None:
    """Set the contender up and serve its rounds."""
    settle(core)
    with tempfile.TemporaryDirectory(prefix="overhead-", dir=os.environ.get("OVERHEAD_DIR")) as folder:
        await serve(await ours(port, Path(folder), calls=1 if name.endswith("one call each") else 0))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
