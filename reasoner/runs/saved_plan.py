"""A run's recipe: its plan, models and options as JSON in the run's row, so that it can be set up again without its command.

    recipe_of(plan, ["openai:m"], options=..., prompts=..., prices=...) -> '{"limits":{},"models":["openai:m"],...}'
    read_recipe(store, "3f0c...") -> Recipe(plan=Plan(...), models=("openai:m",), ...)

Holds names of models, never a key. Knows values; runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.budget import Limits, Price
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig
from reasoner.runs.plan import Fork, Plan
from reasoner.runs.strategy_spec import spec_from
from reasoner.types import Problem, Sampling, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store import Store
    from reasoner.types import Client


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run was told. `whole` is False for runs of versions that kept no recipe: their problems and options are not known."""

    run: str
    plan: Plan
    manifest: Mapping[str, Any]
    models: tuple[str, ...] = ()
    options: ClientOptions = field(default_factory=ClientOptions)
    prompts: Path | None = None
    prices: Mapping[str, Price] | None = None
    command: str = ""
    whole: bool = True


def recipe_of(
    plan: Plan,
    models: Sequence[str | Client],
    *,
    options: ClientOptions | None,
    prompts: Path | str | None,
    prices: Mapping[str, Price] | None,
) -> str:
    """Return the recipe of a run as JSON. A model that was given as an open client is kept by its name."""
    return canonical_json(
        {
            "problems": [[p.solver, p.instance, p.line, p.level] for p in plan.problems],
            "strategies": [[s.name, s.params] for s in plan.strategies],
            "seed": plan.seed,
            "samples": plan.samples,
            "sampling": plan.sampling.as_dict(),
            "limits": plan.limits.model_dump(mode="json"),
            "fork": asdict(plan.fork) if plan.fork else None,
            "continues": plan.continues,
            "models": [model if isinstance(model, str) else model.name for model in models],
            "options": (options or ClientOptions()).model_dump(mode="json"),
            "prompts": str(Path(prompts).absolute()) if prompts else None,
            "prices": {name: price.model_dump(mode="json") for name, price in (prices or {}).items()},
        }
    )


def read_recipe(store: Store, run_id: str) -> Recipe:
    """Read what a run was told; from its manifest alone where it kept no recipe.

    Raises:
        BadConfig: it was read from a file, or is of a version whose manifests said less.
    """
    row = store.row("SELECT manifest, plan, command FROM runs WHERE id = ?", (run_id,)) or {}
    manifest: dict[str, Any] = json.loads(row.get("manifest") or "{}")
    if "strategies" not in manifest or "sampling" not in manifest:
        raise BadConfig(f"run {run_id} was read from a file or made by hand: there is nothing to run again", hint="see 'reasoner runs'")
    kept: dict[str, Any] = json.loads(row["plan"]) if row["plan"] else {}
    told = {**manifest, **kept}
    plan = Plan(
        problems=[Problem(*each) for each in kept.get("problems", [])],
        strategies=[spec_from(name, params) for name, params in told["strategies"]],
        seed=told["seed"],
        samples=told["samples"],
        sampling=_sampling(told["sampling"]),
        limits=Limits.model_validate(told["limits"]),
        fork=Fork(**kept["fork"]) if kept.get("fork") else None,
        continues=kept.get("continues"),
    )
    return Recipe(
        run=run_id,
        plan=plan,
        manifest=manifest,
        models=tuple(kept.get("models", [name for name, _ in manifest["models"]])),
        options=ClientOptions.model_validate(kept.get("options", {})),
        prompts=Path(kept["prompts"]) if kept.get("prompts") else None,
        prices={name: Price.model_validate(price) for name, price in kept.get("prices", {}).items()},
        command=row["command"],
        whole=bool(kept),
    )


def _sampling(values: Mapping[str, Any]) -> Sampling:
    known = {each.name for each in fields(Sampling)}
    read = {name: value for name, value in values.items() if name in known}
    read["stop"] = tuple(read.get("stop", ()))
    read["logit_bias"] = tuple((int(token), float(bias)) for token, bias in read.get("logit_bias", ()))
    return Sampling(**read)
