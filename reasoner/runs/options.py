"""How a run is carried out: what it may spend, what becomes of lost calls, how its models are opened. Changes no answer and no manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reasoner.clients import ClientOptions
from reasoner.store.claims import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from reasoner.budget import Limits, Price, Reserve
    from reasoner.calling.actor import ActionAsked
    from reasoner.calling.caller import OnUnknown
    from reasoner.calling.retry import RetryPolicy
    from reasoner.runs.part import Part

Mode = Literal["join", "fresh", "recheck"]
"""`join` goes on with the run of the same manifest, `fresh` starts a new one, `recheck` joins it and runs closed trajectories again too:
committed calls are still taken from the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is carried out. All of it has sensible defaults."""

    mode: Mode = "join"
    run: str | None = None
    """The run to join; None finds it by its manifest."""
    run_limits: Limits | None = None
    """What all trajectories and all processes of the run may use together; None leaves a run to the limits it has."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Prices by model name, in dollars."""
    allow_unpriced: bool = False
    """Let calls without a known price count as free against money budgets; without it such a budget is refused."""
    on_unknown: OnUnknown = "auto"
    """What becomes of calls that were under way when a process ended and may have been billed."""
    confirm: Callable[[str], bool] | None = None
    """Asks a person, for `on_unknown="ask"`."""
    approve: Callable[[ActionAsked], bool | None] | None = None
    """Asks whoever runs this about an action that needs approval: yes, no, or None for later (its trajectory is then parked)."""
    wanted: Callable[[], bool] | None = None
    """Asked just before each call is begun; False parks the run. It has to answer at once; None is always yes."""
    renew: Callable[[Reserve], Awaitable[bool]] | None = None
    """Asked where the run's budget has no room for a call: True once it has been raised, so that the call is tried again."""
    part: Part | None = None
    """The run that this one is a part of; None for a run of its own."""
    cache: bool = False
    """Answer a call from any earlier run that asked the same model the same."""
    retry: RetryPolicy | None = None
    """How often and after what waits a failed call is made again; None is the default policy."""
    retry_poisoned: bool = False
    """Try again what was set aside because processes died on it three times."""
    lease_s: float = LEASE_S
    """How long a worker that says nothing is waited for, in seconds."""
    prompts: Path | str | None = None
    """A folder whose templates override single shipped ones."""
    client: ClientOptions = field(default_factory=ClientOptions)
    """How models that are given by name are opened."""
    command: str = ""
    """The command line, for people who look at the run later."""
