"""Best of n: n samples of another strategy, and the one that scores highest.

    answer 1: ... Answer: 9 -> 18 -> 19    Rating: 2
    answer 2: ... Answer: 9 -> 10 -> 20    Rating: 9     given

Four ways to score. `rating`: the model itself rates each answer, one more call for each. `logprob`: the mean log-probability of the
answering reply, for clients that report it; no further call. `check`: whether the answer passes the family's visible check (its form, tests that are
shown), an action for each answer; of those that pass the first. `verifier`: the exact verifier chooses. The last is an upper bound (whether
any of n is right), not a method, and its label says so: `best_of_n:select=verifier`.

Source: the best-of-n baseline of Cobbe et al., arXiv 2110.14168 (which trains a verifier to select); self-rating is zero-shot here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reasoner.session.gather import together
from reasoner.strategies import Strategy
from reasoner.strategies._branches import Branch, exhausted_in, inner_of, sample, settle
from reasoner.strategies._checking import CHECK, checked
from reasoner.strategies._vote import logprob
from reasoner.text import excerpt, tail

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer

MAX_RATING = 10
MAX_SHOWN_CHARS = 20_000
"""A longer answer is shown for rating without its middle."""

_RATING = re.compile(r"\brating\b[^\d\n-]{0,20}(\d{1,3}(?:\.\d{1,3})?)(?![\d.]*\d)", re.IGNORECASE)
_ALONE = re.compile(r"\s*[*_`]{0,3}(\d{1,3}(?:\.\d{1,3})?)[*_`]{0,3}(?:\s?/\s?10)?\.?\s*")

Select = Literal["rating", "logprob", "check", "verifier"]


class BestOfN(Strategy):
    """Sample several answers and give the one that scores highest."""

    name = "best_of_n"
    summary = "n samples of another strategy (cot), and the one that scores highest"
    takes_inner = True
    default_inner = "cot"

    class Params(Strategy.Params):
        """Parameters of `best_of_n`."""

        n: int = Field(default=5, ge=1, le=100, description="samples drawn")
        select: Select = Field(
            default="rating", description="rating (by the model), logprob, check (visible), or verifier (an upper bound, no method)"
        )
        temperature: float = Field(default=0.7, ge=0, le=2, description="temperature of the samples, whatever the run's own is")

    params: Params

    @property
    def oracle(self) -> bool:
        """Whether the verifier chooses."""
        return self.params.select == "verifier"

    @property
    def tools_needed(self) -> tuple[str, ...]:
        """The visible check, where it chooses."""
        return (CHECK,) if self.params.select == "check" else ()

    async def run(self, session: Session) -> Answer:
        """Sample, score, and offer the highest; of equal ones the first. An answer whose score cannot be read ranks below all that can."""
        sampling = {"temperature": self.params.temperature} | ({"logprobs": True} if self.params.select == "logprob" else {})
        branches = await sample(session, inner_of(self), role="best_of_n/branch", n=self.params.n, sampling=sampling)
        answered = [branch for branch in branches if branch.answer is not None]
        exhausted = exhausted_in(branches)
        if answered:
            first = answered[0].answer
            assert first is not None
            session.offer(first.text, session.trajectory.thought(first.thought_id or answered[0].root.id))
        if exhausted is not None:
            raise exhausted
        scores = await self._scores(session, answered)
        for branch, score in zip(answered, scores, strict=True):
            session.mark(branch.root, score=score)
        ranks = [(score is not None, score or 0.0) for score in scores]
        chosen = answered[ranks.index(max(ranks))]
        assert chosen.answer is not None
        settle(session, branches, chosen)
        return session.offer(chosen.answer.text, session.trajectory.thought(chosen.answer.thought_id or chosen.root.id))

    async def _scores(self, session: Session, branches: list[Branch]) -> list[float | None]:
        """Return one score per branch, None where none could be read."""
        if self.params.select == "logprob":
            return [logprob(session, branch, option="best_of_n:select=logprob", otherwise="select=rating") for branch in branches]
        if self.params.select == "check":
            return await together(_passed(session, branch) for branch in branches)
        if self.params.select == "verifier":
            return [(await session.oracle(branch.answer.text, branch.root)).score if branch.answer else None for branch in branches]
        return await together(_rated(session, branch) for branch in branches)


async def _passed(session: Session, branch: Branch) -> float | None:
    """Return 1 where an answer passes the visible check, else 0."""
    assert branch.answer is not None
    return float((await checked(session, branch.answer.text, branch.root)).passed)


async def _rated(session: Session, branch: Branch) -> float | None:
    """Ask the model to rate one answer, greedily."""
    assert branch.answer is not None
    reply = await session.ask(
        "best_of_n/rate",
        parent=branch.root,
        sampling={"temperature": 0.0},
        discard_cache=True,
        answer=excerpt(branch.answer.text, MAX_SHOWN_CHARS),
    )
    rating = read_rating(session.read(reply))
    session.mark(reply, state={"rating": rating})
    return rating


def read_rating(text: str) -> float | None:
    r"""Return the rating of a reply, 0 to 10; None where there is none, or one outside.

    >>> read_rating("It holds.\nRating: 8/10"), read_rating("7"), read_rating("Rating: 11"), read_rating("good")
    (8.0, 7.0, None, None)
    """
    text = tail(text, 4000)
    found = [*_RATING.finditer(text)]
    match = found[-1] if found else _ALONE.fullmatch(text)
    value = float(match[1]) if match else -1.0
    return value if 0 <= value <= MAX_RATING else None
