"""Other models that a plan's strategies ask besides the run's own: which, and how they are opened.

    open_scorers(plan, ["policy.gguf"], [policy], ClientOptions(), open_model)   -> {("policy.gguf", "prm.gguf"): client}

A name is that of a model, or the file of an adapter (GGUF), which is then loaded over the run's own model. Each is asked under the options of the run,
without its adapter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reasoner.clients import ClientOptions
    from reasoner.runs.plan import Plan
    from reasoner.runs.strategy_spec import StrategySpec
    from reasoner.types import Client

    Open = Callable[[str, ClientOptions], Client]


def needed_models(strategies: Iterable[StrategySpec]) -> list[str]:
    """Return the names of the models that strategies, and those inside them, ask besides the run's own."""
    names: dict[str, None] = {}
    for spec in strategies:
        inner: StrategySpec | None = spec
        while inner is not None:
            names |= dict.fromkeys(inner.make().models_needed)
            inner = inner.inner
    return list(names)


def open_scorers(
    plan: Plan, models: Sequence[str | Client], clients: Sequence[Client], options: ClientOptions, open_model: Open
) -> dict[tuple[str, str], Client]:
    """Open the other models of a plan's strategies, for each of the run's models.

    Raises:
        BadConfig: an adapter is named, and the run's model was given as an open client.
        ReasonerError: one cannot be opened, see `reasoner.clients.open_client`.
    """
    found: dict[tuple[str, str], Client] = {}
    for name in needed_models(plan.strategies):
        adapter = is_adapter(name)
        bare = options.model_copy(update={"adapter": None}) if isinstance(options.adapter, Path) else options
        for model, client in zip(models, clients, strict=True):
            if adapter and (client.name, name) in found:
                raise BadConfig(
                    f"two models are called {client.name}, and {name} is to be loaded over each", hint="run one after the other"
                )
            if not adapter:
                found[client.name, name] = open_model(name, bare)
            elif isinstance(model, str):
                found[client.name, name] = open_model(model, options.model_copy(update={"adapter": Path(name)}))
            else:
                raise BadConfig(
                    f"the adapter {name} is to be loaded over {client.name}, which was given as an open client",
                    hint="give its name instead",
                )
    return found


def is_adapter(name: str) -> bool:
    """Tell whether a name is that of an adapter's file.

    Raises:
        BadConfig: the file is missing or no GGUF.
    """
    if not name.lower().endswith(".gguf"):
        return False
    from reasoner.clients.llamacpp.adapter import named_with_adapter  # noqa: PLC0415 - read only where a file is named
    from reasoner.clients.llamacpp.gguf_header import read_header  # noqa: PLC0415

    if named_with_adapter(name)[1] is not None:
        return False  # a model with an adapter

    return read_header(Path(name).expanduser()).kind == "adapter"
