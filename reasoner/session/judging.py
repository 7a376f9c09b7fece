"""Judging by models: calls of their own after the strategy's answer, recorded in its trajectory, with a vote where there are several.

    verdict = await judged(session, case, {"openai:judge": caller}, answer="...", below=thought)   # judged_by="openai:judge"

A pair is asked in both orders, and only what both say counts. The calls are paid from the run's budget, and are no part of what the
strategy spent. A judge's verdict names its judges and is never an exact one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.errors import BudgetExhausted, ReasonerError
from reasoner.grading.judges import DEFAULT_RUBRIC, in_both_orders, said
from reasoner.text import clean, excerpt, shorten
from reasoner.types import Sampling, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.calling.caller import Caller
    from reasoner.grading.judges import JudgeCase
    from reasoner.session.session import Session
    from reasoner.trajectory import Thought

MAX_ANSWER_CHARS = 20_000
"""More of an answer is not shown to a judge: its beginning and its end are."""
SAMPLING = Sampling(temperature=0.0, max_tokens=1024)


async def judged(session: Session, case: JudgeCase, judges: Mapping[str, Caller], *, answer: str, below: Thought) -> Verdict:
    """Ask every judge, and return what most of them say; not judged (`correct` None) where nobody said anything or the votes are even.

    Raises:
        ReasonerError: a fault the next problem would meet too.
    """
    votes: dict[str, str | None] = {}
    fault = ""
    for name, caller in judges.items():
        view = session.through(caller, SAMPLING)
        try:
            votes[name] = await _vote(view, case, excerpt(answer, MAX_ANSWER_CHARS), below)
        except BudgetExhausted as exhausted:
            fault = str(exhausted)
        except ReasonerError as error:
            if error.stops_run:
                raise
            fault = str(error)
    return _counted(votes, by=", ".join(judges), fault=fault, pair=bool(case.baseline))


async def _vote(view: Session, case: JudgeCase, answer: str, below: Thought) -> str | None:
    """Return one judge's vote: yes or no, of a pair win, loss or tie; None where it said nothing that can be read."""
    if case.baseline:
        baseline = excerpt(case.baseline, MAX_ANSWER_CHARS)
        first = await view.ask("judge/pair", parent=below, first=answer, second=baseline, rubric=case.rubric, discard_cache=True)
        second = await view.ask("judge/pair", parent=below, first=baseline, second=answer, rubric=case.rubric, discard_cache=True)
        return in_both_orders(said(first.text), said(second.text))
    if case.reference:
        reply = await view.ask(
            "judge/correct", parent=below, answer=answer, reference=case.reference, rubric=case.rubric, discard_cache=True
        )
    else:
        reply = await view.ask("judge/rubric", parent=below, answer=answer, rubric=case.rubric or DEFAULT_RUBRIC, discard_cache=True)
    vote = said(reply.text)
    return vote if vote in {"yes", "no"} else None


def _counted(votes: Mapping[str, str | None], *, by: str, fault: str, pair: bool) -> Verdict:
    given = [vote for vote in votes.values() if vote is not None]
    ups, downs = sum(vote in {"yes", "win"} for vote in given), sum(vote in {"no", "loss"} for vote in given)
    shown = ", ".join(f"{name}: {vote or 'nothing'}" for name, vote in votes.items())
    reason = shorten(clean(f"judged by {by}; {shown or 'no judge replied'}" + (f"; {fault}" if fault else "")), 200)
    metrics = {"agreement": max(ups, downs) / len(given)} if given else {}
    if pair and given:
        metrics |= {"win": float(ups > downs), "tie": float(ups == downs)}
    if not given or (ups == downs and not pair):
        return Verdict(correct=None, score=0.0, reason=reason, judged_by=by, metrics=metrics)
    score = 1.0 if ups > downs else 0.5 if ups == downs else 0.0
    return Verdict(correct=ups > downs, score=score, reason=reason, judged_by=by, metrics=metrics)
