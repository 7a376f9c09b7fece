"""A Ray cluster as far as shards need it: joining it, its nodes and what they offer, and whether all of them run what we run.

    cluster = join(Where.read("ray:10.0.0.1:6379,num_cpus=0.5,gpu_server=1"))
    check(cluster, cluster.nodes())      raises VersionsDiffer, with the node and both versions

Knows Ray; knows no shards. Ray is loaded here, and only when a run is to go there.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, MissingDependency, UsageError
from reasoner.text import clean, shorten
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CHECK_S = 120.0
"""How long a node may take to start a process that says its versions, in seconds."""
FORM = "write ray, ray:HOST:PORT, or ray:HOST:PORT,num_cpus=0.5,gpu_server=1"
_KNOWN = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
"""What Ray calls resources that have a name of their own among the arguments of a task."""


class VersionsDiffer(UsageError):
    """A node runs another Python, Ray or version of this package, so that a shard there would not be what it is here."""


@dataclass(frozen=True, slots=True)
class Where:
    """A cluster, and what each worker needs of a node."""

    address: str = ""
    """`HOST:PORT`; empty for a cluster that runs on this machine or that RAY_ADDRESS names, else one that is started here and ended with the run."""
    needs: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})

    @staticmethod
    def read(text: str) -> Where:
        """Read `ray[:ADDRESS][,RESOURCE=AMOUNT...]`.

        Raises:
            BadConfig: it is something else.
        """
        head, *parts = text.split(",")
        engine, _, address = head.partition(":")
        if engine.strip() != "ray" or (":" in head and not address.strip()):
            raise BadConfig(f"`on={shorten(clean(text), 80)!r}` names no cluster", hint=FORM)
        needs = {"CPU": 1.0}
        for part in parts:
            name, _, amount = (piece.strip() for piece in part.partition("="))
            try:
                value = float(amount)
            except ValueError:
                value = math.nan
            if not name or not value >= 0 or math.isinf(value) or (value > 1 and value != int(value)):
                said = shorten(clean(part), 60)
                raise BadConfig(f"`on`: {said!r} is no resource with an amount (whole above 1)", hint=FORM)
            needs[_KNOWN.get(name, name)] = value
        return Where(address.strip(), needs)


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    offers: Mapping[str, float]

    def holds(self, needs: Mapping[str, float]) -> int:
        """Return how many workers with these needs it has room for."""
        shares = [int(self.offers.get(name, 0.0) / amount + 1e-9) for name, amount in needs.items() if amount > 0]
        return min(shares, default=int(self.offers.get("CPU", 1.0)))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that was joined. `ray` is the package, loaded."""

    ray: Any
    where: Where
    ours: bool
    """Whether this process joined it, and leaves it."""

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive."""
        return [
            Node(str(each["NodeID"]), f"{each['NodeManagerHostname']}/{str(each['NodeID'])[:6]}", dict(each["Resources"]))
            for each in self.ray.nodes()
            if each["Alive"]
        ]

    def leave(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        if self.ours:
            self.ray.shutdown()


def versions() -> dict[str, str]:
    """Return what has to be the same on all nodes. Ray's own is added by whoever has it loaded."""
    return {"Python": ".".join(platform.python_version_tuple()[:2]), "reasoner-llm": __version__}


def require() -> None:
    """Refuse to begin without Ray.

    Raises:
        MissingDependency: it is not installed here.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingDependency("Ray", extra="ray")


def join(where: Where) -> Cluster:
    """Join a cluster.

    Raises:
        MissingDependency: Ray is not installed here.
        VersionsDiffer: the cluster runs another Ray or Python.
        UsageError: there is no cluster at the address.
    """
    require()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run tells nobody else of itself
    os.environ.setdefault(
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
    )  # GPUs stay visible to tasks that ask for none, as it will be by default
    import ray  # noqa: PLC0415 - it takes seconds, and only runs on a cluster need it

    if ray.is_initialized():
        return Cluster(ray, where, ours=False)
    _quiet(ray)
    logging.getLogger("ray").setLevel(logging.ERROR)  # it would warn that this thread cannot take over signals, which it is not to
    told: dict[str, Any] = {"address": where.address} if where.address else {"include_dashboard": False} if _alone() else {}
    try:
        ray.init(**told, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except RuntimeError as error:
        if "ersion mismatch" in str(error):
            lines = " ".join(line.strip() for line in clean(str(error)).splitlines() if line.strip())
            raise VersionsDiffer(shorten(lines, 300), hint="install the same Python and Ray on all machines") from error
        raise _unreachable(where, error) from error
    except (ConnectionError, ValueError, OSError) as error:
        raise _unreachable(where, error) from error
    return Cluster(ray, where, ours=True)


def _quiet(ray: Any) -> None:
    """Keep what Ray tells of lost nodes off standard output, which belongs to tables and JSON: the coordinator says it in its own words. Ray has no option for that."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def _alone() -> bool:
    """Tell whether no cluster is named by the environment, so that Ray may have to start one, which takes options that joining does not."""
    return not os.environ.get("RAY_ADDRESS") and not os.path.exists("/tmp/ray/ray_current_cluster")  # noqa: PTH110, S108 - where Ray itself looks


def _unreachable(where: Where, error: Exception) -> UsageError:
    said = shorten(clean(str(error)).splitlines()[0] if str(error) else type(error).__name__, 200)
    return UsageError(
        f"no Ray cluster can be joined at {where.address or 'this machine'}: {said}",
        hint="start one with 'ray start --head', and name its HOST:PORT",
    )


def check(cluster: Cluster, nodes: Iterable[Node]) -> None:
    """Ask every node for its versions, before anything runs there.

    Raises:
        VersionsDiffer: one differs from ours, or has no `reasoner`.
        UsageError: one did not answer.
    """
    ray = cluster.ray
    ours = versions() | {"Ray": str(ray.__version__)}

    def theirs(names: tuple[str, ...]) -> dict[str, str]:  # sent by value: it has to run where this package is another one, or missing
        import importlib  # noqa: PLC0415
        import importlib.metadata  # noqa: PLC0415
        import platform  # noqa: PLC0415

        told = {"Python": ".".join(platform.python_version_tuple()[:2])}
        try:
            told["Ray"] = importlib.metadata.version("ray")
            told["reasoner-llm"] = str(importlib.import_module("reasoner.version").__version__)
        except ImportError:
            told["reasoner-llm"] = "(not installed)"
        return {name: told.get(name, "") for name in names}

    for node, said in asked(cluster, nodes, theirs, tuple(ours)):
        for name, version in ours.items():
            if said[name] != version:
                raise VersionsDiffer(
                    f"{name} is {version} here and {said[name]} on the node {node.name}; nothing was run",
                    hint="install the same versions on all machines",
                )


def asked(cluster: Cluster, nodes: Iterable[Node], question: Callable[[Any], Any], told: Any) -> list[tuple[Node, Any]]:
    """Call a function on every node, with one argument, and return what each said. It takes no worker's place; a node that is lost meanwhile is left out.

    Raises:
        UsageError: a node that is there did not answer.
    """
    ray = cluster.ray
    refs = []
    for node in nodes:
        on_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
        ask = ray.remote(question).options(num_cpus=0, max_retries=0, scheduling_strategy=on_node)
        refs.append((node, ask.remote(told)))
    _, late = ray.wait([ref for _, ref in refs], num_returns=len(refs), timeout=CHECK_S) if refs else ([], [])
    said = []
    for node, ref in refs:
        try:
            why = f"did not answer within {CHECK_S:g} s"
            if ref not in late:
                said.append((node, ray.get(ref)))
                continue
        except ray.exceptions.RayError as error:
            why = f"cannot run a task: {shorten(clean(str(error)), 200)}"
        if node.id in {each.id for each in cluster.nodes()}:
            raise UsageError(f"the node {node.name} {why}", hint="look at 'ray status', and at its logs")
    return said
