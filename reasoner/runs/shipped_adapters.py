"""Adapters that ship with the package: which problems and strategies `local` answers with one, unless it is told otherwise.

    for_plan("local", ClientOptions(), plan) -> Choice(options with the adapter's path, "local answers with the adapter puzzles, ...")
    default_strategy("number_path", "local", ClientOptions()) -> "ats:layout=fan"

Each adapter lies in `corpora/adapters/` beside a card of the same name (TOML) that names its base, what it was tuned on and its
checksum. It answers a run whose problems and strategies are all on its card; any other run is the base model's, so that strategies
which are compared with each other run on one and the same model. Knows cards and names; loads no model.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from reasoner.assets import asset_dir
from reasoner.clients import ClientOptions
from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.errors import MissingAsset, MissingDependency
from reasoner.runs.strategy_spec import parse_strategies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reasoner.runs.plan import Plan
    from reasoner.runs.strategy_spec import StrategySpec
    from reasoner.types import Client

DEFAULT = "ats"
"""The strategy of a problem that no shipped adapter was tuned on."""


class Card(BaseModel):
    """What a card must say; it says more, for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    base_sha256: str
    form: str = "as-is"
    """The form of the base's weights that it was trained and checked on."""
    solvers: tuple[str, ...]
    strategies: tuple[str, ...]
    """The first is the one for who names none."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """An adapter and its card."""

    path: Path
    card: Card

    def covers(self, solvers: Sequence[str], strategies: Sequence[StrategySpec]) -> bool:
        """Whether all of these are on the card."""
        known = {(spec.name, spec.params) for spec in parse_strategies(self.card.strategies)}
        return set(solvers) <= set(self.card.solvers) and all((spec.name, spec.params) in known for spec in strategies)

    def fits(self, base: Path) -> bool:
        """Whether this is the file it was trained over."""
        return file_sha256(base) == self.card.base_sha256

    def state(self) -> str:
        """Say in a few words what it is for, and whether it can be used: `number_path, drop_water under ats:layout=fan`."""
        if file_sha256(self.path) != self.card.sha256:
            return "not the file that its card describes: reinstall reasoner-llm"
        try:
            fits = self.fits(bundled_model())
        except MissingDependency:
            fits = False
        what = f"{', '.join(self.card.solvers)} under {', '.join(self.card.strategies)}"
        return what if fits else f"{what}; its base model is not installed"


@dataclass(frozen=True, slots=True)
class Choice:
    """The options to open a model with, and one line for the user where they are not what was given."""

    options: ClientOptions | None
    note: str | None = None


@cache
def shipped() -> tuple[Shipped, ...]:
    """Return all adapters that ship with the package.

    Raises:
        MissingAsset: a card cannot be read, or its adapter is not there: the installation is damaged.
    """
    found = []
    for file in sorted((asset_dir("corpora") / "adapters").glob("*.toml")):
        try:
            card = Card.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise MissingAsset(f"the card {file} cannot be read: {str(error).splitlines()[0]}", hint="reinstall reasoner-llm") from error
        if not (path := file.with_suffix(".gguf")).is_file():
            raise MissingAsset(f"the adapter {path} is missing", hint="reinstall reasoner-llm")
        found.append(Shipped(path, card))
    return tuple(found)


def for_plan(model: str | Client, options: ClientOptions | None, plan: Plan) -> Choice:
    """Return the options to open a model with for a plan: those given, with a shipped adapter where it is for all of the plan.

    Raises:
        MissingAsset: the adapter is damaged.
    """
    if not _may_adapt(model, options):
        return Choice(options)
    chosen = _chosen(model, options, list({problem.solver: None for problem in plan.problems}), plan.strategies)
    if chosen is None:
        return Choice(options)
    if file_sha256(chosen.path) != chosen.card.sha256:
        raise MissingAsset(
            f"the adapter {chosen.path} is not the file that its card describes", hint="reinstall reasoner-llm, or use `adapter=none`"
        )
    return Choice(
        (options or ClientOptions()).model_copy(update={"adapter": chosen.path}),
        f"local answers with its adapter {chosen.path.stem!r}, tuned on searches of such problems (`adapter=none`: without)",
    )


def default_strategy(solver: str, model: str | Client, options: ClientOptions | None) -> str:
    """Return the strategy for who names none: the one that a shipped adapter was tuned on, where it would answer; else `ats`."""
    for each in shipped() if _may_adapt(model, options) else ():
        strategy = each.card.strategies[0]
        if _chosen(model, options, [solver], parse_strategies(strategy)) is not None:
            return strategy
    return DEFAULT


def _may_adapt(model: str | Client, options: ClientOptions | None) -> bool:
    return model == "local" and (options is None or options.adapter is None)


def _chosen(
    model: str | Client, options: ClientOptions | None, solvers: Sequence[str], strategies: Sequence[StrategySpec]
) -> Shipped | None:
    if not _may_adapt(model, options) or not solvers:
        return None
    fit = [each for each in shipped() if each.covers(solvers, strategies)]
    try:
        return next((each for each in fit if each.fits(bundled_model())), None)
    except MissingDependency:
        return None  # opening the model says so, with the line that installs it
