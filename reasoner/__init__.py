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
    from reasoner.api.resume import Replayed, afork, aresume, fork, replay, resume
    from reasoner.api.solve import Bench, Setup, abench, acompare, asolve, bench, compare, compare_run, solve
    from reasoner.budget import Budget, Limits, Price
    from reasoner.clients import ClientOptions, open_client
    from reasoner.comparison.comparison import Comparison
    from reasoner.errors import ReasonerError
    from reasoner.prompts import Prompts
    from reasoner.registry import register
    from reasoner.runs.runner import Outcome, Report, Runner
    from reasoner.session import Session
    from reasoner.solver import Searchable, Solver
    from reasoner.store import Store
    from reasoner.strategies import Strategy
    from reasoner.tools import Tool, tool
    from reasoner.trajectory import Thought, Trajectory
    from reasoner.types import Answer, Client, Completion, Message, Move, Problem, Request, Sampling, Usage, Verdict


_HOME = {
    "Answer": "types",
    "Bench": "api.solve",
    "Budget": "budget",
    "Client": "types",
    "ClientOptions": "clients",
    "Comparison": "comparison.comparison",
    "Completion": "types",
    "Limits": "budget",
    "Message": "types",
    "Move": "types",
    "Outcome": "runs.outcomes",
    "Price": "budget",
    "Problem": "types",
    "Prompts": "prompts",
    "ReasonerError": "errors",
    "Replayed": "api.resume",
    "Report": "runs.outcomes",
    "Request": "types",
    "Runner": "runs.runner",
    "Sampling": "types",
    "Searchable": "solver",
    "Session": "session",
    "Setup": "api.solve",
    "Solver": "solver",
    "Store": "store",
    "Strategy": "strategies",
    "Thought": "trajectory",
    "Tool": "tools",
    "Trajectory": "trajectory",
    "Usage": "types",
    "Verdict": "types",
    "abench": "api.solve",
    "acompare": "api.solve",
    "afork": "api.resume",
    "aresume": "api.resume",
    "asolve": "api.solve",
    "bench": "api.solve",
    "compare": "api.solve",
    "compare_run": "api.solve",
    "fork": "api.resume",
    "open_client": "clients",
    "register": "registry",
    "replay": "api.resume",
    "resume": "api.resume",
    "solve": "api.solve",
    "tool": "tools",
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
    "Move",
    "Outcome",
    "Price",
    "Problem",
    "Prompts",
    "ReasonerError",
    "Replayed",
    "Report",
    "Request",
    "Runner",
    "Sampling",
    "Searchable",
    "Session",
    "Setup",
    "Solver",
    "Store",
    "Strategy",
    "Thought",
    "Tool",
    "Trajectory",
    "Usage",
    "Verdict",
    "abench",
    "acompare",
    "afork",
    "aresume",
    "asolve",
    "bench",
    "compare",
    "compare_run",
    "fork",
    "open_client",
    "register",
    "replay",
    "resume",
    "solve",
    "tool",
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
