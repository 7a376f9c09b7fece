"""Stores for the pages: every strategy in one, a search of any size, and payloads in every field."""

from __future__ import annotations

import asyncio
from pathlib import Path

from reasoner.api.bench import abench, arun
from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.problems import problem_from_line
from reasoner.runs.strategy_spec import StrategySpec, parse_strategies
from reasoner.session import Session
from reasoner.strategies import Strategy
from reasoner.types import Answer, Message

EVERYWHERE = (
    "direct,cot,ats,ats:order=dfs,tot:breadth=2,value_samples=1,iot,iot:mode=guided,max_rounds=2,self_consistency:n=3,best_of_n:n=2"
)
TRANSLATING = "fragment_shot,example_shot"


async def fill(db: Path) -> None:
    """Record every strategy with the teacher: puzzles that are drawn, and translations."""
    for solver in ("number_path", "drop_water", "mini_crossword"):
        await abench([solver], strategy=EVERYWHERE, model="teacher", n=3, db=db)
    await abench(["translation"], strategy=TRANSLATING, model="teacher", n=2, db=db)
    await abench(["translation"], strategy="fragment_shot_pivot", model="teacher", n=1, level=7, db=db)
    chat = problem_from_line("chat", '{"messages": [{"role": "user", "content": "What is six times seven?"}]}')
    await arun([chat], parse_strategies("plain"), [ScriptedClient(lambda _: "42")], db=db)


class Grown(Strategy):
    """Notes as many thoughts as it is told, four to a parent, with every status and score."""

    name = "grown"
    summary = "written for the tests"

    def __init__(self, n: int, texts: list[str]) -> None:
        super().__init__(self.Params())
        self._n = n
        self._texts = texts

    async def run(self, session: Session) -> Answer:
        shown = [Message("user", text) for text in self._texts] or [Message("user", "go")]
        reply = await session.ask("plain/relay", history=shown)
        thoughts = [reply]
        for index in range(self._n - 2):
            text = self._texts[index % len(self._texts)] if self._texts else f"step {index}"
            parent = thoughts[index // 4]
            made = session.note(
                text, parent=parent, role=text[:80] if self._texts else "grown/step", state={"at": text} if index % 2 else text,
                operation=text if self._texts else f"{index} + 1 = {index + 1}", label=text[:60] if self._texts else str(index),
            )  # fmt: skip
            session.mark(made, status=("kept", "pruned", "open")[index % 3], score=index % 10 / 10)
            thoughts.append(made)
        session.mark(thoughts[-1], status="final")
        return session.offer(self._texts[0] if self._texts else "Answer: 2 -> 3", thoughts[-1])


def grow(
    db: Path,
    n: int,
    texts: list[str] | None = None,
    *,
    label: str = "grown",
    model: str = "scripted",
    line: str = "2 9 20",
    solver: str = "number_path",
) -> str:
    """Record a search of n thoughts and return its trajectory's id."""
    spec = StrategySpec(label, "cot", "{}", given=Grown(n, texts or []))
    client = ScriptedClient(lambda _: (texts or ["Answer: 2 -> 3"])[0], name=model)
    report = asyncio.run(arun([problem_from_line(solver, line)], [spec], [client], db=db, mode="fresh"))
    return report.results[0].trajectory_id
