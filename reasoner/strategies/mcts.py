"""Monte Carlo tree search: the path to expand next is chosen by UCT, from the scores of all that was tried below it.

    expand the start     9 + 1 = 10.  0.9      9 * 2 = 18.  0.4
    expand 9 + 1 = 10.   10 * 2 = 20. 0.95     10 + 1 = 11. 0.2         mean below 9 + 1 = 10. now (0.9 + 0.95 + 0.2) / 3
    expand ...           the highest mean + c * sqrt(ln visits above / visits), of equals the first
    answer               along the path that scores highest; one that ends in an answer, where there is one

Calls: `expand` for each of `simulations` expansions at most, what scoring takes (see `reasoner.strategies._stepwise`), and 1 for the answer; with
`score=check`, where every new path is played out to an answer, that one was written before. Each new path is scored once and counts for all paths that
lead to it. A path that has ended, or below which all have, is not chosen again. Nothing is drawn by chance but by the model.

Source: Kocsis and Szepesvari, "Bandit Based Monte-Carlo Planning" (UCT), 2006; over proposed steps as in Hao et al., "RAP", arXiv 2305.14992.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.strategies._stepwise import Node, StepParams, StepSearch, Stepwise, best_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.session import Session
    from reasoner.types import Answer


class MonteCarloTreeSearch(StepSearch):
    """Expand the path that UCT chooses."""

    name = "mcts"
    summary = "a tree search over proposed steps of text, which path to expand next chosen by UCT"

    class Params(StepParams):
        """Parameters of `mcts`."""

        simulations: int = Field(default=8, ge=1, le=1000, description="paths expanded at most")
        exploration: float = Field(default=1.0, ge=0, le=100, description="how much a path counts that was seldom tried (c of UCT)")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Expand paths until the simulations are used up or every path has ended, then answer along the best."""
        search = Stepwise(session, self.params, self.name)
        root = _Tried(search.start)
        for _ in range(self.params.simulations):
            if root.over:
                break
            at = root
            while at.below:
                at = at.chosen(self.params.exploration)
            new = search.distinct(await search.propose(at.node, self.params.expand))
            await search.score(new)
            at.grow(new, depth=self.params.depth)
            search.offer(_best(root))
        best = _best(root)
        for node in root.path_to(best):
            session.mark(node.thought, status="kept")
        return await search.answered(best)


@dataclass(slots=True, eq=False)
class _Tried:
    """A path with what was tried below it. `total` is the sum of the scores of its `visits`: its own, and those of all below."""

    node: Node
    above: _Tried | None = None
    below: list[_Tried] = field(default_factory=list)
    visits: int = 0
    total: float = 0.0
    over: bool = False
    """Whether nothing is left to expand here."""

    def chosen(self, exploration: float) -> _Tried:
        """Return the child that UCT chooses, of equals the first."""
        reach = math.log(max(1, self.visits))
        return max(
            (child for child in self.below if not child.over),
            key=lambda child: child.total / child.visits + exploration * math.sqrt(reach / child.visits),
        )

    def grow(self, nodes: list[Node], *, depth: int) -> None:
        """Hang new paths below this one, and count their scores up to the start. Without any it has ended."""
        for node in nodes:
            child = _Tried(node, self, over=node.done or len(node.steps) >= depth)
            self.below.append(child)
            at: _Tried | None = child
            while at is not None:
                at.visits += 1
                at.total += node.score
                at = at.above
        at = self
        while at is not None and all(child.over for child in at.below):
            at.over = True
            at = at.above

    def leaves(self) -> Iterator[Node]:
        """Yield the ends of all paths, in the order of the tree."""
        if not self.below:
            yield self.node
        for child in self.below:
            yield from child.leaves()

    def path_to(self, node: Node) -> list[Node]:
        """Return the paths that lead to one, itself included, without the start."""
        for child in self.below:
            if child.node is node:
                return [node]
            if found := child.path_to(node):
                return [child.node, *found]
        return []


def _best(root: _Tried) -> Node:
    """Return the leaf that scores highest, of those that end in an answer where there is one."""
    leaves = list(root.leaves())
    return best_of([leaf for leaf in leaves if leaf.done] or leaves)
