"""Strategies as they are written on a command line and kept in a row: name, parameters, and the strategy inside.

parse_strategies("cot,ats:order=dfs,shots=1") -> [StrategySpec("cot"), StrategySpec("ats:order=dfs,shots=1")]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ValidationError

from reasoner import registry
from reasoner.errors import BadConfig, UnknownName, what_is_wrong
from reasoner.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reasoner.strategies import Strategy

    AnyStrategy: TypeAlias = "str | Strategy | type[Strategy] | StrategySpec"

MAX_NESTED = 3
"""How deep strategies may stand inside each other."""


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy with its parameters. `label` is how tables write it: name, inner strategy and parameters that differ from the defaults."""

    label: str
    name: str
    params: str
    """The full parameters as canonical JSON, those of the inner strategy under `inner`."""
    inner: StrategySpec | None = None
    given: Strategy | None = field(default=None, compare=False, repr=False)
    """The strategy itself, where it was given as an instance."""

    def make(self) -> Strategy:
        """Build the strategy, with the one inside it."""
        if self.given is not None:
            return self.given
        cls = registry.find("strategy", self.name)
        values = {key: value for key, value in json.loads(self.params).items() if key != "inner"}
        params = cls.Params.model_validate(values)
        strategy: Strategy = cls(params) if self.inner is None else cls(params, self.inner.make())
        return strategy

    @property
    def oracle(self) -> bool:
        """Whether it, or a strategy inside it, chooses by asking the verifier: an upper bound, for tables to set apart."""
        return self.make().oracle or (self.inner is not None and self.inner.oracle)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all strategies that take part, the outermost first."""
        return (self.name, *(self.inner.names if self.inner else ()))


def parameter_names(cls: type[Strategy]) -> list[str]:
    """Return the names of a strategy's parameters in the order labels write them: its own first, those that many share last."""
    line = [kind.model_fields for kind in cls.Params.__mro__ if issubclass(kind, BaseModel)]
    return sorted(cls.Params.model_fields, key=lambda name: sum(name in fields for fields in line))  # stable


def strategy_spec(name: str, params: Mapping[str, Any], inner: StrategySpec | None = None) -> StrategySpec:
    """Check a strategy's name, parameters and inner strategy.

    Raises:
        UnknownName: there is no such strategy.
        BadConfig: a parameter is unknown or has a value it cannot have, or the strategy takes no other inside it.
    """
    cls = registry.find("strategy", name)
    try:
        model = cls.Params.model_validate(dict(params))
    except ValidationError as error:
        where, value, fault = what_is_wrong(error)
        near = UnknownName("parameter", where, parameter_names(cls)).near if fault == "there is no such field" else []
        meant = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(parameter_names(cls)) or "none"
        raise BadConfig(
            f"strategy {name}: {where or 'parameters'}={value!r}: {fault}", hint=f"{meant}its parameters are: {known}"
        ) from error
    if inner is not None and not cls.takes_inner:
        outer = [n for n, found in registry.load_all("strategy").things.items() if found.takes_inner]
        raise BadConfig(f"strategy {name} takes no other strategy inside it, and {inner.label!r} was given", hint=f"{', '.join(outer)} do")
    default = strategy_spec(cls.default_inner, {}) if cls.default_inner else None
    chosen = inner or default
    values = model.model_dump(mode="json")
    changed = {k: values[k] for k in parameter_names(cls) if values[k] != cls.Params.model_fields[k].default}
    inside = f"({chosen.label})" if chosen is not None and chosen != default else ""
    label = name + inside + (":" + ",".join(f"{k}={v}" for k, v in changed.items()) if changed else "")
    whole = values if chosen is None else {**values, "inner": {"name": chosen.name, "params": json.loads(chosen.params)}}
    return StrategySpec(label, name, canonical_json(whole), chosen)


def parse_strategies(texts: str | Iterable[str]) -> list[StrategySpec]:
    """Read strategies from text: `NAME` or `NAME:key=value,key=value`, several separated by commas; `NAME(INNER):key=value` composes.

    A piece with `=` and no `:` before it belongs to the strategy before it: `ats:order=dfs,shots=1,cot` is two strategies. Commas
    inside parentheses belong to the inner strategy: `best_of_n(cot:format=irac,shots=1):n=4` is one.

    Raises:
        UnknownName: there is no such strategy.
        BadConfig: a parameter does not fit, parentheses do not match, or a strategy is named twice.
    """
    return _different(_read_strategies([texts] if isinstance(texts, str) else texts, depth=0))


def _different(made: list[StrategySpec]) -> list[StrategySpec]:
    if not made:
        raise BadConfig("no strategy was named", hint=f"known: {', '.join(registry.names('strategy'))}")
    labels = [spec.label for spec in made]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise BadConfig(f"the strategy {twice!r} is named twice", hint="name it once")
    return made


def spec_of_row(strategies: Iterable[StrategySpec], row: Mapping[str, Any]) -> StrategySpec:
    """Return the strategy of a trajectory's row, one of those its run was told."""
    name = row["strategy"].partition("(")[0].partition(":")[0]
    found = next((spec for spec in strategies if spec.params == row["params"] and spec.name == name), None)
    return found or spec_from(name, row["params"])


def own_parameters(spec: StrategySpec) -> dict[str, Any]:
    """Return a strategy's own parameters, without those of what is inside it."""
    return {name: value for name, value in json.loads(spec.params).items() if not (name == "inner" and isinstance(value, dict))}


def as_specs(strategies: AnyStrategy | Sequence[AnyStrategy]) -> list[StrategySpec]:
    """Return the specs of strategies given as text, as classes or as instances; a class that is not known yet is registered by its name.

    Raises:
        UnknownName: there is no such strategy.
        BadConfig: a parameter does not fit, or a strategy is named twice.
    """
    many = [strategies] if isinstance(strategies, (str, type)) or not isinstance(strategies, Sequence) else list(strategies)
    return _different([spec for each in many for spec in _specs(each)])


def _specs(strategy: AnyStrategy) -> list[StrategySpec]:
    if isinstance(strategy, StrategySpec):
        return [strategy]
    return _read_strategies([strategy], depth=0) if isinstance(strategy, str) else [spec_of(strategy)]


def spec_of(strategy: Strategy | type[Strategy]) -> StrategySpec:
    """Return the spec of a strategy's class (with its default parameters) or of an instance.

    Raises:
        BadConfig: its name is that of another registered strategy.
    """
    cls = strategy if isinstance(strategy, type) else type(strategy)
    registry.register(cls)
    if isinstance(strategy, type):
        return strategy_spec(cls.name, {})
    inner = None if strategy.inner is None else spec_of(strategy.inner)
    return replace(strategy_spec(cls.name, strategy.params.model_dump(mode="json"), inner), given=strategy)


def _read_strategies(texts: Iterable[str], *, depth: int) -> list[StrategySpec]:
    if depth > MAX_NESTED:
        raise BadConfig(f"strategies are nested more than {MAX_NESTED} deep", hint="each level multiplies the calls")
    specs: list[tuple[str, str | None, dict[str, Any]]] = []
    for piece in (piece for text in texts for piece in _pieces(text)):
        name, inside, first = _parts(piece)
        if name:
            specs.append((name, inside, {}))
        elif not specs:
            raise BadConfig(f"the parameter {piece!r} has no strategy before it", hint="write NAME:key=value,key=value")
        if first:
            key, equals, value = first.partition("=")
            if not equals:
                raise BadConfig(f"{first!r} in {piece!r} is not key=value", hint="write NAME:key=value,key=value")
            specs[-1][2][key.strip()] = value.strip()
    return [strategy_spec(name, params, None if inside is None else _inner(name, inside, depth)) for name, inside, params in specs]


def _inner(name: str, text: str, depth: int) -> StrategySpec:
    found = _read_strategies([text], depth=depth + 1)
    if len(found) != 1:
        raise BadConfig(f"{name}({text}) names {len(found)} strategies in its parentheses", hint=f"write {name}(NAME) with one")
    return found[0]


def _pieces(text: str) -> list[str]:
    """Cut a text at its commas outside parentheses; empty pieces are dropped."""
    found, depth, begin = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
        if char == "," and depth == 0:
            found.append(text[begin:at])
            begin = at + 1
    if depth:
        raise BadConfig(f"the parentheses in {text!r} do not match", hint="write NAME(INNER):key=value")
    return [piece.strip() for piece in [*found, text[begin:]] if piece.strip()]


def _parts(piece: str) -> tuple[str, str | None, str]:
    """Return (name, what stands in parentheses, first parameter); a piece that is only a parameter has no name."""
    at = next((i for i, char in enumerate(piece) if char in "(:="), len(piece))
    if piece[at : at + 1] == "=":
        return "", None, piece
    name, rest, inside = piece[:at].strip(), piece[at:], None
    if rest.startswith("("):
        inside, _, rest = rest[1:].rpartition(")")
    if rest.strip() and not rest.strip().startswith(":"):
        raise BadConfig(f"{rest.strip()!r} in {piece!r} follows the parentheses", hint="write NAME(INNER):key=value")
    if not name:
        raise BadConfig(f"{piece!r} names no strategy", hint="write NAME(INNER):key=value")
    return name, inside, rest.strip()[1:].strip()


def spec_from(name: str, params: str) -> StrategySpec:
    """Make a strategy again from its name and its full parameters as JSON, as rows and manifests hold them.

    Raises:
        UnknownName: there is no such strategy any more.
        BadConfig: it does not take these parameters any more.
    """
    values = json.loads(params)
    inner = values.pop("inner", None) if isinstance(values.get("inner"), dict) else None
    return strategy_spec(name, values, None if inner is None else spec_from(inner["name"], canonical_json(inner["params"])))


def with_shots(spec: StrategySpec, n: int) -> StrategySpec:
    """Return a strategy that shows n worked examples, where it or the one inside it takes any and none were asked for.

    Raises:
        BadConfig: it does not take that many.
    """
    if not n:
        return spec
    inner = None if spec.inner is None else with_shots(spec.inner, n)
    values = {key: value for key, value in json.loads(spec.params).items() if key != "inner"}
    if values.get("shots") == 0:
        values["shots"] = n
    return strategy_spec(spec.name, values, inner)
