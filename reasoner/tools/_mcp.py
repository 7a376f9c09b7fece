"""Tools of MCP servers, through the official `mcp` package: tools only, never sampling, roots or questions to the user.

What a server says of its tools is a stranger's text: names are prefixed with the server's, descriptions and schemas are bounded, and a tool's
effect is what the user's file says (`approve`, where it says nothing), never what the server claims.

    async with McpServers(read_config(Path("mcp.json"))) as servers: servers.tools, servers.notes
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any, Self

from reasoner.errors import BadConfig, MissingDependency, ReasonerError, ToolFailed
from reasoner.text import clean, shorten
from reasoner.tools._mcp_config import Server, environment_of
from reasoner.tools._mcp_transport import through_http, through_pipes
from reasoner.tools._tool import Effect, Lent, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TOOLS = 128
MAX_PAGES = 20
MAX_SCHEMA_CHARS = 20_000
MAX_SCHEMA_DEPTH = 12
MAX_DESCRIPTION_CHARS = 2000
MAX_NAME_CHARS = 64
_OPENING_S = 30.0
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class McpTool(Tool):
    """One tool of a server."""

    def __init__(
        self, connection: _Connection, remote: str, *, name: str, description: str, parameters: dict[str, Any], effect: Effect
    ) -> None:
        self._connection = connection
        self._remote = remote
        self._parameters = parameters
        self.name = name
        self.description = description
        self.effect = effect
        self.timeout_s = connection.server.timeout_s

    @property
    def parameters(self) -> dict[str, Any]:
        """The schema the server gave."""
        return self._parameters

    def accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as they are: the server checks them."""
        return dict(arguments)

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Call the tool on its server and return what it says."""
        return await self._connection.call(self._remote, arguments)


class McpServers:
    """The servers of a file, connected for as long as the block lasts."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        try:
            import mcp  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("mcp, the package for MCP servers,", extra="tools") from error
        logging.getLogger("mcp").addHandler(logging.NullHandler())  # what goes wrong is told by our own errors
        self._connections = [_Connection(name, server) for name, server in servers.items()]
        self.tools: list[Tool] = []
        self.notes: list[str] = []

    async def __aenter__(self) -> Self:
        """Connect to all.

        Raises:
            BadConfig: a server cannot be reached, does not answer in time, or has no tool that may be used.
        """
        try:
            for connection in self._connections:
                tools, notes = await connection.open()
                self.tools += tools
                self.notes += notes
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all connections, and the servers that were started. Safe to call twice."""
        await asyncio.gather(*(connection.aclose() for connection in self._connections))


class _Connection:
    """One server. Its connection lives in a task of its own: the package wants it ended where it was begun."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self._client: Any = None
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def open(self) -> tuple[list[Tool], list[str]]:
        """Connect, and return the tools that may be used, and what there is to say of the others."""
        ready: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(ready), name=f"mcp {self.name}")
        try:
            listed = await asyncio.wait_for(asyncio.shield(ready), _OPENING_S)
        except ReasonerError:
            raise
        except TimeoutError:
            ready.cancel()  # nobody waits for what it says later
            raise self._unreachable(f"no answer within {_OPENING_S:g} s") from None
        return self._usable(listed)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Call a tool.

        Raises:
            ToolFailed: the server says so, is gone, or is too slow.
        """
        from mcp import MCPError  # noqa: PLC0415 - an extra

        if self._client is None:
            raise ToolFailed(f"the server {self.name} has ended")
        calling = asyncio.ensure_future(self._client.call_tool(tool, dict(arguments), read_timeout_seconds=self.server.timeout_s))
        ending = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({calling, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not calling.done():
                raise ToolFailed(f"the server {self.name} has ended")
            result = await calling
        except MCPError as error:
            raise ToolFailed(f"the server {self.name} says: {shorten(clean(str(error.error.message)), 2000)}") from None
        except (ValueError, RuntimeError, OSError, TimeoutError) as error:  # a result of no form, a broken connection
            raise ToolFailed(f"the call of the server {self.name} failed: {shorten(clean(str(error)), 500)}") from None
        finally:
            for task in (calling, ending):
                task.cancel()
            await asyncio.gather(calling, ending, return_exceptions=True)
        text = _text(result)
        if result.is_error:
            raise ToolFailed(text or "the tool failed without a word")
        return text or "done"

    async def aclose(self) -> None:
        """End the connection and the server. Safe to call twice."""
        self._client = None
        self._over.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self, ready: asyncio.Future[list[Any]]) -> None:
        from mcp import Client  # noqa: PLC0415 - an extra

        server = self.server
        if server.command is not None:
            transport = through_pipes(server.command, server.args, env=environment_of(server), cwd=server.cwd)
        else:
            transport = through_http(server.url or "", server.headers, timeout_s=server.timeout_s)
        try:
            async with Client(transport, read_timeout_seconds=min(server.timeout_s, _OPENING_S), cache=None) as client:
                listed = await self._list(client)
                self._client = client
                ready.set_result(listed)
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - whatever a stranger's server makes of the connection, it has ended
            if not ready.done():
                ready.set_exception(self._unreachable(_reason(error)))
        finally:
            self._client = None
            self._over.set()
            if not ready.done():
                ready.set_exception(self._unreachable("the connection ended"))

    async def _list(self, client: Any) -> list[Any]:
        listed: list[Any] = []
        cursor = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            listed += page.tools
            cursor = page.next_cursor
            if not cursor or len(listed) > MAX_TOOLS:
                break
        return listed

    def _usable(self, listed: list[Any]) -> tuple[list[Tool], list[str]]:
        allowed = self.server.tools
        tools: dict[str, Tool] = {}
        notes: list[str] = []
        for told in listed[:MAX_TOOLS]:
            if allowed is not None and told.name not in allowed:
                continue
            name = f"{self.name}__{_UNFIT.sub('_', told.name)}"[:MAX_NAME_CHARS]
            problem = "two tools have that name" if name in tools else _problem(told.input_schema)
            if problem:
                notes.append(f"the tool {shorten(clean(told.name), 80)} of the MCP server {self.name} is left out: {problem}")
                continue
            description = shorten(clean(told.description or told.title or told.name), MAX_DESCRIPTION_CHARS)
            effect = self.server.effect_of(told.name)
            tools[name] = McpTool(self, told.name, name=name, description=description, parameters=dict(told.input_schema), effect=effect)
        if len(listed) > MAX_TOOLS:
            notes.append(f"the MCP server {self.name} has more than {MAX_TOOLS} tools; the first {MAX_TOOLS} were looked at")
        for name in allowed or ():
            if name not in {told.name for told in listed}:
                raise BadConfig(f"the MCP server {self.name} has no tool {name!r}", hint="correct its list 'tools' in the MCP file")
        if not tools:
            raise BadConfig(
                f"the MCP server {self.name} has no tool that can be used", hint="; ".join(notes)[:500] or "look at its own log"
            )
        return list(tools.values()), notes

    def _unreachable(self, why: str) -> BadConfig:
        what = self.server.command or self.server.url
        return BadConfig(f"the MCP server {self.name} ({what}) cannot be used: {why}", hint="run it by itself to see what is wrong")


def _problem(schema: Any) -> str:
    """Say why a schema cannot be shown to a model, empty where it can."""
    if _depth(schema) > MAX_SCHEMA_DEPTH:
        return f"its schema nests deeper than {MAX_SCHEMA_DEPTH}"
    if (size := len(json.dumps(schema))) > MAX_SCHEMA_CHARS:
        return f"its schema has {size:,} characters, at most {MAX_SCHEMA_CHARS:,} are shown"
    return ""


def _depth(value: Any) -> int:
    """Return how deep a value nests, counted without recursion and no further than is of interest."""
    level, depth = [value], 0
    while level and depth <= MAX_SCHEMA_DEPTH + 1:
        depth += 1
        below = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for inners in below for inner in inners]
    return depth


def _text(result: Any) -> str:
    """Return what a result says: its texts, else its structured content; other parts are named."""
    parts = [part.text if part.type == "text" else f"[{part.type} left out]" for part in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return shorten(clean(str(error) or type(error).__name__), 300)
