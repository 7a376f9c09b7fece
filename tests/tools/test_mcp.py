"""MCP servers made with the official package, over pipes and HTTP, and one that means harm."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ends import ends
from loopback import Loopback

from reasoner.errors import BadConfig, ToolFailed
from reasoner.tools._mcp import MAX_DESCRIPTION_CHARS, MAX_TOOLS, McpServers
from reasoner.tools._mcp_config import Server, environment_of, read_config

HELPERS = Path(__file__).parent.parent / "helpers"
FRIENDLY: dict[str, Any] = {"command": sys.executable, "args": (str(HELPERS / "mcp_server.py"),)}
SECRET = "sk-canary-0123456789abcdef"


def hostile(how: str, **more: Any) -> McpServers:
    return McpServers({"bad": Server(command=sys.executable, args=(str(HELPERS / "mcp_hostile.py"), how), **more)})


async def test_tools_of_a_server_over_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    async with McpServers({"own": Server(**FRIENDLY, env={"TOKEN": "t"})}) as servers:
        tools = {tool.name: tool for tool in servers.tools}
        assert set(tools) == {"own__add", "own__environment", "own__fail", "own__start"}
        assert {tool.effect for tool in servers.tools} == {"approve"}
        assert tools["own__add"].description == "Add two numbers."
        assert tools["own__add"].parameters["properties"]["a"]["type"] == "integer"
        assert await tools["own__add"].call({"a": 2, "b": 3}) == "5"
        with pytest.raises(ToolFailed, match="out of salt"):
            await tools["own__fail"].call({"why": "out of salt"})
        with pytest.raises(ToolFailed):
            await tools["own__add"].call({"a": "x"})
        seen = json.loads(await tools["own__environment"].call({}))
        assert "OPENAI_API_KEY" not in seen["names"]
        assert "TOKEN" in seen["names"]
        assert seen["leader"], "it has a process group of its own"
        assert await asyncio.gather(*(tools["own__add"].call({"a": i, "b": i}) for i in range(5))) == ["0", "2", "4", "6", "8"]
        started = int(await tools["own__start"].call({}))
        assert Path(f"/proc/{started}").exists()
    assert await _gone(started), "what a server started ends with it"
    with pytest.raises(ToolFailed, match="has ended"):
        await tools["own__add"].call({"a": 1, "b": 1})


async def _gone(pid: int) -> bool:
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z":
            return True
        await asyncio.sleep(0.05)
    return False


async def test_tools_of_a_server_over_http() -> None:
    sys.path.insert(0, str(HELPERS))
    import mcp_server

    with Loopback(mcp_server.server.streamable_http_app()) as loopback:
        async with McpServers({"web": Server(url=f"{loopback.url}/mcp", tools=("add",), effect={"add": "pure"})}) as servers:
            (tool,) = servers.tools
            assert (tool.name, tool.effect) == ("web__add", "pure")
            assert await tool.call({"a": 20, "b": 22}) == "42"
    with pytest.raises(BadConfig, match="cannot be used"):
        async with McpServers({"web": Server(url=f"{loopback.url}/mcp")}):
            raise AssertionError


async def test_a_huge_or_deep_schema_is_left_out_and_descriptions_are_cut() -> None:
    for how, says in (("schema", "characters"), ("deep", "nests deeper")):
        async with hostile(how) as servers:
            (tool,) = servers.tools
            assert len(tool.description) <= MAX_DESCRIPTION_CHARS
            assert "\x1b" not in tool.description
            assert len(servers.notes) == 1
            assert says in servers.notes[0]


async def test_endless_pages_end() -> None:
    async with hostile("pages") as servers:
        assert len(servers.tools) == MAX_TOOLS
        assert "more than" in servers.notes[0]


@pytest.mark.parametrize("how", ["endless", "flood", "dies", "silent", "garbage"])
async def test_a_hostile_answer_fails_the_call_and_nothing_else(how: str) -> None:
    with ends(how, 120, time.monotonic):
        async with hostile(how, timeout_s=2.0) as servers:
            with pytest.raises(ToolFailed):
                await servers.tools[0].call({})


async def test_a_server_that_asks_for_secrets_gets_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    async with hostile("asks", timeout_s=5.0) as servers:
        answers = json.loads(await servers.tools[0].call({}))
    assert len(answers) == 3
    assert all("error" in answer and "result" not in answer for answer in answers)
    assert SECRET not in json.dumps(answers)


async def test_a_server_that_does_not_start_is_named() -> None:
    for server in (Server(command="no-such-program-anywhere"), Server(command=sys.executable, args=("-c", "pass"))):
        with pytest.raises(BadConfig, match="MCP server"):
            async with McpServers({"gone": server}):
                raise AssertionError


async def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(BadConfig, match="no tool 'divide'"):
        async with McpServers({"own": Server(**FRIENDLY, tools=("divide",))}):
            raise AssertionError


def test_the_file_is_read_with_variables_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    given = {
        "a": {"command": "x", "env": {"T": "${TOKEN}-1"}, "disabled": False},
        "b": {"url": "https://h/mcp", "headers": {"K": "${TOKEN}"}, "effect": {"f": "once"}},
    }
    path.write_text(json.dumps({"mcpServers": given}), encoding="utf-8")
    servers = read_config(path, {"TOKEN": SECRET})
    assert servers["a"].env == {"T": f"{SECRET}-1"}
    assert servers["b"].headers == {"K": SECRET}
    assert (servers["b"].effect_of("f"), servers["b"].effect_of("g"), servers["a"].effect_of("g")) == ("once", "approve", "approve")
    assert environment_of(servers["a"], {"PATH": "/bin", "OPENAI_API_KEY": SECRET}) == {"PATH": "/bin", "T": f"{SECRET}-1"}
    with pytest.raises(BadConfig, match="TOKEN, which is not set"):
        read_config(path, {})


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"mcpServers": {}}', '{"mcpServers": {"a": 1}}', '{"mcpServers": {"a": {}}}', '{"mcpServers": {"a": {"command": "x", "url": "https://h"}}}',
        '{"mcpServers": {"a": {"url": "file:///etc/passwd"}}}', '{"mcpServers": {"../a": {"command": "x"}}}', '{"mcpServers": {"a": {"command": "x", "effect": "sure"}}}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig, match=r"mcp\.json"):
        read_config(path)
