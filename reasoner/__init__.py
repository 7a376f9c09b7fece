"""Reasoning strategies over language models, every thought in SQLite, every answer verified.

    import reasoner
    result = reasoner.solve("game24", "4 9 10 13", strategy="ats", model="teacher")
    result.correct

Importing this package is cheap: each name is loaded from its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.api import Bench, Setup, abench, acompare, asolve, bench, compare, compare_run, solve
    from reasoner.budget import Budget, Limits, Price
    from reasoner.clients import ClientOptions, open_client
    from reasoner.compare.comparison import Comparison
    from reasoner.errors import ReasonerError
    from reasoner.prompts import Prompts
    from reasoner.run import Outcome, Report, Runner
    from reasoner.session import Session
    from reasoner.solver import Solver
    from reasoner.store import Store
    from reasoner.strategies import Strategy
    from reasoner.trajectory import Thought, Trajectory
    from reasoner.types import Answer, Client, Completion, Message, Move, Problem, Request, Sampling, Usage, Verdict

__version__ = "0.1.0"

_HOME = {
    "Answer": "types",
    "Bench": "api",
    "Budget": "budget",
    "Client": "types",
    "ClientOptions": "clients",
    "Comparison": "compare.comparison",
    "Completion": "types",
    "Limits": "budget",
    "Message": "types",
    "Move": "types",
    "Outcome": "run",
    "Price": "budget",
    "Problem": "types",
    "Prompts": "prompts",
    "ReasonerError": "errors",
    "Report": "run",
    "Request": "types",
    "Runner": "run",
    "Sampling": "types",
    "Session": "session",
    "Setup": "api",
    "Solver": "solver",
    "Store": "store",
    "Strategy": "strategies",
    "Thought": "trajectory",
    "Trajectory": "trajectory",
    "Usage": "types",
    "Verdict": "types",
    "abench": "api",
    "acompare": "api",
    "asolve": "api",
    "bench": "api",
    "compare": "compare",
    "compare_run": "api",
    "open_client": "clients",
    "solve": "api",
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
    "Report",
    "Request",
    "Runner",
    "Sampling",
    "Session",
    "Setup",
    "Solver",
    "Store",
    "Strategy",
    "Thought",
    "Trajectory",
    "Usage",
    "Verdict",
    "abench",
    "acompare",
    "asolve",
    "bench",
    "compare",
    "compare_run",
    "open_client",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'reasoner' has no attribute {name!r}")
    module = importlib.import_module(f"reasoner.{_HOME[name]}")
    # `compare` is a package that can be called: its name here must stay the package, or `import reasoner.compare as c` breaks.
    value = module if name == _HOME[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
