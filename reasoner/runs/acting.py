"""Who acts for a trajectory: the run's tools, those its strategy works with, and the actions of its problem where that is an environment.

actor = actor_of(workshop, plan, task, journal)        None where there is nothing to act with
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.calling.actor import Actor
from reasoner.environment import Environment
from reasoner.errors import BadConfig
from reasoner.runs.environment_tools import environment_tools
from reasoner.runs.problems import instance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from reasoner.calling.actor import ActionAsked
    from reasoner.calling.caller import UnknownPolicy
    from reasoner.runs.assemble import Task, Workshop
    from reasoner.runs.plan import Plan
    from reasoner.runs.strategy_spec import StrategySpec
    from reasoner.store.actions import ActionJournal
    from reasoner.store.earlier import ActionsBefore
    from reasoner.tools import Tool
    from reasoner.types import Problem


def needed_tools(strategies: Iterable[StrategySpec]) -> list[str]:
    """Return the names of the tools that strategies, and those inside them, work with by themselves."""
    names: dict[str, None] = {}
    for spec in strategies:
        inner: StrategySpec | None = spec
        while inner is not None:
            names |= dict.fromkeys(inner.make().tools_needed)
            inner = inner.inner
    return list(names)


def tools_for(problem: Problem, tools: Iterable[Tool], *, last: Collection[str] = ()) -> list[Tool]:
    """Return the tools of one trajectory: those of the run, the actions of its problem, and the tools named in `last`.

    Raises:
        BadConfig: a tool of the run is called as an action of the problem.
    """
    solver: Any = registry.solver(problem.solver)
    instance = instance_of(solver, problem)
    made = [tool.about(solver, instance) for tool in tools]
    if isinstance(solver, Environment):
        actions: list[Tool] = environment_tools(solver, instance)
        named = {tool.name for tool in made}
        twice = next((action.name for action in actions if action.name in named), None)
        if twice is not None:
            raise BadConfig(f"{problem.solver} has an action {twice!r}, and so is a tool called", hint="leave that tool out")
        made += actions
    return sorted(made, key=lambda tool: tool.name in last)


def actor_of(
    at: Workshop,
    plan: Plan,
    task: Task,
    journal: ActionJournal,
    *,
    on_unknown: UnknownPolicy | None = None,
    decide: Callable[[ActionAsked], bool | None] | None = None,
    before: ActionsBefore | None = None,
) -> Actor | None:
    """Return who acts for a trajectory; None where its strategy has no use for tools.

    Raises:
        BadConfig: a tool of the run is called as an action of the problem.
    """
    needed = needed_tools([task.spec])
    tools = [tool for tool in at.tools if tool.name in needed or tool.name not in plan.tools.by_need]
    if not needed and not tools:
        return None
    return Actor(
        journal,
        tools_for(task.row.problem, tools, last=needed),
        seed=plan.seed_of(task.row.problem, task.spec, task.row.sample),
        limits=plan.tools.limits,
        on_unknown=on_unknown,
        decide=decide,
        earlier=None if before is None else before.result,
    )
