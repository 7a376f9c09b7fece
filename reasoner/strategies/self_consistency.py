"""Self-consistency: n samples of another strategy, and the answer that most of them give.

    sample 1: ... Answer: 9 -> 10 -> 20        three branches, each a whole run of the inner strategy (`cot`)
    sample 2: ... Answer: 9 -> 18 -> 19
    sample 3: ... Answer: 9→10→20.             2 of 3 answer alike: that answer is given, with the text of the first that gave it

Knows when two texts answer alike (`session.answer_groups`), never which is right: a vote among wrong answers is lost. That one of the
n may be right is pass@n, another figure, and is not reported here. `stop` leaves out samples that cannot change the vote (`certain`), or
probably would not (`beta`); `weight=logprob` lets a sample count by how likely the model found it, see `reasoner.strategies._vote`.

Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv 2203.11171.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from reasoner.strategies import Strategy
from reasoner.strategies._branches import inner_of
from reasoner.strategies._vote import Group, Rule, Stop, Weight, draw, elect
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        weight: Weight = Field(default="count", description="what a sample counts: 1 (count), or exp of its mean log-probability (logprob)")
        stop: Stop = Field(
            default="never",
            description="leave samples out: never, where they cannot change the vote (certain), or probably would not (beta)",
        )
        confidence: float = Field(default=0.95, gt=0.5, lt=1, description="how probable the lead has to be for stop=beta")

        @model_validator(mode="after")
        def _beta_counts(self) -> SelfConsistency.Params:
            if self.stop == "beta" and self.weight != "count":
                raise ValueError("stop=beta counts votes, and weight=logprob does not; use stop=certain")
            return self

    params: Params

    async def run(self, session: Session) -> Answer:
        """Sample, count, and offer the most frequent answer; of equally frequent ones, the one that was sampled first."""
        params = self.params
        rule = Rule(params.n, params.weight, params.stop, params.confidence)
        sampling = {"temperature": params.temperature} | ({"logprobs": True} if params.weight == "logprob" else {})
        branches = await draw(session, inner_of(self), rule, role="self_consistency/branch", sampling=sampling)
        return await elect(session, branches, branches, params.weight, lambda groups: _note(session, groups, n=len(branches), rule=rule))


def _note(session: Session, groups: Mapping[str, Group], *, n: int, rule: Rule) -> None:
    """Record the count, how many samples had no readable answer, and how many were left out."""
    ranked = sorted(groups.items(), key=lambda item: -item[1].total)
    votes = {shorten(key, 200): len(group.branches) for key, group in ranked}
    n_read = sum(len(group.branches) for group in groups.values())
    lines = [f"{n_votes} of {n}: {answer}" for answer, n_votes in votes.items()]
    state: dict[str, object] = {"votes": votes, "n": n, "unparsed": n - n_read}
    if rule.weight == "logprob":
        state["weights"] = {shorten(key, 200): round(group.total, 6) for key, group in ranked}
    if n < rule.n:
        state["left_out"] = rule.n - n
    session.note("\n".join([*lines, f"{n - n_read} of {n}: no answer"]), parent=session.root, role="self_consistency/vote", state=state)
