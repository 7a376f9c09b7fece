"""A Ray that runs tasks in threads of this process, loses them as told, and keeps a list of what it was asked.

    ray = FakeRay({"a": 2, "b": 1})
    ray.fate = lambda order, node, n: "lost" if n == 0 else "run"       the first worker is lost

Has what `reasoner.scale` uses of the real one. Real clusters are met in `test_ray_faults.py`; here what is decided is looked at, at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from reasoner.scale.ray_cluster import Cluster, Where


class Lost(Exception):
    """A worker's process or node is gone."""


@dataclass
class Ref:
    order: Any
    node: str
    value: Any = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)
    cancelled: bool | None = None
    """Whether by force; None where it was not."""

    __hash__ = object.__hash__


Fate = Callable[[dict[str, Any], str, int], str]
"""From an order, its node and how many orders that shard had before: `run`, `lost` (at once), `lost after` (its work is done), `silent`, `told` (`answer`)."""


class FakeRay:
    __version__ = "9.9.9"

    def __init__(self, places: dict[str, float], *, said: dict[str, dict[str, str]] | None = None) -> None:
        self.places = dict(places)
        self.fate: Fate = lambda _order, _node, _n: "run"
        self.answer: dict[str, Any] = {}
        self.before_end: Callable[[dict[str, Any], int], None] = lambda _order, _n: None
        self.refs: list[Ref] = []
        self.most = 0
        self.said = said or {}
        self.held: dict[str, dict[int, int]] = {}
        """What a node says of the files it has, instead of what the one disk of all nodes holds."""
        self.exceptions = SimpleNamespace(RayError=Lost)
        on_node = lambda node, soft: node  # noqa: E731
        self.util = SimpleNamespace(scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=on_node))

    def cluster(self, where: Where | None = None) -> Cluster:
        return Cluster(self, where or Where(), ours=False)

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": n > 0, "Resources": {"CPU": float(n)}}
            for name, n in self.places.items()
        ]

    @property
    def orders(self) -> list[Ref]:
        return [ref for ref in self.refs if isinstance(ref.order, dict)]

    def remote(self, function: Callable[..., Any]) -> Any:
        def options(**told: Any) -> Any:
            return SimpleNamespace(remote=lambda given: self._begin(function, given, told["scheduling_strategy"]))

        return SimpleNamespace(options=options)

    def _begin(self, function: Callable[..., Any], given: Any, node: str) -> Ref:
        ref = Ref(given, node)
        if not isinstance(given, dict):  # a question for versions, or for files of a run
            more = {"Ray": self.__version__} | self.said.get(node, {})
            ref.value = function(given) | more if isinstance(given, tuple) else self.held.get(node, {})
            ref.done.set()
            self.refs.append(ref)
            return ref
        n = sum(other.order["shard"] == given["shard"] for other in self.orders)
        self.refs.append(ref)
        self.most = max(self.most, sum(not other.done.is_set() for other in self.orders))
        threading.Thread(target=self._work, args=(function, ref, self.fate(given, node, n), n), daemon=True).start()
        return ref

    def _work(self, function: Callable[..., Any], ref: Ref, fate: str, n: int) -> None:
        if fate == "silent":
            return
        if fate == "told":
            ref.value = self.answer
        elif fate != "lost":
            ref.value = function(ref.order)
            self.before_end(ref.order, n)
        if fate.startswith("lost"):
            ref.error = Lost("the worker died")
        ref.done.set()

    def wait(self, refs: list[Ref], *, num_returns: int, timeout: float) -> tuple[list[Ref], list[Ref]]:
        end = time.monotonic() + timeout
        while time.monotonic() < end and not any(ref.done.is_set() for ref in refs):
            time.sleep(0.01)
        ready = [ref for ref in refs if ref.done.is_set()][:num_returns]
        return ready, [ref for ref in refs if ref not in ready]

    def get(self, ref: Ref) -> Any:
        if ref.error is not None:
            raise ref.error
        return ref.value

    def cancel(self, ref: Ref, *, force: bool) -> None:
        ref.cancelled = force
        if not force:
            ref.error = Lost("cancelled")
            ref.done.set()
