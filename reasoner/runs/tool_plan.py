"""Which tools a run has: as they were named, and as they were when the run began.

    ToolPlan(("calculator", "sql:shop.sqlite"))        part of a run's plan
    async with opened(plan.tools, needed=("submit",)) as tools: tools.tools, tools.plan

What a tool is (name, description, schema, effect) is part of a run's identity; a run that goes on with a tool that changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.calling.actor import ActionLimits
from reasoner.errors import BadConfig, ToolFailed
from reasoner.tools import Lent, McpServers, Tool, open_tools, read_config

if TYPE_CHECKING:
    from reasoner.tools import Effect

Named = str | Tool | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ToolSketch:
    """A tool as it was when a run began: enough to show it to a model, and to tell whether it has changed."""

    name: str
    description: str
    parameters: str
    effect: Effect
    ends: bool
    fingerprint: str

    @classmethod
    def of(cls, tool: Tool) -> ToolSketch:
        """Return the sketch of a tool."""
        return cls(tool.name, tool.description, tool.spec.parameters, tool.effect, tool.ends, tool.fingerprint)


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """The tools of a run: names, files, tools and functions; a file of MCP servers; and limits for what is done with them."""

    named: tuple[Named, ...] = ()
    mcp: str = ""
    limits: ActionLimits = field(default_factory=ActionLimits)
    sketches: tuple[ToolSketch, ...] = ()
    """What they were when the run began; empty before."""
    by_need: frozenset[str] = frozenset()
    """Which of them nobody named: they are there for the strategies that work with them, and for no other."""

    def manifest(self) -> dict[str, Any]:
        """Return what of it is part of a run's identity; empty for a run without tools."""
        limits = self.limits.model_dump(mode="json", exclude_none=True)
        return {
            **({"tools": [[sketch.name, sketch.fingerprint] for sketch in self.sketches]} if self.sketches else {}),
            **({"action_limits": limits} if limits else {}),
        }

    def as_json(self) -> dict[str, Any]:
        """Return it as a run's row keeps it. A tool that was given in Python is kept by its name alone."""
        return {
            "named": [
                one if isinstance(one, str) else {"python": one.name if isinstance(one, Tool) else one.__name__} for one in self.named
            ],
            "mcp": str(Path(self.mcp).absolute()) if self.mcp else "",
            "limits": self.limits.model_dump(mode="json", exclude_none=True),
            "sketches": [[s.name, s.description, s.parameters, s.effect, s.ends, s.fingerprint] for s in self.sketches],
            "by_need": sorted(self.by_need),
        }

    def given_again(self, told: ToolPlan, *, changed: bool) -> ToolPlan:
        """Return the plan with tools that are given anew (functions cannot be kept); with `changed` they need not be what they were."""
        return replace(self, named=told.named or self.named, mcp=told.mcp or self.mcp, sketches=() if changed else self.sketches)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> ToolPlan:
        """Read it back."""
        kept = kept or {}
        named: list[Named] = [one if isinstance(one, str) else _Missing(one["python"]) for one in kept.get("named", ())]
        limits = ActionLimits.model_validate(kept.get("limits", {}))
        return cls(
            tuple(named),
            kept.get("mcp", ""),
            limits,
            tuple(ToolSketch(*one) for one in kept.get("sketches", ())),
            frozenset(kept.get("by_need", ())),
        )


@dataclass(frozen=True, slots=True)
class OpenTools:
    """The tools of a run while it goes on; `plan` has their sketches, `notes` is what there is to say of them."""

    tools: tuple[Tool, ...] = ()
    plan: ToolPlan = field(default_factory=ToolPlan)
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def opened(plan: ToolPlan, *, needed: Sequence[str], shared: OpenTools | None = None) -> AsyncIterator[OpenTools]:
    """Open the tools of a plan, and those that its strategies work with beside them; close them at the end.

    `shared` are the plan's tools where they are open already, as a server has them; these are left open.

    Raises:
        ReasonerError: a tool cannot be opened, or is not what it was when the run began.
    """
    async with AsyncExitStack() as stack:
        tools = list(shared.tools) if shared else open_tools([one for one in plan.named if not isinstance(one, _Missing)])
        for tool in tools if shared is None else ():
            stack.push_async_callback(tool.aclose)
        notes: list[str] = []
        if plan.mcp and shared is None:
            servers = await stack.enter_async_context(McpServers(read_config(Path(plan.mcp))))
            tools += servers.tools
            notes += servers.notes
        there = {tool.name for tool in tools}
        for missing in plan.named:
            if isinstance(missing, _Missing) and missing.name not in there:
                raise BadConfig(f"the tool {missing.name} was given in Python", hint="resume the run in Python, with the same tools=[...]")
        for tool in open_tools([name for name in needed if name not in there]):
            stack.push_async_callback(tool.aclose)
            tools.append(tool)
        sketches = tuple(ToolSketch.of(tool) for tool in tools)
        _check(plan.sketches, sketches)
        made = ToolPlan(plan.named, plan.mcp, plan.limits, sketches, frozenset(needed) - there)
        yield OpenTools(tuple(tools), made, tuple(notes))


def _check(before: Sequence[ToolSketch], now: Sequence[ToolSketch]) -> None:
    if not before:
        return
    known = {sketch.name: sketch.fingerprint for sketch in now}
    for sketch in before:
        if sketch.name not in known:
            raise BadConfig(f"the run began with the tool {sketch.name}, which is not there", hint="name it again, or start a new run")
        if known[sketch.name] != sketch.fingerprint:
            raise BadConfig(f"the tool {sketch.name} is not what it was when the run began", hint="put it back, or start a new run")


class SketchedTool(Tool):
    """A tool of which only the sketch is there: it can be shown, and never called. A replay needs no more."""

    def __init__(self, sketch: ToolSketch) -> None:
        self._sketch = sketch
        self.name = sketch.name
        self.description = sketch.description
        self.effect = sketch.effect
        self.ends = sketch.ends

    @property
    def parameters(self) -> dict[str, Any]:
        """The schema it had."""
        made: dict[str, Any] = json.loads(self._sketch.parameters)
        return made

    @property
    def fingerprint(self) -> str:
        """The fingerprint it had."""
        return self._sketch.fingerprint

    def accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as they are: nothing is done with them."""
        return dict(arguments)

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Refuse."""
        raise ToolFailed(f"{self.name} is only a sketch")


class _Missing(Tool):
    """A tool that was given in Python to the process that began the run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.description = ""

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Refuse."""
        raise ToolFailed(f"{self.name} is not there")
