"""Load an installed environment and have scripted replies scored, by verifiers itself; a line of JSON says what came of each task.

Run by `tests/datasets/test_verifiers.py` in an environment that has verifiers: `python with_verifiers.py NAME SPLIT '{"instance": "reply"}'`. A task
without a reply is answered with status 500.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import verifiers.v1 as vf

REPLIES: dict[str, str] = json.loads(sys.argv[3])


class Model(BaseHTTPRequestHandler):
    """An endpoint that answers a request with the reply that is meant for its prompt."""

    asked: ClassVar[dict[str, str]] = {}
    """Replies by the last message of their prompt."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.asked.get(body["messages"][-1]["content"])
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        made = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": usage}
        data = json.dumps(made if reply is not None else {"error": {"message": "out of order"}}).encode()
        self.send_response(200 if reply is not None else 400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


async def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    taskset: dict[str, Any] = {"id": sys.argv[1], **({"split": sys.argv[2]} if sys.argv[2] else {})}
    env = vf.load_environment(vf.resolve_env_config({"taskset": taskset}))
    client = vf.EvalClientConfig(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key_var="NO_KEY")
    found: dict[str, Any] = {}
    async with env.serving():
        for task in env.taskset:
            prompt = task.data.prompt
            last = prompt if isinstance(prompt, str) else prompt[-1].content
            if task.data.instance in REPLIES:
                Model.asked[last] = REPLIES[task.data.instance]
            episode = await env.run_episode(task, vf.ModelContext(model="m", client=client))
            (trace,) = episode.traces
            found[task.data.instance] = {
                "ok": episode.ok, "reward": trace.reward, "reply": trace.last_reply, "turns": trace.num_turns, "key": task.key,
                "roles": [message.role for message in trace.messages], "error": str(trace.last_error or ""),
            }  # fmt: skip
    sys.stdout.write(json.dumps({"env": type(env).__name__, "taskset": type(env.taskset).__name__, "found": found}) + "\n")


asyncio.run(main())
