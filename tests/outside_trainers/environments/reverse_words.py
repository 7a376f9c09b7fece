"""An environment of verifiers for tests: one reply, rewarded by its end."""

from collections.abc import Iterator

import verifiers.v1 as vf

__all__ = ["ReverseTaskset"]


class ReverseData(vf.TaskData):
    answer: str


class ReverseTask(vf.Task[ReverseData]):
    @vf.reward(weight=1.0)
    async def right(self, trace: vf.Trace) -> float:
        return float(trace.last_reply.strip().endswith(self.data.answer))


class ReverseTaskset(vf.Taskset[ReverseTask, vf.TasksetConfig]):
    def load(self) -> Iterator[ReverseTask]:
        for word in ("tar", "pots", "live"):
            data = ReverseData(id=word, system_prompt="Be brief.", prompt=f"Write {word!r} backwards.", answer=word[::-1])
            yield ReverseTask(data, self.config.task)
