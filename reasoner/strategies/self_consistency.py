"""Self-consistency: n samples of another strategy, and the answer that most of them give.

    sample 1: ... Answer: 9 -> 10 -> 20        three branches, each a whole run of the inner strategy (`cot`)
    sample 2: ... Answer: 9 -> 18 -> 19
    sample 3: ... Answer: 9→10→20.             2 of 3 answer alike: that answer is given, with the text of the first that gave it

Knows when two texts answer alike (`session.answer_groups`), never which is right: a vote among wrong answers is lost. That one of the
n may be right is pass@n, another figure, and is not reported here.

Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv 2203.11171.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.strategies import Strategy
from reasoner.strategies._branches import Branch, exhausted_in, inner_of, sample, settle
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.types import Answer


class SelfConsistency(Strategy):
    """Sample several answers and give the one that is given most often."""

    name = "self_consistency"
    summary = "n samples of another strategy (cot), and the answer most of them give"
    takes_inner = True
    default_inner = "cot"

    class Params(Strategy.Params):
        """Parameters of `self_consistency`."""

        n: int = Field(default=5, ge=1, le=100, description="samples drawn")
        temperature: float = Field(default=0.7, ge=0, le=2, description="temperature of the samples, whatever the run's own is")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Sample, count, and offer the most frequent answer; of equally frequent ones, the one that was sampled first."""
        temperature = {"temperature": self.params.temperature}
        branches = await sample(session, inner_of(self), role="self_consistency/branch", n=self.params.n, sampling=temperature)
        answered = [branch for branch in branches if branch.answer is not None]
        exhausted = exhausted_in(branches)
        if not answered and exhausted is not None:
            raise exhausted
        groups = _count(session, answered)
        winners = max(groups.values(), key=len, default=answered[:1])  # of equally large groups, the one first met
        chosen = winners[0]
        assert chosen.answer is not None
        settle(session, branches, chosen, agreeing=winners)
        _note(session, groups, n=len(branches))
        answer = session.offer(chosen.answer.text, session.trajectory.thought(chosen.answer.thought_id or chosen.root.id))
        if exhausted is not None:
            raise exhausted
        return answer


def _count(session: Session, branches: Sequence[Branch]) -> dict[str, list[Branch]]:
    """Group the branches by answer, in the order in which the answers were first met; those without a readable one vote for nothing."""
    groups: dict[str, list[Branch]] = {}
    given = [branch for branch in branches if branch.answer is not None]
    keys = session.answer_groups([branch.answer.text for branch in given if branch.answer is not None])
    for branch, key in zip(given, keys, strict=True):
        if key is not None:
            groups.setdefault(key, []).append(branch)
    return groups


def _note(session: Session, groups: dict[str, list[Branch]], *, n: int) -> None:
    """Record the count, and how many samples had no readable answer."""
    votes = {shorten(key, 200): len(found) for key, found in sorted(groups.items(), key=lambda item: -len(item[1]))}
    n_read = sum(map(len, groups.values()))
    lines = [f"{count} of {n}: {answer}" for answer, count in votes.items()]
    state = {"votes": votes, "n": n, "unparsed": n - n_read}
    session.note("\n".join([*lines, f"{n - n_read} of {n}: no answer"]), parent=session.root, role="self_consistency/vote", state=state)
