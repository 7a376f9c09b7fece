"""Reasoning strategies over language models, every thought in SQLite, every answer verified.

    import reasoner
    result = reasoner.solve("game24", "4 9 10 13", strategy="ats", model="teacher")
    result.correct

Importing this package is cheap: each name is loaded from its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reasoner.version import __version__ as __version__

if TYPE_CHECKING:
    from reasoner.api.bench import Bench, abench, arun, bench, run
    from reasoner.api.compare import acompare, compare, compare_run
    from reasoner.api.pick import Picked, apick, pick
    from reasoner.api.replay import Replayed, areplay, replay
    from reasoner.api.resume import afork, aresume, fork, resume
    from reasoner.api.settings import RunSettings
    from reasoner.api.solve import aask, ask, asolve, solve
    from reasoner.api.translate import Translated, atranslate, translate
    from reasoner.budget import Budget, Limits, Price
    from reasoner.clients import ClientOptions, open_client
    from reasoner.comparison.comparison import Comparison
    from reasoner.errors import ReasonerError
    from reasoner.prompts import Prompts
    from reasoner.registry import register
    from reasoner.runs.events import Note, Started, ThoughtAdded, TrajectoryClosed
    from reasoner.runs.options import RunOptions
    from reasoner.runs.plan import Plan
    from reasoner.runs.pool import ModelPool
    from reasoner.runs.results import Report, Result
    from reasoner.runs.runner import Run, open_run
    from reasoner.session import Session
    from reasoner.solver import Searchable, Solver
    from reasoner.store import Store
    from reasoner.strategies import Strategy
    from reasoner.tools import Tool, tool
    from reasoner.trajectory import Thought, Trajectory
    from reasoner.types import Answer, Client, Completion, Message, Move, Problem, Request, Sampling, Usage, Verdict


_HOME = {
    "Answer": "types",
    "Bench": "api.bench",
    "Budget": "budget",
    "Client": "types",
    "ClientOptions": "clients",
    "Comparison": "comparison.comparison",
    "Completion": "types",
    "Limits": "budget",
    "Message": "types",
    "ModelPool": "runs.pool",
    "Move": "types",
    "Note": "runs.events",
    "Picked": "api.pick",
    "Plan": "runs.plan",
    "Price": "budget",
    "Problem": "types",
    "Prompts": "prompts",
    "ReasonerError": "errors",
    "Replayed": "api.replay",
    "Report": "runs.results",
    "Request": "types",
    "Result": "runs.results",
    "Run": "runs.runner",
    "RunOptions": "runs.options",
    "RunSettings": "api.settings",
    "Sampling": "types",
    "Searchable": "solver",
    "Session": "session",
    "Solver": "solver",
    "Started": "runs.events",
    "Store": "store",
    "Strategy": "strategies",
    "Thought": "trajectory",
    "ThoughtAdded": "runs.events",
    "Tool": "tools",
    "Trajectory": "trajectory",
    "TrajectoryClosed": "runs.events",
    "Translated": "api.translate",
    "Usage": "types",
    "Verdict": "types",
    "aask": "api.solve",
    "abench": "api.bench",
    "acompare": "api.compare",
    "afork": "api.resume",
    "apick": "api.pick",
    "areplay": "api.replay",
    "aresume": "api.resume",
    "arun": "api.bench",
    "ask": "api.solve",
    "asolve": "api.solve",
    "atranslate": "api.translate",
    "bench": "api.bench",
    "compare": "api.compare",
    "compare_run": "api.compare",
    "fork": "api.resume",
    "open_client": "clients",
    "open_run": "runs.runner",
    "pick": "api.pick",
    "register": "registry",
    "replay": "api.replay",
    "resume": "api.resume",
    "run": "api.bench",
    "solve": "api.solve",
    "tool": "tools",
    "translate": "api.translate",
}

__all__ = [
    "Answer",
    "Bench",
    "Budget",
    "Client",
    "ClientOptions",
    "Comparison",
    "Completion",
    "Limits",
    "Message",
    "ModelPool",
    "Move",
    "Note",
    "Picked",
    "Plan",
    "Price",
    "Problem",
    "Prompts",
    "ReasonerError",
    "Replayed",
    "Report",
    "Request",
    "Result",
    "Run",
    "RunOptions",
    "RunSettings",
    "Sampling",
    "Searchable",
    "Session",
    "Solver",
    "Started",
    "Store",
    "Strategy",
    "Thought",
    "ThoughtAdded",
    "Tool",
    "Trajectory",
    "TrajectoryClosed",
    "Translated",
    "Usage",
    "Verdict",
    "aask",
    "abench",
    "acompare",
    "afork",
    "apick",
    "areplay",
    "aresume",
    "arun",
    "ask",
    "asolve",
    "atranslate",
    "bench",
    "compare",
    "compare_run",
    "fork",
    "open_client",
    "open_run",
    "pick",
    "register",
    "replay",
    "resume",
    "run",
    "solve",
    "tool",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'reasoner' has no attribute {name!r}")
    module = importlib.import_module(f"reasoner.{_HOME[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
