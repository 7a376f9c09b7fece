"""Verdicts that problems leave to models: which models a plan needs for them, and the step after a trajectory's strategy has ended.

judge_names(plan.problems) -> ["openai:judge"]
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reasoner import registry
from reasoner.budget import Budget
from reasoner.calling.caller import Caller
from reasoner.grading.judges import PREFIX, judge_named, models_of
from reasoner.runs.assemble import jitter
from reasoner.session.judging import judged
from reasoner.text import shorten
from reasoner.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.runs.assemble import Ended, Task, Workshop
    from reasoner.runs.options import RunOptions
    from reasoner.store.journal import Journal
    from reasoner.store.records import Closing
    from reasoner.types import Problem


def judge_names(problems: Iterable[Problem]) -> list[str]:
    """Return the models that problems leave their verdict to, sorted.

    Raises:
        BadConfig: a judge is not written as one.
    """
    specs = {spec for problem in problems if (spec := judge_named(problem.instance))}
    return sorted({name for spec in specs for name in models_of(spec)})


async def with_verdict(
    at: Workshop, options: RunOptions, task: Task, journal: Journal, ended: Ended, closing: Closing
) -> tuple[Closing, int]:
    """Return how a trajectory ended with its judges' verdict, and how many calls they made; as it is where no judge is asked.

    Every turn of a conversation is judged by itself. The graph's hash stays that of the strategy's own thoughts: a replay runs strategies,
    not judges.

    Raises:
        ReasonerError: a fault the next problem would meet too.
    """
    verdict, problem = closing.verdict, task.row.problem
    spec = verdict.grader if verdict is not None else ""
    if verdict is None or closing.answer is None or not spec.startswith(PREFIX) or spec == PREFIX:
        return closing, 0
    solver = registry.solver(problem.solver)
    free = Budget(allow_unpriced=options.allow_unpriced)  # the run's own budget still holds; a judge is not the strategy's expense
    callers = {name: Caller(at.judges[name], journal, free, jitter=jitter(f"{task.row.id} {name}")) for name in models_of(spec)}
    made: list[Verdict] = []
    for turn in ended.turns:
        case = solver.judge_case(turn.asked.instance)
        if case is None:
            return closing, 0
        session, thought = turn.asked.session, turn.answer.thought_id
        below = session.root if thought is None else session.trajectory.thought(thought)
        made.append(await judged(session, case, callers, answer=turn.answer.text, below=below))
    whole = of_turns(made, missing=ended.missing)
    whole = replace(whole, grader=spec, metrics={**verdict.metrics, **whole.metrics})
    return replace(closing, verdict=whole), sum(caller.made for caller in callers.values())


def of_turns(verdicts: Sequence[Verdict], *, missing: bool = False) -> Verdict:
    """Return the verdict of a conversation: right where every turn is, its score their mean, and `turn_1`, `turn_2` beside it.

    A turn that was asked and not answered (`missing`) is not right. One that could not be judged leaves the whole not judged, unless
    another is not right.
    """
    if len(verdicts) == 1 and not missing:
        return verdicts[0]
    each = [verdict.correct for verdict in verdicts] + [False] * missing
    correct = False if False in each else None if None in each else True
    scores = [verdict.score for verdict in verdicts] + [0.0] * missing
    said = {True: "right", False: "not right", None: "not judged"}
    reason = "; ".join(f"turn {n}: {said[one]}" for n, one in enumerate(each, start=1)) + (", not answered" if missing else "")
    metrics = {f"turn_{n}": score for n, score in enumerate(scores, start=1)}
    agreement = [verdict.metrics["agreement"] for verdict in verdicts if "agreement" in verdict.metrics]
    metrics |= {"agreement": sum(agreement) / len(agreement)} if agreement else {}
    judges = verdicts[0].judged_by
    return Verdict(
        correct=correct,
        score=sum(scores) / len(scores),
        reason=shorten(f"judged by {judges}; {reason}", 200),
        metrics=metrics,
        judged_by=judges,
    )
