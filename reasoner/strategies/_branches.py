"""Inner strategies: one run inside another's session, or n of them at once.

Branches that are not chosen are marked pruned.

    branches = await sample(session, inner, role="self_consistency/branch", n=5, sampling={"temperature": 0.7})
    answer, thought = await first_answer(session, strategy, role="repair/branch")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, BudgetExhausted
from reasoner.session.gather import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reasoner.session import Session
    from reasoner.strategies import Strategy
    from reasoner.trajectory import Thought
    from reasoner.types import Answer


MAX_SHOWN_CHARS = 20_000
"""As much of an answer is shown to a model that is to judge it or to go on from it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What one inner run came to. `answer` is None where the budget ended before it had any."""

    root: Thought
    answer: Answer | None
    exhausted: BudgetExhausted | None = None


def inner_of(strategy: Strategy) -> Strategy:
    """Return the inner strategy.

    Raises:
        BadConfig: there is none.
    """
    if strategy.inner is None:
        raise BadConfig(f"{strategy.name} has no inner strategy", hint=f"write {strategy.name}(NAME)")
    return strategy.inner


def open_branch(session: Session, inner: Strategy, *, role: str, label: str = "", parent: Thought | None = None, **view: Any) -> Session:
    """Open a view of the session for one run of an inner strategy, with what that strategy's own parameters ask for."""
    return session.branch(parent=parent, role=role, label=label, numbers=inner.params.numbers, oracle=inner.oracle, **view)


async def first_answer(session: Session, strategy: Strategy, *, role: str) -> tuple[Answer, Thought]:
    """Let the inner strategy answer once, and offer that; return the answer, and the thought it stands in, which what follows builds on."""
    inner = inner_of(strategy)
    answer = await inner.run(open_branch(session, inner, role=role))
    thought = session.trajectory.thought(answer.thought_id) if answer.thought_id else session.root
    session.offer(answer.text, thought)
    return answer, thought


async def sample(session: Session, inner: Strategy, *, role: str, n: int, sampling: Mapping[str, Any], first: int = 1) -> list[Branch]:
    """Run an inner strategy n times at once, each with seeds of its own; n branches in order, numbered from `first`.

    A branch whose budget ended keeps the best answer it had, and the others go on: what was paid for is counted.
    """
    views = [open_branch(session, inner, role=role, label=str(number), sampling=sampling) for number in range(first, first + n)]
    return await together(_one(view, inner) for view in views)


async def _one(view: Session, inner: Strategy) -> Branch:
    try:
        return Branch(view.root, await inner.run(view))
    except BudgetExhausted as exhausted:
        return Branch(view.root, view.best, exhausted)


def exhausted_in(branches: Iterable[Branch]) -> BudgetExhausted | None:
    """Return the first branch's exhaustion, None when all came to their end."""
    return next((branch.exhausted for branch in branches if branch.exhausted is not None), None)


def settle(session: Session, branches: Sequence[Branch], chosen: Branch, *, agreeing: Sequence[Branch] = ()) -> None:
    """Mark what became of the branches: the chosen one and those that agree with it are kept, the others pruned; one thought stays final."""
    for branch in branches:
        good = branch is chosen or branch in agreeing
        session.mark(branch.root, status="kept" if good else "pruned")
        if branch is not chosen:
            for thought in session.trajectory.below(branch.root):
                if session.trajectory.mark_of(thought).status == "final":
                    session.mark(thought, status="kept" if good else "pruned")


def reply_of(session: Session, branch: Branch) -> Thought | None:
    """Return the model's reply that a branch's answer stands in: the answer's thought, or the nearest reply above it."""
    at = session.trajectory.thought(branch.answer.thought_id) if branch.answer is not None and branch.answer.thought_id else None
    while at is not None and not at.finish_reason:
        at = next(iter(session.trajectory.parents(at)), None)
    return at
