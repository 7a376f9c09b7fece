"""Options that send a run to other machines: which, into how many shards it is cut, and the folder that all of them see.

reasoner bench game24 -m openai:NAME --base-url http://10.0.0.1:8000/v1 --on ray:10.0.0.1:6379 --shards 16 --shared /mnt/team/run-7
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

from reasoner.cli import options
from reasoner.errors import BadConfig

R = TypeVar("R")

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ray[:HOST:PORT][,RESOURCE=N]",
        help="Run on a Ray cluster (extra 'ray'), see docs/guides/many-machines.md.",
        show_default=False,
    ),
]
Shards = Annotated[
    int | None,
    typer.Option("--shards", min=1, help="With --on: parts the run is cut into (default: the places the cluster has).", show_default=False),
]
SharedFolder = Annotated[
    str | None,
    typer.Option("--shared", help="With --on: folder or URL that all machines see (default: beside the database).", show_default=False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCluster:
    """The options; a field is an option of the same name."""

    on: On = None
    shards: Shards = None
    shared: SharedFolder = None

    def settings(self) -> dict[str, Any]:
        """Return what the Python face is told: nothing for a run on this machine.

        Raises:
            BadConfig: no cluster is named, or what is named is none.
            MissingDependency: Ray is not installed.
        """
        if self.on is None:
            if self.shards is not None or self.shared is not None:
                raise BadConfig("--shards and --shared belong to a run on other machines", hint="name them with --on ray")
            return {}
        from reasoner.api.on_ray import OnRay  # noqa: PLC0415 - only commands that run elsewhere need these
        from reasoner.scale.ray_cluster import Where, require  # noqa: PLC0415

        where = Where.read(self.on)
        require()
        return {"carrier": OnRay(where=where, shards=self.shards, place=self.shared)}


def expanded(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command whose parameter `cluster` is an `OnCluster` one option for each of its fields, in its place."""
    return options.expanded(command, group=OnCluster, named="cluster")
