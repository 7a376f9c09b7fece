"""Beam: step by step, several next steps of each path are proposed and scored, and the best paths go on.

    level 1   9 + 1 = 10.   0.9     9 * 2 = 18.   0.4     9 + 1 = 10.  (again: not followed twice)
    level 2   10 * 2 = 20.  0.95    10 + 1 = 11.  0.2     from the best `width` paths, `expand` steps each
    level 3   Answer: 9 -> 10 -> 20                       a path that ends in an answer is left as it is
    answer    along the path that scores highest          one call

Calls: width x expand at the first level, expand for each path that goes on after it, what scoring takes (see `reasoner.strategies._stepwise`), and 1
for the answer; with `score=check` the answer was written when its path was scored. `diverse=true` searches `width` subtrees that never
compete with each other, each keeping its one best path (DVTS): beams tend to be alike. Steps are lines of text, so every family will do.

Source: step-wise beam search under a scorer as in Snell et al., arXiv 2408.03314; DVTS as in Hugging Face's "Scaling test-time compute".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.session.gather import together
from reasoner.strategies._stepwise import Node, StepParams, StepSearch, Stepwise, best_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.types import Answer


class Beam(StepSearch):
    """Keep the best paths of a search over steps."""

    name = "beam"
    summary = "proposes and scores steps of text, and goes on with the best paths (a beam, or diverse subtrees)"

    class Params(StepParams):
        """Parameters of `beam`."""

        width: int = Field(default=3, ge=1, le=50, description="paths that go on from level to level")
        diverse: bool = Field(default=False, description="width subtrees that do not compete, each with one path (DVTS)")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Search level by level, then answer along the best path."""
        search = Stepwise(session, self.params, self.name)
        n_beams, width = (self.params.width, 1) if self.params.diverse else (1, self.params.width)
        beams: list[list[Node]] = [[search.start] for _ in range(n_beams)]
        leaves: list[Node] = []
        for level in range(self.params.depth):
            pools, stuck = await self._grown(search, beams, first=not level)
            await search.score([node for pool in pools for node in pool])
            kept = [_best(pool, width) for pool in pools]
            for node in (node for beam in kept for node in beam):
                session.mark(node.thought, status="kept")
            leaves += [*stuck, *(node for beam in kept for node in beam if node.done)]
            beams = [going for beam in kept if (going := [node for node in beam if not node.done])]
            search.offer(best_of([*leaves, *(node for beam in beams for node in beam)]))
            if not beams:
                break
        return await search.answered(best_of([*leaves, *(node for beam in beams for node in beam)]))

    async def _grown(self, search: Stepwise, beams: Sequence[Sequence[Node]], *, first: bool) -> tuple[list[list[Node]], list[Node]]:
        """Return the new paths out of each beam, and those out of which no step leads; at the first level the start is divided among the beams."""
        expand = self.params.expand
        if first:
            found = await search.propose(search.start, self.params.width * expand)
            size = max(1, -(-len(found) // len(beams)))
            parts = [search.distinct(found[at : at + size]) for at in range(0, len(found), size)]
            return parts, [] if found else [search.start]
        nodes = [node for beam in beams for node in beam]
        grown = dict(zip(nodes, await together(search.propose(node, expand) for node in nodes), strict=True))
        pools = [search.distinct([child for node in beam for child in grown[node]]) for beam in beams]
        return pools, [node for node in nodes if not grown[node]]


def _best(pool: Sequence[Node], width: int) -> list[Node]:
    return sorted(pool, key=lambda node: -node.score)[:width]  # stable: of equals the one proposed first
