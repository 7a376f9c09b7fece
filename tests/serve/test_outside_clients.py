"""Clients that people use, each in an environment of its own, against the endpoint: every mode works or is one clear refusal.

The table of docs/guides/serve.md is this one. `REASONER_CLIENTS` names the Python of that environment (`scripts/test` makes it).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import TOKEN, Loopback

from reasoner.clients.scripted import ScriptedClient
from reasoner.serve.app import application
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Request, ToolCall, Usage

PYTHON = os.environ.get("REASONER_CLIENTS")
"""Read once, since tests run without settings of the environment."""
SCRIPTS = Path(__file__).parents[1] / "outside_clients"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "serve.md"
WITHIN_S = 300
TOOLS = "tools need a model without a strategy"
WORKS = "works"

Cell = str
"""`works`, or what the refusal says."""
TABLE: dict[str, tuple[str, dict[str, tuple[Cell, Cell]]]] = {
    "openai, anthropic": (
        "with_sdks.py",
        {
            **{
                f"{form}{mode}": (WORKS, TOOLS if "tools" in mode else WORKS)
                for form in ("chat", "responses")
                for mode in ("", ", stream", ", parse", ", tools")
            },
            "messages": (WORKS, WORKS),
            "messages, stream": (WORKS, WORKS),
            "messages, tools": (WORKS, TOOLS),
            "messages, thinking, second turn": (WORKS, WORKS),
        },
    ),
    "pydantic-ai": (
        "with_pydantic_ai.py",
        {
            f"{form}, {mode}": ("Native structured output is not supported",) * 2
            if (form, mode) == ("messages", "native output")
            else (WORKS, TOOLS if mode.startswith("tool") else WORKS)
            for form in ("chat", "responses", "messages")
            for mode in ("text", "stream", "tool output", "native output", "prompted output", "tools")
        },
    ),
    "instructor": (
        "with_instructor.py",
        {
            mode: (WORKS, TOOLS if "TOOLS" in mode else WORKS)
            for mode in (
                "TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "MD_JSON", "RESPONSES_TOOLS", "ANTHROPIC_TOOLS", "ANTHROPIC_JSON"
            )
        },
    ),
    "langchain-openai": (
        "with_langchain.py",
        {
            f"{form}, {mode}": (WORKS, TOOLS if mode in {"function_calling", "tools"} else WORKS)
            for form in ("chat", "responses")
            for mode in ("invoke", "stream", "json_schema", "json_mode", "function_calling", "tools")
        },
    ),
    "llm": (
        "with_llm.py",
        {mode: (WORKS, TOOLS if mode == "tools" else WORKS) for mode in ("prompt", "stream", "schema", "conversation", "tools")},
    ),
    "smolagents": (
        "with_smolagents.py",
        {"tool calling agent": (WORKS, TOOLS), "code agent": (WORKS, WORKS), "code agent, structured": (WORKS, WORKS)},
    ),
}  # fmt: skip


def script(request: Request) -> Completion:
    """Do what is asked for in whatever form: call the tool, write the form or the code, end with an answer line where a strategy asks."""
    usage = Usage(5, 4)
    tools = {tool.name: tool for tool in request.tools}
    multiplied = "42" in request.messages[-1].content
    form = next((tool for tool in request.tools if '"answer"' in tool.parameters), None)
    tool = tools.get("final_answer") if multiplied else tools.get("multiply", form)
    if tool is not None and request.tool_choice != "none":
        arguments = '{"a": 6, "b": 7}' if tool.name == "multiply" else '{"answer": 42}'
        return Completion("", "tool_calls", usage, reasoning="six sevens", tool_calls=(ToolCall("c1", tool.name, arguments),))
    if request.constraint is not None:
        code = '{"thought": "six sevens", "code": "final_answer(multiply(6, 7))"}'
        return Completion(code if '"code"' in request.constraint.value else '{"answer": 42}', usage=usage)
    said = "\n".join(message.content for message in request.messages)
    answer = "<code>\nfinal_answer(multiply(6, 7))\n</code>" if "<code>" in said else '{"answer": 42}' if "JSON" in said else "42"
    return Completion(f"Answer: {answer}" if "Answer:" in said or answer == "42" else answer, usage=usage, reasoning="six sevens")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not PYTHON:
        pytest.skip("no environment with other people's clients; scripts/test makes one, or REASONER_CLIENTS names the Python of yours")
    client = ScriptedClient(script, name="scripted")
    with (
        Store.open(tmp_path_factory.mktemp("served") / "t.db") as store,
        Loopback(application(store, Settings(TOKEN), clients=[client])) as server,
    ):
        yield server.url


@pytest.mark.slow
@pytest.mark.parametrize("client", TABLE)
def test_every_mode_works_or_is_one_clear_refusal(url: str, client: str, tmp_path: Path) -> None:
    name, modes = TABLE[client]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "REASONER_TOKEN": TOKEN, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1",
    }  # fmt: skip
    assert PYTHON
    command = [PYTHON, "-W", "ignore", str(SCRIPTS / name), url]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    wanted = {f"{model} {mode}": cells[at] for mode, cells in modes.items() for at, model in enumerate(("scripted", "cot/scripted"))}
    assert set(found) == set(wanted)
    wrong = {case: found[case] for case, cell in wanted.items() if not _is(found[case], cell)}
    assert not wrong, json.dumps(wrong, indent=1)[:4000]


def _is(found: dict[str, str], cell: Cell) -> bool:
    if cell == WORKS:
        return "42" in found.get("value", "")
    error = found.get("error", "")
    return cell in error and (cell != TOOLS or "400" in error)


def test_the_table_of_the_guide_is_this_one() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {(client, mode.strip()): (plain.strip(), over.strip()) for client, modes, plain, over in rows for mode in modes.split(";")}
    shown = {WORKS: "works", TOOLS: "400, tools"}
    wanted = {
        (client, mode): (shown.get(plain, "refused by the client"), shown.get(over, "refused by the client"))
        for client, (_, modes) in TABLE.items()
        for mode, (plain, over) in modes.items()
    }
    assert told == wanted
