"""The process in which environments of verifiers run. A program by itself, run by path in a Python that has verifiers; it imports nothing of ours.

    {"id": 1, "do": "tasks", "environment": "paths", "options": {}}     ->  {"id": 1, "tasks": [{"key": "6f…", "system": "", "prompt": "…"}], "more": false}
    {"id": 2, "do": "open", "environment": "paths", "options": {}, "task": 0, "key": "6f…"}
                                                                        ->  {"id": 2, "episode": 1, "seen": "…", "tools": [{"name": "…", …}]}
    {"id": 3, "do": "act", "episode": 1, "reply": "Answer: 4 -> 5"}     ->  {"id": 3, "over": true, "reward": 1.0, "seen": "", "fault": ""}
    {"id": 4, "do": "act", "episode": 1, "call": {"name": "…", "arguments": {}}}
    {"id": 5, "do": "close", "episode": 1}                              ->  {"id": 5}

One JSON object a line, answered in any order. verifiers itself plays the episode, with its own rollouts, tool servers, stops and rewards; only the seat
of the model is ours: a harness that waits here for what the model says next, and an endpoint on loopback that says it.
Source: verifiers 0.4 (MIT), the docstrings of `verifiers.v1.env`, `harness` and `rollout`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import os
import random
import sys
import types
from contextlib import AsyncExitStack
from typing import Any

MAX_TASKS = 10_000
MAX_OF_INFINITE = 200
MAX_TEXT_CHARS = 32_000
MAX_TOOLS = 64
MAX_SCHEMA_CHARS = 20_000
SEAT = "reasoner_seat"
LEAVE_S = 30.0
"""Seconds an episode that is left has to put its servers away."""

PLAYS: dict[str, Play] = {}
"""The episodes under way, by the name of the model they ask."""


class Refused(Exception):
    """The environment cannot be played here; the message says why."""


class Play:
    """One episode: verifiers plays it in a task of its own, and stops wherever the model has to say something."""

    def __init__(self, env: Any, task: Any, url: str) -> None:
        self.name = f"episode-{next(_NUMBERS)}"
        self.reply: dict[str, Any] = {}
        self.tools: list[dict[str, Any]] = []
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._known = 0
        self._left = False
        self._episode: asyncio.Task[Any] = asyncio.create_task(self._run(env, task, url))

    async def _run(self, env: Any, task: Any, url: str) -> Any:
        import verifiers.v1 as vf  # noqa: PLC0415

        PLAYS[self.name] = self
        client = vf.EvalClientConfig(base_url=url, api_key_var="REASONER_NO_KEY")
        try:
            async with env.serving():
                return await env.run_episode(task, vf.ModelContext(model=self.name, client=client))
        finally:
            PLAYS.pop(self.name, None)

    async def ask(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Wait, on the side of verifiers, for what the model says to what is new in these messages; empty where it has left."""
        if self._left:
            return {}
        new = [one for one in messages[self._known :] if one["role"] != "assistant"]
        self._known = len(messages) + 1
        await self._asked.put("\n\n".join(_text(one.get("content")) for one in new))
        self.reply = await self._said.get()
        return self.reply

    async def begin(self) -> dict[str, Any]:
        """Wait for the first words."""
        return await self._next()

    async def act(self, said: dict[str, Any]) -> dict[str, Any]:
        """Say something, and wait for what comes of it."""
        if self._episode.done():
            return await self._next()
        await self._said.put(said)
        return await self._next()

    async def _next(self) -> dict[str, Any]:
        asked = asyncio.create_task(self._asked.get())
        await asyncio.wait({asked, self._episode}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return {"seen": asked.result(), "over": False}
        asked.cancel()
        return {"over": True, "seen": "", **_ended(self._episode)}

    async def aclose(self) -> None:
        """Leave it. verifiers puts its servers away by itself where the seat gives up; a rollout that is cancelled may wait for them for ever."""
        if not self._left:
            self._left = True
            await self._said.put({})
        await asyncio.wait({self._episode}, timeout=LEAVE_S)
        self._episode.cancel()


_NUMBERS = itertools.count(1)


def _ended(episode: asyncio.Task[Any]) -> dict[str, Any]:
    """Return the reward of an episode, and the fault where there is none."""
    if (raised := episode.exception()) is not None:
        return {"reward": None, "fault": f"{type(raised).__name__}: {raised}"[:500]}
    made = episode.result()
    faults = [*made.errors, *(error for trace in made.traces for error in trace.errors)]
    reward = float(made.traces[0].reward) if made.traces else None
    if faults or reward is None or not math.isfinite(reward):
        told = f"{faults[0].type}: {faults[0].message}" if faults else f"its reward is {reward}"
        return {"reward": None, "fault": told[:500]}
    stop = str(made.traces[0].stop_condition or "")
    return {"reward": reward, "fault": "", "stop": stop[:80]}


def _text(content: Any) -> str:
    """Return what a message says; what is no text is named by its kind."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", f"[{part.get('type')}]")) for part in content if isinstance(part, dict))
    return str(content or "")


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    half = MAX_TEXT_CHARS // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def _seat_module() -> types.ModuleType:
    """Return the harness as a module, which is what verifiers looks harnesses up in."""
    import httpx  # noqa: PLC0415 - verifiers brings it
    import verifiers.v1 as vf  # noqa: PLC0415
    from verifiers.v1.dialects.chat import message_to_wire  # noqa: PLC0415
    from verifiers.v1.harnesses.utils.mcp import call_mcp, connect_mcp  # noqa: PLC0415

    class SeatConfig(vf.HarnessConfig):  # type: ignore[misc]
        """Nothing of its own."""

    class Seat(vf.Harness[SeatConfig]):  # type: ignore[misc]
        """The model's seat: asks for each of its turns here, and lets verifiers record it as a call."""

        APPENDS_SYSTEM_PROMPT = True
        SUPPORTS_MCP = True
        SUPPORTS_RESUME = True
        EXECUTES_CODE = False
        NEEDS_CONTAINER = False

        async def launch(self, ctx: Any, trace: Any, runtime: Any, endpoint: str, secret: str, mcp_urls: dict[str, str], data: Any) -> Any:  # noqa: ARG002 - as verifiers calls it
            play = PLAYS[ctx.model]
            system, prompt = self.resolve_prompt(data)
            messages = [{"role": "system", "content": system}] if system else []
            messages += [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [message_to_wire(one) for one in prompt or []]
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(httpx.AsyncClient(timeout=None))  # noqa: S113 - a rollout has its own limits
                tools, dispatch, servers = await connect_mcp({"mcpServers": {name: {"url": url} for name, url in mcp_urls.items()}}, stack)
                play.tools = [tool["function"] for tool in tools][:MAX_TOOLS]
                offered = {"tools": tools} if tools else {}
                while True:
                    said = await play.ask(messages)
                    if not said:
                        return vf.ProgramResult(1, "", "the model has left")
                    body = {"model": ctx.model, "messages": messages, **offered}
                    answer = await client.post(f"{endpoint}/chat/completions", headers={"Authorization": f"Bearer {secret}"}, json=body)
                    if not answer.is_success:
                        return vf.ProgramResult(1, "", f"{answer.status_code}: {answer.text[:2000]}")
                    message = answer.json()["choices"][0]["message"]
                    messages.append({name: value for name, value in message.items() if value is not None})
                    if "call" not in said:
                        return vf.ProgramResult(0, "", "")
                    call = said["call"]
                    try:
                        result = await call_mcp(servers, dispatch, call["name"], call["arguments"])
                    except Exception as error:  # noqa: BLE001 - whatever a tool raises is for the model to read
                        result = f"Error: {type(error).__name__}: {error}"
                    messages.append({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result})

    module = types.ModuleType(SEAT)
    module.__dict__.update(Seat=Seat, __all__=["Seat"])
    return module


async def _endpoint() -> str:
    """Begin to answer as a model does, on loopback; return the address."""
    from aiohttp import web  # noqa: PLC0415 - verifiers brings it

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        play = PLAYS.get(str(body["model"]))
        if play is None:
            return web.json_response({"error": {"message": "there is no such episode"}}, status=404)
        said = play.reply
        message: dict[str, Any] = {"role": "assistant", "content": said.get("reply", "")}
        if call := said.get("call"):
            function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"call_{len(body['messages'])}", "type": "function", "function": function}],
            }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": usage}
        )

    served = web.Application(client_max_size=1 << 26)
    served.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server  # noqa: SLF001 - aiohttp tells the port nowhere else
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


class Worker:
    """What is loaded, and the episodes under way."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._environments: dict[str, tuple[Any, list[Any], bool]] = {}
        self._plays: dict[int, Play] = {}

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        do = request["do"]
        if do == "tasks":
            _, tasks, more = self._environment(request)
            return {
                "tasks": [
                    {"key": task.key, "system": _cut(task.data.system_prompt or ""), "prompt": _cut(task.data.prompt_text)}
                    for task in tasks
                ],
                "more": more,
            }
        if do == "open":
            return await self._open(request)
        play = self._plays.get(request["episode"])
        if play is None:
            raise Refused("there is no such episode")
        if do == "act":
            made = await play.act({name: request[name] for name in ("reply", "call") if name in request})
            return {**made, "seen": _cut(made["seen"])}
        del self._plays[request["episode"]]
        await play.aclose()
        return {}

    async def _open(self, request: dict[str, Any]) -> dict[str, Any]:
        env, tasks, _ = self._environment(request)
        at = request["task"]
        if not 0 <= at < len(tasks) or tasks[at].key != request["key"]:
            raise Refused(f"task {at} of {request['environment']} is another one now; the package has changed")
        random.seed(request["key"])  # what an environment draws at its beginning is the same again
        play = Play(env, tasks[at], self._url)
        number = int(play.name.rpartition("-")[2])
        self._plays[number] = play
        made = await play.begin()
        tools = [
            {"name": tool["name"], "description": str(tool.get("description") or "")[:2000], "parameters": tool.get("parameters") or {}}
            for tool in play.tools
            if len(json.dumps(tool.get("parameters") or {})) <= MAX_SCHEMA_CHARS
        ]
        return {"episode": number, **made, "seen": _cut(made["seen"]), "tools": tools}

    def _environment(self, request: dict[str, Any]) -> tuple[Any, list[Any], bool]:
        place = json.dumps([request["environment"], request["options"]])
        if place not in self._environments:
            self._environments[place] = _loaded(request["environment"], request["options"])
        return self._environments[place]


def _loaded(name: str, options: dict[str, str]) -> tuple[Any, list[Any], bool]:
    """Load an environment with one seat, and its first tasks; tell whether there are more."""
    try:
        return _checked(name, options)
    except Refused:
        raise
    except ModuleNotFoundError as error:
        raise Refused(f"it cannot be imported: {error}") from error
    except Exception as error:
        raise Refused(f"{type(error).__name__}: {error}"[:500]) from error


def _checked(name: str, options: dict[str, str]) -> tuple[Any, list[Any], bool]:
    import verifiers.v1 as vf  # noqa: PLC0415

    kind = vf.env_config_type(name)
    seats = [field for field, info in kind.model_fields.items() if isinstance(info.default, vf.AgentConfig)]
    if len(seats) != 1:
        raise Refused(f"it has {len(seats)} seats ({', '.join(seats)}), and one model plays")
    seat = {"harness": {"id": SEAT}, "runtime": {"type": "subprocess"}}
    env = vf.load_environment(vf.resolve_env_config({"taskset": {"id": name, **options}, seats[0]: seat}))
    infinite = bool(getattr(env.taskset, "INFINITE", False))
    first = list(itertools.islice(env.taskset, MAX_OF_INFINITE if infinite else MAX_TASKS + 1))
    if any(task.data.image or getattr(task, "NEEDS_CONTAINER", False) for task in first):
        raise Refused("its tasks run in containers")
    return env, first[:MAX_TASKS], infinite or len(first) > MAX_TASKS


async def main(out: Any) -> None:
    """Answer until standard input is closed."""

    def say(made: dict[str, Any]) -> None:
        out.write(json.dumps(made).encode() + b"\n")
        out.flush()

    try:
        sys.modules[SEAT] = _seat_module()
    except ImportError as error:
        say({"missing": str(error)[:300]})
        return
    worker = Worker(await _endpoint())
    say({"ready": True})

    async def one(request: dict[str, Any]) -> None:
        try:
            made = await worker.answer(request)
        except Refused as error:
            made = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - the fault of an environment ends one answer, not the process
            made = {"refused": f"{type(error).__name__}: {error}"[:500]}
        say({"id": request["id"], **made})

    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        task = asyncio.create_task(one(json.loads(line)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


if __name__ == "__main__":
    # What an environment prints goes to standard error; the lines of this program go where standard output was.
    logging.disable(logging.CRITICAL)
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(main(channel))
    os._exit(0)
