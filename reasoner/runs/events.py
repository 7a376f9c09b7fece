"""What a run tells while it goes on, in the order in which it happens.

async with open_run(plan, ["teacher"]) as run:
    async for event in run:
        if isinstance(event, TrajectoryClosed):
            print(event.result.correct)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.calling.actor import ActionAsked

if TYPE_CHECKING:
    from reasoner.capabilities import Part
    from reasoner.runs.results import Result
    from reasoner.trajectory import Thought


@dataclass(frozen=True, slots=True)
class Started:
    """The run is there; `total` trajectories are to be made or read back. `resumed` when the run existed."""

    run_id: str
    total: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class Note:
    """One line that a user should know: that another process shares the run, say."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtAdded:
    """A thought, before it is committed. Told only where `open_run` was asked for thoughts."""

    trajectory_id: str
    sample: int
    thought: Thought


@dataclass(frozen=True, slots=True)
class Watch:
    """What whoever iterates a run wants to be told besides."""

    thoughts: bool = False
    pieces: bool = False


@dataclass(frozen=True, slots=True)
class PieceCame:
    """A piece of an answer that is being written. Told only where `open_run` was asked for pieces; a call made again begins anew."""

    trajectory_id: str
    sample: int
    attempt: int
    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class TrajectoryClosed:
    """A trajectory has ended, or one that had ended was read back."""

    result: Result


@dataclass(frozen=True, slots=True)
class ShardsMoved:
    """How far a run is whose shards are worked on elsewhere: trajectories closed of all, shards complete of all, and the nodes at work.

    Told before `Started`: what the shards made is read back after it.
    """

    run_id: str
    done: int
    total: int
    complete: int
    shards: int
    nodes: tuple[str, ...]


Event = ShardsMoved | Started | Note | ThoughtAdded | PieceCame | ActionAsked | TrajectoryClosed
