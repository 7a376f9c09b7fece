"""Runs with tools in forked children, to be killed: started as a program, told what to run by lines of JSON.

    {"db": "a.db", "ledger": "ledger", "strategy": "react", "crash": "before_action:2"}  ->  {"pid": 71}, then {"code": -9}

Every order writes its number into the ledger before it is answered for: what is done stands there, whatever the journal knows.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import reasoner.store.crash
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import OutcomeUnknown
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_line
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.runs.tool_plan import ToolPlan
from reasoner.tools import FunctionTool, tool
from reasoner.types import Completion, Request, ToolCall

ORDERS = 5
ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"
UNKNOWN, FINISHED = 7, 0


def ordering(ledger: str) -> FunctionTool:
    @tool(effect="once")
    def order(n: int) -> str:
        """Order something."""
        number = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(number, f"{n}\n".encode())
        os.close(number)
        return f"ordered {n}"

    return order


def replies(request: Request) -> Completion | str:
    done = sum(message.role == "assistant" for message in request.messages)
    if request.tools:
        if done == ORDERS:
            return Completion("", tool_calls=(ToolCall("s", "submit", json.dumps({"answer": ANSWER})),), finish_reason="tool_calls")
        asked = (ToolCall("a", "order", json.dumps({"n": done})), ToolCall("b", "calculator", '{"expression": "1+1"}'))
        return Completion("", tool_calls=asked, finish_reason="tool_calls")
    if done == 2:
        return f"```python\nsubmit({ANSWER!r})\n```"
    return "```python\n" + "\n".join(f"print(order({n}))" for n in ((0, 1, 2) if done == 0 else (3, 4))) + "\n```"


async def run(given: dict[str, Any]) -> int:
    problem = problem_from_line("arithmetic", "3 4 6 18")
    plan = Plan([problem], parse_strategies(given["strategy"]), tools=ToolPlan((ordering(given["ledger"]), "calculator")))
    client = ScriptedClient(replies)
    async with open_run(plan, [client], RunOptions(lease_s=30), db=Path(given["db"])) as opened:
        try:
            report = await opened.finish()
        except OutcomeUnknown:
            return UNKNOWN
    return FINISHED if report.results[0].correct else 1


def tell(value: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    from reasoner import registry

    for name in ("react", "code_act"):
        registry.find("strategy", name)
    registry.solver("arithmetic")
    importlib.import_module("pydantic_monty")
    for line in sys.stdin:
        given = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ["REASONER_CRASH_AT"] = given.get("crash", "")
            importlib.reload(reasoner.store.crash)
            code = 70
            try:
                code = asyncio.run(run(given))
            except BaseException:  # noqa: BLE001 - told by the exit code
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(code)
        tell({"pid": child})
        _, status = os.waitpid(child, 0)
        tell({"code": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
