"""Prompts of reasoner as a taskset of verifiers, rewarded by the verifier of the problem's family.

Written by `reasoner export verifiers`. The tasks stand in the .jsonl files beside this one. `Taskset` loads them, `Task` rewards a reply with 1.0
where its answer is right, `OneReply` asks the model once (no program, no sandbox), and `Env` puts the three together.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import verifiers.v1 as vf
from verifiers.v1.dialects.chat import message_to_wire

from reasoner.datasets.reward import verified

HERE = Path(__file__).parent


class ReasonerData(vf.TaskData):
    """One prompt, and the problem that answers to it are judged by; `pass_rate` is -1 where nothing was judged before."""

    solver: str
    instance: str
    pass_rate: float = -1.0


class ReasonerTask(vf.Task[ReasonerData]):
    """The reward."""

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        """Return 1.0 for an answer that the family's verifier accepts, else 0.0."""
        (reward,) = await asyncio.to_thread(verified, [trace.last_reply], [self.data.solver], [self.data.instance])
        return reward


class ReasonerTasksetConfig(vf.TasksetConfig):
    """Which tasks: those of one part of the export."""

    split: str = ""


class ReasonerTaskset(vf.Taskset[ReasonerTask, ReasonerTasksetConfig]):
    """The exported prompts."""

    def load(self) -> Iterator[ReasonerTask]:
        """Yield the tasks of the part, in the order of the file."""
        part = self.config.split
        with (HERE / (f"tasks.{part}.jsonl" if part else "tasks.jsonl")).open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                prompt = row["prompt"]
                system = prompt.pop(0)["content"] if prompt[0]["role"] == "system" else None
                plain = len(prompt) == 1 and isinstance(prompt[0]["content"], str)
                data = ReasonerData(
                    id=row["id"], name=f"{row['solver']} {row['instance'][:80]}", system_prompt=system, prompt=prompt[0]["content"] if plain else prompt,
                    solver=row["solver"], instance=row["instance"], pass_rate=row["pass_rate"],
                )  # fmt: skip
                yield ReasonerTask(data, self.config.task)


class OneReplyConfig(vf.HarnessConfig):
    """Nothing of its own."""


class OneReply(vf.Harness[OneReplyConfig]):
    """One call of the model, made in this process."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        """Ask once; the trace holds the reply."""
        system, prompt = self.resolve_prompt(data)
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [message_to_wire(one) for one in prompt or []]
        async with httpx.AsyncClient(timeout=None) as client:
            reply = await client.post(
                f"{endpoint}/chat/completions",
                headers={"Authorization": f"Bearer {secret}"},
                json={"model": ctx.model, "messages": messages},
            )
        return vf.ProgramResult(0, "", "") if reply.is_success else vf.ProgramResult(1, "", f"{reply.status_code}: {reply.text[:2000]}")


class ReasonerEnvConfig(vf.SingleAgentEnvConfig):
    """The one agent asks once, in a process of this machine."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class ReasonerEnv(vf.SingleAgentEnv, vf.Env[ReasonerEnvConfig]):
    """The environment."""
