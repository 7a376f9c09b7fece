"""A run's plan as JSON in its row, with its models and how they are opened, so that it can be set up again without its command.

    saved_plan_json(store, plan, ["openai:m"], options) -> '{"limits":{},"models":["openai:m"],...}'
    read_saved_plan(store, "3f0c...") -> SavedPlan(plan=Plan(...), models=("openai:m",), ...)

It holds names of models and of environment variables, never a key.
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.budget import Limits, Price
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Fork, Plan
from reasoner.runs.strategy_spec import spec_from
from reasoner.runs.tool_plan import ToolPlan
from reasoner.store.problem_lists import ListedProblems, keep_list
from reasoner.store.run_queries import plan_row
from reasoner.types import Problem, Sampling, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store import Store
    from reasoner.types import Client

MAX_INSIDE = 100
"""Problems that a plan holds itself; those of a longer one are rows of the store (`reasoner.store.problem_lists`)."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a run was told. `whole` is False for runs of versions that kept no plan: their problems and options are not known."""

    run: str
    plan: Plan
    manifest: Mapping[str, Any]
    models: tuple[str, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)
    whole: bool = True


def saved_plan_json(
    store: Store, plan: Plan, models: Sequence[str | Client], options: RunOptions, *, forms: Mapping[str, Any] | None = None
) -> str:
    """Return the plan of a run as JSON, with what is known of the forms of its models (`reasoner.capabilities.Prepared`). A model that was given as an open client is kept by its name, many problems by the list they are put in."""
    many = len(plan.problems) > MAX_INSIDE
    problems = {"list": keep_list(store, plan.problems), "n": len(plan.problems)} if many else [list(astuple(p)) for p in plan.problems]
    return canonical_json({"problems": problems, **plan_as_json(plan, models, options, forms=forms)})


def plan_as_json(
    plan: Plan, models: Sequence[str | Client], options: RunOptions, *, forms: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all of a run's plan but its problems as JSON values."""
    return {
        "strategies": [[s.name, s.params] for s in plan.strategies],
        "seed": plan.seed,
        "samples": plan.samples,
        "sampling": plan.sampling.as_dict(),
        "limits": plan.limits.model_dump(mode="json"),
        "fork": asdict(plan.fork) if plan.fork else None,
        "continues": plan.continues,
        "tools": plan.tools.as_json(),
        "models": [model if isinstance(model, str) else model.name for model in models],
        "options": options.client.model_dump(mode="json"),
        "prompts": str(Path(options.prompts).absolute()) if options.prompts else None,
        "prices": {name: price.model_dump(mode="json") for name, price in options.prices.items()},
        **({"forms": forms} if forms else {}),
    }


def read_saved_plan(store: Store, run_id: str) -> SavedPlan:
    """Read what a run was told; from its manifest alone where it kept no plan.

    Raises:
        BadConfig: it was read from a file, or is of a version whose manifests said less.
    """
    row = plan_row(store, run_id) or {}
    manifest: dict[str, Any] = json.loads(row.get("manifest") or "{}")
    if "strategies" not in manifest or "sampling" not in manifest:
        raise BadConfig(f"run {run_id} was read from a file or made by hand: there is nothing to run again", hint="see 'reasoner runs'")
    kept: dict[str, Any] = json.loads(row["plan"]) if row.get("plan") else {}
    plan, options = plan_of_json(_problems(store, kept.get("problems", [])), kept, manifest=manifest)
    models = tuple(kept.get("models", [name for name, _ in manifest["models"]]))
    return SavedPlan(run_id, plan, manifest, models, replace(options, command=row["command"]), whole=bool(kept))


def plan_of_json(problems: Sequence[Problem], kept: Mapping[str, Any], *, manifest: Mapping[str, Any]) -> tuple[Plan, RunOptions]:
    """Return a plan over problems, and how its models are opened, from what `plan_as_json` returned; the manifest says the rest where that is little."""
    told = {**manifest, **kept}
    plan = Plan(
        problems=problems,
        strategies=[spec_from(name, params) for name, params in told["strategies"]],
        seed=told["seed"],
        samples=told["samples"],
        sampling=_sampling(told["sampling"]),
        limits=Limits.model_validate(told["limits"]),
        fork=Fork(**kept["fork"]) if kept.get("fork") else None,
        continues=kept.get("continues"),
        tools=ToolPlan.from_json(kept.get("tools")),
    )
    options = RunOptions(
        client=ClientOptions.model_validate(kept.get("options", {})),
        prompts=Path(kept["prompts"]) if kept.get("prompts") else None,
        prices={name: Price.model_validate(price) for name, price in kept.get("prices", {}).items()},
    )
    return plan, options


def _problems(store: Store, kept: list[Any] | Mapping[str, Any]) -> Sequence[Problem]:
    return [Problem(*each) for each in kept] if isinstance(kept, list) else ListedProblems(store.path, kept["list"], kept["n"])


def _sampling(values: Mapping[str, Any]) -> Sampling:
    known = {each.name for each in fields(Sampling)}
    read = {name: value for name, value in values.items() if name in known}
    read["stop"] = tuple(read.get("stop", ()))
    read["logit_bias"] = tuple((int(token), float(bias)) for token, bias in read.get("logit_bias", ()))
    return Sampling(**read)
