"""Votes among samples: what each counts, when further samples are not worth their cost, and how many to draw before looking again.

    next_round([2.0, 1.0], 2, Rule(n=5, stop="certain"))  ->  1      after 2:1 of five, one more for the first decides it

With `stop="certain"` the answer is that of all n samples, whatever the ones not drawn would have said. As many are drawn at once as a vote
one by one would certainly have drawn. Knows totals; knows no texts and no model.

Source of `beta`: Aggarwal et al., "Let's Sample Step by Step: Adaptive-Consistency", arXiv 2305.11860; of `logprob`: the weighted sum of
Wang et al., arXiv 2203.11171.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reasoner.errors import BadConfig
from reasoner.strategies._branches import Branch, exhausted_in, reply_of, sample, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.session import Session
    from reasoner.strategies import Strategy
    from reasoner.types import Answer

Weight = Literal["count", "logprob"]
Stop = Literal["never", "certain", "beta"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How many samples vote, what each of them counts (1 at most), and when the rest are left out."""

    n: int
    weight: Weight = "count"
    stop: Stop = "never"
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Group:
    """The samples that answer alike, and what they count together."""

    branches: list[Branch]
    total: float


async def draw(session: Session, inner: Strategy, rule: Rule, *, role: str, sampling: Mapping[str, object]) -> list[Branch]:
    """Sample in rounds until the vote is decided; the samples drawn, in order.

    Raises:
        BadConfig: votes are weighted by log-probability, and the model's client gives none.
    """
    drawn: list[Branch] = []
    while left := rule.n - len(drawn):
        n = next_round([group.total for group in (await count(session, drawn, rule.weight)).values()], left, rule)
        if not n:
            break
        drawn += await sample(session, inner, role=role, n=n, sampling=sampling, first=len(drawn) + 1)
        if any(branch.exhausted is not None for branch in drawn):
            break
    return drawn


async def count(session: Session, branches: Sequence[Branch], weight: Weight) -> dict[str, Group]:
    """Group the branches by answer, in the order in which the answers were first met; those without a readable one vote for nothing."""
    groups: dict[str, Group] = {}
    given = [branch for branch in branches if branch.answer is not None]
    keys = await session.answer_groups([branch.answer.text for branch in given if branch.answer is not None])
    for branch, key in zip(given, keys, strict=True):
        if key is not None:
            before = groups.get(key, Group([], 0.0))
            counts = 1.0 if weight == "count" else math.exp(min(0.0, logprob(session, branch)))
            groups[key] = Group([*before.branches, branch], before.total + counts)
    return groups


async def elect(
    session: Session, drawn: Sequence[Branch], voters: Sequence[Branch], weight: Weight, note: Callable[[Mapping[str, Group]], None]
) -> Answer:
    """Offer the answer that counts most among the voters, of equals the one first met; where none can be read, the first answer there is.

    Args:
        session: the strategy's own.
        drawn: all branches; those that do not agree with the answer are marked pruned.
        voters: those that vote.
        weight: what each counts.
        note: records how the vote went.

    Raises:
        BudgetExhausted: the budget ended in a branch; what was offered before it stays.
        BadConfig: votes are weighted by log-probability, and the model's client gives none.
    """
    exhausted = exhausted_in(drawn)
    answered = [branch for branch in drawn if branch.answer is not None]
    if not answered and exhausted is not None:
        raise exhausted
    groups = await count(session, voters, weight)
    winner = max(groups.values(), key=lambda group: group.total, default=Group(answered[:1], 0.0))
    chosen = winner.branches[0]
    assert chosen.answer is not None
    settle(session, drawn, chosen, agreeing=winner.branches)
    note(groups)
    answer = session.offer(chosen.answer.text, session.trajectory.thought(chosen.answer.thought_id or chosen.root.id))
    if exhausted is not None:
        raise exhausted
    return answer


def logprob(session: Session, branch: Branch, *, option: str = "weight=logprob", otherwise: str = "weight=count") -> float:
    """Return the mean log-probability of the reply that holds a branch's answer.

    Raises:
        BadConfig: the client gave none; choosing by anything else would be another strategy under this one's name.
    """
    reply = reply_of(session, branch)
    if reply is None or reply.mean_logprob is None:
        raise BadConfig(f"{option} needs log-probabilities, and this model's client gave none", hint=f"use {otherwise}")
    return reply.mean_logprob


def next_round(totals: Sequence[float], left: int, rule: Rule) -> int:
    """Return how many samples to draw before the totals are looked at again, 0 where the vote is decided; `totals` as first met."""
    if rule.stop == "never":
        return left
    if _decided(totals, left, rule):
        return 0
    best = max(range(len(totals)), key=totals.__getitem__) if totals else 0
    for n in range(1, left):
        # Nothing decides sooner than samples that all say what is ahead already, each counting as much as one can.
        hoped = [total + n * (place == best) for place, total in enumerate(totals or [0.0])]
        if _decided(hoped, left - n, rule):
            return n
    return left


def _decided(totals: Sequence[float], left: int, rule: Rule) -> bool:
    return certain(totals, left) or (rule.stop == "beta" and ahead(*_first_two(totals)) >= rule.confidence)


def certain(totals: Sequence[float], left: int) -> bool:
    """Tell whether samples that are left, each counting 1 at most, can no longer change which total is highest (of equals the first)."""
    if not left or not totals:
        return not left
    best = max(range(len(totals)), key=totals.__getitem__)
    for place, total in enumerate([*totals, 0.0]):  # the last: an answer that nobody gave yet
        reach = total
        for _ in range(left):
            reach += 1.0  # added up as a count adds up, so that rounding goes the same way
        if place != best and (reach > totals[best] or (reach == totals[best] and place < best)):
            return False
    return True


def ahead(first: int, second: int) -> float:
    """Return the probability that what has `first` votes is the likelier of two answers, given that the other has `second`, under a flat prior.

    It is P(p > 1/2) for p of Beta(first + 1, second + 1), which is a sum of binomials.
    """
    n = first + second + 1
    return sum(math.comb(n, k) for k in range(first + 1)) / (1 << n)


def _first_two(totals: Sequence[float]) -> tuple[int, int]:
    ranked = sorted((int(total) for total in totals), reverse=True)
    return (*ranked, 0, 0)[0], (*ranked, 0, 0)[1]
