"""The two ways to an MCP server, with bounds that the official package leaves open: a line, a message and a whole connection have a size.

A server that is a command is started in a process group of its own, with the environment it is given and nothing else, and is ended, with
everything it started, when the connection ends. Knows bytes and processes; does not know tools.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

MAX_MESSAGE_BYTES = 4 << 20
"""One message of a server; a longer one ends the connection."""
MAX_CONNECTION_BYTES = 256 << 20
_GOODBYE_S = 2.0


@contextlib.asynccontextmanager
async def through_pipes(
    command: str, args: Sequence[str], *, env: Mapping[str, str], cwd: str | None
) -> AsyncGenerator[tuple[Any, Any], None]:
    """Start a server and yield the streams of its messages.

    Raises:
        BadConfig: it cannot be started.
    """
    import anyio  # noqa: PLC0415 - comes with the extra

    try:
        process = await asyncio.create_subprocess_exec(
            command, *args, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=dict(env),
            cwd=cwd, start_new_session=True, limit=MAX_MESSAGE_BYTES,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise BadConfig(f"the MCP server {command!r} cannot be started: {error}", hint="check its command in the MCP file") from error
    incoming, received = anyio.create_memory_object_stream[Any](0)
    outgoing, to_send = anyio.create_memory_object_stream[Any](0)
    reading = asyncio.create_task(_read(process, incoming))
    writing = asyncio.create_task(_write(process, to_send))
    try:
        yield received, outgoing
    finally:
        writing.cancel()
        await _stop(process)
        reading.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        for stream in (incoming, received, outgoing, to_send):
            stream.close()


async def _read(process: asyncio.subprocess.Process, incoming: Any) -> None:
    """Hand on messages, a line each. What is longer than a message may be, or too much altogether, ends the connection."""
    import anyio  # noqa: PLC0415
    from mcp.shared.message import SessionMessage  # noqa: PLC0415
    from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

    pipe, left = process.stdout, MAX_CONNECTION_BYTES
    async with incoming:
        while pipe is not None and left > 0:
            try:
                line = await pipe.readline()
            except ValueError:
                return  # longer than a message may be
            if not line:
                return
            left -= len(line)
            try:
                message: Any = SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
            except (ValueError, RecursionError):
                continue  # no message: some servers print what they do
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await incoming.send(message)


async def _write(process: asyncio.subprocess.Process, to_send: Any) -> None:
    async with to_send:
        async for message in to_send:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            if process.stdin is None:
                return
            try:
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()
            except (ConnectionError, RuntimeError):
                return


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a server: close its input, give it a moment, then end its whole group."""
    if process.stdin is not None:
        process.stdin.close()
    emptying = asyncio.create_task(_empty(process))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.wait()), _GOODBYE_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it started may be left over
    await process.wait()
    emptying.cancel()
    await asyncio.gather(emptying, return_exceptions=True)


async def _empty(process: asyncio.subprocess.Process) -> None:
    """Read what nobody wants any more: asyncio takes a process for ended when its pipes are read empty."""
    while process.stdout is not None:
        try:
            if not await process.stdout.read(1 << 16):
                return
        except RuntimeError:
            await asyncio.sleep(0.01)  # the reader is still at it


@contextlib.asynccontextmanager
async def through_http(url: str, headers: Mapping[str, str], *, timeout_s: float) -> AsyncGenerator[tuple[Any, Any], None]:
    """Connect to a server by Streamable HTTP and yield the streams of its messages; nothing of it is larger than a message may be."""
    import httpx2  # noqa: PLC0415 - comes with the extra
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    class Bounded(httpx2.AsyncBaseTransport):
        def __init__(self) -> None:
            self._inner = httpx2.AsyncHTTPTransport()

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await self._inner.handle_async_request(request)
            events = response.headers.get("content-type", "").startswith("text/event-stream")
            response.stream = _Counted(response.stream, MAX_CONNECTION_BYTES if events else MAX_MESSAGE_BYTES)
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    class _Counted(httpx2.AsyncByteStream):
        def __init__(self, inner: Any, left: int) -> None:
            self._inner = inner
            self._left = left

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._inner:
                self._left -= len(chunk)
                if self._left < 0:
                    raise httpx2.ReadError("the server sent more than it may")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    client = httpx2.AsyncClient(transport=Bounded(), headers=dict(headers), timeout=httpx2.Timeout(30.0, read=timeout_s), trust_env=False)
    async with client, streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES) as streams:
        yield streams
