"""Tree of Thoughts: the strategy does the searching; the model proposes steps and says what it thinks of the states they lead to.

    expand     9                 1: 9 -> 10 (9 + 1 = 10)    2: 9 -> 18 (9 * 2 = 18)      one call for each state that goes on
    evaluate   10: sure 20       18: impossible 0.001                                    `value_samples` calls for each new state
    keep       10                                                                        the best `breadth`, the others are pruned
    answer     along the best leaf: "Answer: 9 -> 10 -> 20"                              one call

Calls, counted by what the search did: expansions + value_samples x states valued + 1. With breadth b, depth d and k new candidates from
every expansion (k >= b), breadth first: 1 + (d - 1) b expansions and k times as many states valued. `generate=sample` makes `candidates` calls
of each expansion; `evaluate=vote` makes `value_samples` calls for each choice among two candidates or more.

The selector is honest: the highest-valued leaf, by the model's own evaluations, never the verifier's. `oracle=true` answers along every leaf and
lets the verifier choose: an upper bound, which the label shows. A state is a piece of text that the model wrote; no solver is seen.

Source: Yao et al., "Tree of Thoughts", arXiv 2305.10601; the selector of depth-first search (deepest state, the first of equals) as its
authors describe it. Where it differs from the published code, see docs/reference/strategies.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.session.gather import together
from reasoner.strategies import Strategy
from reasoner.strategies._candidates import Candidate, read_candidates, read_value, read_vote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Search = Literal["bfs", "dfs"]
Generate = Literal["propose", "sample"]
Evaluate = Literal["value", "vote"]


class TreeOfThoughts(Strategy):
    """Search a tree of states that the model proposes and evaluates, one call at a time."""

    name = "tot"
    summary = "a tree search by many calls: propose steps, evaluate states, keep the best (bfs or dfs)"

    class Params(Strategy.Params):
        """Parameters of `tot`; the defaults are those published for breadth-first search."""

        search: Search = Field(default="bfs", description="bfs (a beam) or dfs (best child first, with backtracking)")
        generate: Generate = Field(default="propose", description="propose (one call lists the steps) or sample (one call per step)")
        evaluate: Evaluate = Field(default="value", description="value (each state by itself) or vote (among the candidates)")
        breadth: int = Field(default=5, ge=1, le=50, description="states kept per level (bfs) or tried per state (dfs)")
        depth: int = Field(default=4, ge=1, le=20, description="steps at most")
        candidates: int = Field(default=8, ge=1, le=50, description="steps taken from one expansion at most")
        value_samples: int = Field(default=3, ge=1, le=20, description="evaluations of each state, or votes of each choice")
        prune_below: float = Field(default=0.0, ge=0, le=20, description="a mean value under this ends a branch (impossible is 0.001)")
        max_states: int = Field(default=100, ge=1, le=1000, description="states expanded at most (dfs)")
        temperature: float = Field(
            default=0.7, ge=0, le=2, description="temperature of all calls but the answer, whatever the run's own is"
        )
        oracle: bool = Field(default=False, description="let the verifier choose among the leaves: an upper bound, no method")

    params: Params

    @property
    def oracle(self) -> bool:
        """Whether the verifier chooses among the leaves."""
        return self.params.oracle

    async def run(self, session: Session) -> Answer:
        """Search, then answer along the best leaf; a search that found no step at all answers from the start."""
        tree = _Tree(session, self.params)
        leaves = await (tree.depth_first() if self.params.search == "dfs" else tree.breadth_first())
        if not self.oracle:
            return await tree.answer(leaves[0])
        answers = [await tree.answer(leaf, status="pruned") for leaf in leaves[: self.params.breadth]]
        thoughts = [session.trajectory.thought(answer.thought_id or "") for answer in answers]
        right = [(await session.oracle(a.text, thought)).correct for a, thought in zip(answers, thoughts, strict=True)]
        chosen = right.index(True) if any(right) else 0
        session.mark(thoughts[chosen], status="final")
        return session.offer(answers[chosen].text, thoughts[chosen])


@dataclass(slots=True)
class _Node:
    """One state of the search: how it was reached, and what the model thinks of it. `step` is None at the start."""

    thought: Thought
    step: Candidate | None = None
    above: tuple[Candidate, ...] = ()
    value: float = -1.0

    @property
    def path(self) -> tuple[Candidate, ...]:
        return (*self.above, self.step) if self.step else self.above

    @property
    def goal(self) -> bool:
        return self.step is not None and self.step.goal

    @property
    def place(self) -> tuple[int, str]:
        """What its value is kept under: a state may be worth something else after more steps."""
        return (len(self.path), self.step.key if self.step else "")

    @property
    def rank(self) -> tuple[float, bool, int]:
        return (self.value, self.goal, len(self.path))


@dataclass(slots=True)
class _Tree:
    session: Session
    params: TreeOfThoughts.Params
    values: dict[tuple[int, str], float] = field(default_factory=dict)
    """Each state is valued once; a duplicate has the value of the first."""

    async def breadth_first(self) -> list[_Node]:
        """Return the leaves, the best first: the last level, what the model called the goal, and states out of which it knew no step."""
        frontier = [_Node(self.session.root)]
        leaves: list[_Node] = []
        for _ in range(self.params.depth):
            grown = await together([self.expand(node) for node in frontier])
            leaves += [node for node, found in zip(frontier, grown, strict=True) if not found]
            frontier = [node for node, found in zip(frontier, grown, strict=True) if found]
            children = await self.valued([child for found in grown for child in found], self.session.root)
            ranked = sorted(children, key=lambda node: -node.value)  # stable: of equals the one proposed first
            kept = [node for node in ranked if node.value >= self.params.prune_below][: self.params.breadth]
            if not kept:
                break
            for node in kept:
                self.session.mark(node.thought, status="kept")
            leaves += [node for node in kept if node.goal]
            frontier = [node for node in kept if not node.goal]
            best = max([*leaves, *frontier], key=lambda node: node.rank)
            self.session.offer(best.thought.text, best.thought)
            if not frontier:
                break
        return sorted([*leaves, *frontier], key=lambda node: node.rank, reverse=True)

    async def depth_first(self) -> list[_Node]:
        """Return the states visited: what the model called the goal, then the deepest first; of equals the first visited. Never empty."""
        start = _Node(self.session.root)
        visited: list[_Node] = []
        stack = [start]
        n_expanded = 0
        while stack and n_expanded < self.params.max_states:
            node = stack.pop()
            visited.append(node)
            if node is not start:
                deepest = _deepest_first(visited)[0]
                self.session.offer(deepest.thought.text, deepest.thought)
            if node.goal:
                break
            if len(node.path) < self.params.depth:
                n_expanded += 1
                children = await self.valued(await self.expand(node), node.thought)
                ranked = sorted(children, key=lambda child: -child.value)
                kept = [child for child in ranked if child.value >= self.params.prune_below][: self.params.breadth]
                stack += reversed(kept)
        found = _deepest_first(visited)
        for node in found:
            if node is not start and node.path == found[0].path[: len(node.path)]:
                self.session.mark(node.thought, status="kept")  # the others were gone back from, and stay pruned
        return found

    async def expand(self, node: _Node) -> list[_Node]:
        """Ask for steps out of a state. A reply with no step in it stays in the graph, pruned."""
        session, params = self.session, self.params
        shown = {**self._shown(node), "n_steps": params.candidates}
        asked: dict[str, Any] = {
            "parent": node.thought,
            "sampling": {"temperature": params.temperature},
            "state": self._state(node),
            "truncatable": {"steps": "oldest"},
            **shown,
        }
        if params.generate == "propose":
            replies = [await session.ask("tot/propose", **asked)]
        else:
            replies = await session.ask_many("tot/sample", n=params.candidates, **asked)
        children: list[_Node] = []
        for reply in replies:
            found = read_candidates(session.read(reply), params.candidates if params.generate == "propose" else 1)
            session.mark(reply, status="kept" if found else "pruned", state={"candidates": len(found)})
            for step in found:
                thought = session.note(step.text, parent=reply, role="tot/step", state=step.state, operation=step.operation)
                session.mark(thought, status="pruned")  # until it is chosen
                children.append(_Node(thought, step, node.path))
        return children

    async def valued(self, nodes: list[_Node], place: Thought) -> list[_Node]:
        """Evaluate new states and return one node for each; a duplicate keeps its value, and is not followed a second time."""
        fresh: dict[tuple[int, str], _Node] = {}
        for node in nodes:
            if node.place not in self.values:
                fresh.setdefault(node.place, node)
        new = list(fresh.values())
        if self.params.evaluate == "vote":
            await self._vote(new, place)
        else:
            self.values.update(await together([self._value(node) for node in new]))
        for node in nodes:
            node.value = self.values[node.place]
            self.session.mark(node.thought, score=node.value)
        return new

    async def _value(self, node: _Node) -> tuple[tuple[int, str], float]:
        """Return a state's place and its mean value. An evaluation that cannot be read counts 0, below every word."""
        replies = await self.session.ask_many(
            "tot/value", n=self.params.value_samples, parent=node.thought, sampling={"temperature": self.params.temperature},
            state=self._state(node), discard_cache=True, truncatable={"steps": "oldest"}, **self._shown(node),
        )  # fmt: skip
        read = [read_value(self.session.read(reply)) for reply in replies]
        for reply, value in zip(replies, read, strict=True):
            self.session.mark(reply, state={"value": value})
        return node.place, sum(value or 0.0 for value in read) / len(read)

    async def _vote(self, nodes: list[_Node], place: Thought) -> None:
        """Let the model vote among states; a state's value is its share of the votes. A single one needs no vote."""
        votes = [0] * len(nodes)
        if len(nodes) > 1:
            shown = [self._shown(node) for node in nodes]
            replies = await self.session.ask_many(
                "tot/vote", n=self.params.value_samples, parent=place, sampling={"temperature": self.params.temperature},
                options=shown, n_options=len(nodes), discard_cache=True,
            )  # fmt: skip
            for reply in replies:
                index = read_vote(self.session.read(reply), len(nodes))
                self.session.mark(reply, state={"vote": None if index is None else index + 1})
                if index is not None:
                    votes[index] += 1
        for node, n_votes in zip(nodes, votes, strict=True):
            self.values[node.place] = n_votes / self.params.value_samples if len(nodes) > 1 else 1.0

    async def answer(self, leaf: _Node, *, status: Literal["final", "pruned"] = "final") -> Answer:
        """Ask for the answer line along a leaf's path, with the run's own sampling."""
        reply = await self.session.ask("tot/answer", parent=leaf.thought, state=self._state(leaf), **self._shown(leaf))
        self.session.mark(reply, status=status)
        return self.session.offer(reply.text, reply)

    @staticmethod
    def _shown(node: _Node) -> dict[str, Any]:
        return {"steps": [{"text": step.text, "state": step.state, "operation": step.operation} for step in node.path]}

    @staticmethod
    def _state(node: _Node) -> str | None:
        return node.step.state if node.step else None


def _deepest_first(visited: Sequence[_Node]) -> list[_Node]:
    return sorted(visited, key=lambda node: (not node.goal, -len(node.path)))  # stable: of equals the first visited
