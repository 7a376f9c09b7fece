"""The tasks and their tool, which verifiers serves in a process of its own."""

from collections.abc import Iterator

import verifiers.v1 as vf

PRICES = {"salt": 2.5, "pepper": 7.25, "oil": 4.0}


class ShopData(vf.TaskData):
    total: float


class ShopState(vf.State):
    looked: int = 0


class Shop(vf.Toolset[vf.ToolsetConfig, ShopState]):
    @vf.tool
    async def price(self, item: str) -> str:
        """Look up the price of one packet of an item."""
        self.state.looked += 1
        return str(PRICES[item])


class ShopTask(vf.Task[ShopData, ShopState]):
    @vf.reward(weight=1.0)
    async def right(self, trace: vf.Trace) -> float:
        return float(f"{self.data.total:g}" in trace.last_reply and trace.state.looked == 1)

    @classmethod
    def toolsets(cls, config: vf.TaskConfig) -> list[Shop]:
        return [Shop(vf.ToolsetConfig())]


class ShopTaskset(vf.Taskset[ShopTask, vf.TasksetConfig]):
    def load(self) -> Iterator[ShopTask]:
        for n, (item, price) in enumerate(PRICES.items(), start=2):
            yield ShopTask(ShopData(id=item, prompt=f"What do {n} packets of {item} cost?", total=n * price), self.config.task)


if __name__ == "__main__":
    Shop.run()
