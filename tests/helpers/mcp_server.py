"""An MCP server made with the official package, to be started as a program: two tools, one that fails, and what it sees of its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tests")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def environment() -> str:
    """Return the names of the variables this process has, and its process group."""
    return json.dumps({"names": sorted(os.environ), "leader": os.getpgid(0) == os.getpid()})


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ToolError(why)


@server.tool()
def start() -> str:
    """Start a program that would outlive the server."""
    return str(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).pid)


if __name__ == "__main__":
    server.run()
