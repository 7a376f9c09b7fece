"""From a name in a request to a strategy over a model.

    ats/local                            the strategy ats over the model local
    iot:guided,rounds=3/openai:NAME      iot:mode=guided,max_rounds=3
    self_consistency(ats):n=3/local      strategies inside strategies, as on the command line
    local                                no strategy: the conversation goes to the model as it is

Models are those the server was started with, looked up by name; no name is ever taken for a path, and parameters that name files or other models
are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import BadConfig, UnknownName
from reasoner.runs.scorers import needed_models
from reasoner.runs.strategy_spec import StrategySpec, parse_strategies
from reasoner.translation.library import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NAME_CHARS = 400
FILES = ("corpus", "pivot_corpus", "glossary")
"""Parameters that name a file on this machine."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a name stands for."""

    name: str
    spec: StrategySpec
    model: str
    """The name of the model in the server's pool."""


class ModelNames:
    """The models a server was started with, and every strategy over them."""

    def __init__(self, models: Sequence[str], *, opened: Mapping[str, str] | None = None) -> None:
        """Take the models' names; `opened` says by what name (a path, say) each was opened, where that is another one."""
        self.models = list(models)
        self._opened = dict(opened or {})
        if len(set(self.models)) < len(self.models):
            raise BadConfig("two models have one name", hint="name each once")

    def opened_as(self, model: str) -> str:
        """Return the name that opens a model again, for the run's saved plan."""
        return self._opened.get(model, model)

    def names(self) -> list[str]:
        """Return what `GET /v1/models` lists: each model, and each strategy over it."""
        general = [n for n, found in registry.load_all("strategy").things.items() if not found.solvers]
        return [name for model in self.models for name in (model, *(f"{strategy}/{model}" for strategy in general))]

    def resolve(self, name: str) -> Target:
        """Look a name up.

        Raises:
            UnknownName: no model of the server, or no strategy, is called that.
            BadConfig: a parameter cannot be.
        """
        if len(name) > MAX_NAME_CHARS:
            raise UnknownName("model", name, self.models)
        model = max((m for m in self.models if name == m or name.endswith(f"/{m}")), key=len, default=None)
        if model is None:
            raise UnknownName("model", name, self.names())
        strategy = name[: -len(model)].removesuffix("/")
        if not strategy:
            return Target(name, parse_strategies("plain")[0], model)
        specs = parse_strategies(_written_out(strategy))
        if len(specs) != 1:
            raise BadConfig(f"{strategy!r} names {len(specs)} strategies", hint="name one: STRATEGY/MODEL")
        _check_files(json.loads(specs[0].params))
        self._check_models(specs)
        return Target(name, specs[0], model)

    def _check_models(self, specs: Sequence[StrategySpec]) -> None:
        """Refuse a strategy that asks a model the server was not started with: its name could be any file, or any account, of this machine."""
        for wanted in needed_models(specs):
            if wanted not in self.models or self.opened_as(wanted) != wanted:
                raise BadConfig(
                    f"{wanted[:40]!r} is to score, and is no model that this server was started with by that name",
                    hint=f"they are: {', '.join(self.models)}",
                )


def _check_files(params: Any) -> None:
    for key, value in params.items():
        if key in FILES and value and value not in SHIPPED:
            raise BadConfig(f"{key}={str(value)[:40]!r} names a file", hint="a request may not")
        if isinstance(value, dict):
            _check_files(value)


def _written_out(text: str) -> str:
    """Write short parameters out: `guided` is `mode=guided` where one parameter alone can be that; `rounds=3` is `max_rounds=3`."""
    close = text.rfind(")")
    at = text.find(":", max(close, 0))
    if at < 0 or (close < 0 and "(" in text):
        return text
    head, tail = text[:at], text[at + 1 :]
    name = head.partition("(")[0].strip()
    fields = registry.find("strategy", name).Params.model_fields
    return head + ":" + ",".join(_pair(piece.strip(), fields) for piece in tail.split(",") if piece.strip())


def _pair(piece: str, fields: dict[str, Any]) -> str:
    key, equals, value = piece.partition("=")
    if not equals:
        owners = [name for name, field in fields.items() if key in getattr(field.annotation, "__args__", ())]
        return f"{owners[0]}={key}" if len(owners) == 1 else piece
    longer = [name for name in fields if name.endswith(f"_{key}")]
    return f"{longer[0]}={value}" if key not in fields and len(longer) == 1 else piece
