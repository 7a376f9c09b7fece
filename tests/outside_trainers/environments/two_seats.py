"""An environment of verifiers for tests: two models talk in it, which one model cannot play."""

import verifiers.v1 as vf
from reverse_words import ReverseTask, ReverseTaskset

__all__ = ["PairEnv", "ReverseTaskset"]


class PairConfig(vf.EnvConfig):
    first: vf.AgentConfig = vf.AgentConfig()
    second: vf.AgentConfig = vf.AgentConfig()


class PairEnv(vf.Env[PairConfig]):
    async def run(self, task: ReverseTask, agents: vf.Agents) -> None:
        await agents.first.run(task)
        await agents.second.run(task)
