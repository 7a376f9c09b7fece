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
from reasoner.runs.problems import instance_of
from reasoner.session.judging import judged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.runs.assemble import Assembled, Task, Workshop
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
    at: Workshop, options: RunOptions, task: Task, journal: Journal, assembled: Assembled, closing: Closing
) -> tuple[Closing, int]:
    """Return how a trajectory ended with its judges' verdict, and how many calls they made; as it is where no judge is asked.

    The graph's hash stays that of the strategy's own thoughts: a replay runs strategies, not judges.

    Raises:
        ReasonerError: a fault the next problem would meet too.
    """
    verdict, problem = closing.verdict, task.row.problem
    spec = verdict.grader if verdict is not None else ""
    if verdict is None or closing.answer is None or not spec.startswith(PREFIX) or spec == PREFIX:
        return closing, 0
    solver = registry.solver(problem.solver)
    case = solver.judge_case(instance_of(solver, problem))
    if case is None:
        return closing, 0
    free = Budget(allow_unpriced=options.allow_unpriced)  # the run's own budget still holds; a judge is not the strategy's expense
    callers = {name: Caller(at.judges[name], journal, free, jitter=jitter(f"{task.row.id} {name}")) for name in models_of(spec)}
    session = assembled.session
    below = session.root if closing.answer_thought is None else session.trajectory.thought(closing.answer_thought)
    made = await judged(session, case, callers, answer=closing.answer, below=below)
    made = replace(made, grader=spec, metrics={**verdict.metrics, **made.metrics})
    return replace(closing, verdict=made), sum(caller.made for caller in callers.values())
