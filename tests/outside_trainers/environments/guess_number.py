"""An environment of verifiers for tests: a conversation that the environment leads, and rewards itself."""

from collections.abc import Iterator

import verifiers.v1 as vf

__all__ = ["GuessEnv", "GuessTaskset"]


class GuessData(vf.TaskData):
    number: int


class GuessTask(vf.Task[GuessData]):
    pass


class GuessTaskset(vf.Taskset[GuessTask, vf.TasksetConfig]):
    def load(self) -> Iterator[GuessTask]:
        for number in range(1, 9):
            yield GuessTask(GuessData(id=str(number), prompt="Guess a number from 1 to 8.", number=number), self.config.task)


class GuessConfig(vf.EnvConfig):
    player: vf.AgentConfig = vf.AgentConfig()


class GuessEnv(vf.Env[GuessConfig]):
    async def run(self, task: GuessTask, agents: vf.Agents) -> None:
        number, won = task.data.number, 0.0
        async with agents.player.interaction(task) as talk:
            said = await talk.turn()
            for _ in range(4):
                told = int(said.last_reply) if said.last_reply.isdecimal() else 0
                if said.terminated or told == number:
                    won = float(told == number)
                    break
                said = await talk.turn("Higher." if told < number else "Lower.")
        talk.trace.record_reward("won", won, 1.0)
