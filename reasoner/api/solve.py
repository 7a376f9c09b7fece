"""Solve one problem, or ask one free-form question, with any strategy over any model.

solve("game24", "4 9 10 13", strategy="ats", model="teacher").correct
ask("Summarise this ticket: …", strategy="cot", model="openai:NAME", output_type=Ticket).output
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from pydantic import TypeAdapter, ValidationError

from reasoner import registry
from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, settings_of
from reasoner.errors import BadConfig, what_is_wrong
from reasoner.runs.plan import Plan
from reasoner.runs.problems import known_solver, problem_from_instance, problem_from_line
from reasoner.runs.shipped_adapters import default_strategy
from reasoner.runs.strategy_spec import as_specs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.runs.results import Result
    from reasoner.solver import Solver
    from reasoner.strategies import Strategy
    from reasoner.types import Client


async def asolve(
    solver: str | Solver[Any] | type[Solver[Any]],
    instance: str,
    *,
    strategy: str | Strategy | type[Strategy] | None = None,
    model: str | Client = "local",
    **settings: Unpack[RunSettings],
) -> Result:
    """Solve one problem and return what came of it; `result.trajectory` is the graph of thoughts.

    Args:
        solver: a problem family, by name (see `reasoner list`), as a class or as an instance.
        instance: one problem in the family's one-line syntax, `"4 9 10 13"` for `game24`.
        strategy: `NAME` or `NAME:key=value,...`, a class or an instance; None is `ats`, or what the adapter that ships for `local` was
            tuned on where it answers.
        model: `"local"`, a path to a `.gguf`, `"openai:NAME"`, `"teacher"`, or an open client.
        **settings: see `RunSettings`.

    Raises:
        UnknownName: no solver, strategy, client or option of that name.
        BadInstance: the instance does not follow the syntax.
        ReasonerError: anything else, by whose fault it is.
    """
    made = settings_of(settings)
    problem = problem_from_line(known_solver(solver), instance)
    specs = as_specs(strategy or default_strategy(problem.solver, model, made.options.client))
    if len(specs) != 1:
        raise BadConfig(f"{len(specs)} strategies were named", hint="solve with one; bench runs several")
    plan = Plan([problem], specs, made.seed, made.samples, made.sampling, made.limits, tools=made.tools)
    return (await carry_out(plan, [model], made)).results[0]


def solve(
    solver: str | Solver[Any] | type[Solver[Any]],
    instance: str,
    *,
    strategy: str | Strategy | type[Strategy] | None = None,
    model: str | Client = "local",
    **settings: Unpack[RunSettings],
) -> Result:
    """Solve one problem; the synchronous face of `asolve`, also inside a running event loop (a notebook)."""
    return blocking(lambda: asolve(solver, instance, strategy=strategy, model=model, **settings))


async def aask(
    prompt: str,
    *,
    strategy: str | Strategy | type[Strategy] = "plain",
    model: str | Client = "local",
    system: str = "",
    output_type: Any = None,
    output_schema: Mapping[str, Any] | None = None,
    **settings: Unpack[RunSettings],
) -> Result:
    """Ask a free-form question through a strategy: recorded like every run, and not judged (`correct` is None).

    Args:
        prompt: what to ask.
        strategy: `plain` asks once and adds no word; `cot`, `self_consistency(cot)`, `iot`, … think first.
        model: as for `asolve`.
        system: a system message.
        output_type: a pydantic model, or any type that pydantic can check; `result.output` then holds an instance. The answer is
            formatted in one last constrained call where the strategy does not see to it by itself.
        output_schema: the same by a JSON schema; `result.text` is then the JSON.
        **settings: see `RunSettings`.

    Raises:
        UnknownName: no strategy, client or option of that name.
        ReasonerError: anything else, by whose fault it is.
    """
    made = settings_of(settings)
    if not prompt.strip():
        raise BadConfig("there is nothing to ask", hint="give a prompt")
    adapter = None if output_type is None else TypeAdapter(output_type)
    if adapter is not None:
        output_schema = _as_object(adapter.json_schema())
    schema = "" if output_schema is None else json.dumps(output_schema)
    solver = registry.solver("chat")
    turns = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": prompt}]
    problem = problem_from_instance(solver, solver.Instance.model_validate({"messages": turns, "output_schema": schema}), None)
    specs = as_specs(strategy)
    if len(specs) != 1:
        raise BadConfig(f"{len(specs)} strategies were named", hint="ask with one")
    plan = Plan([problem], specs, made.seed, made.samples, made.sampling, made.limits, tools=made.tools)
    result = (await carry_out(plan, [model], made)).results[0]
    if result.text is None or output_schema is None:
        return result
    return _with_output(result, adapter) if adapter is not None else _checked_json(result)


def ask(
    prompt: str,
    *,
    strategy: str | Strategy | type[Strategy] = "plain",
    model: str | Client = "local",
    system: str = "",
    output_type: Any = None,
    output_schema: Mapping[str, Any] | None = None,
    **settings: Unpack[RunSettings],
) -> Result:
    """Ask a free-form question; the synchronous face of `aask`, also inside a running event loop (a notebook)."""
    return blocking(
        lambda: aask(
            prompt, strategy=strategy, model=model, system=system, output_type=output_type, output_schema=output_schema, **settings
        )
    )


_WRAPPED = "value"


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" or "$ref" in schema


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose root is an object: providers constrain to nothing else."""
    if _is_object(schema):
        return schema
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {"type": "object", "properties": {_WRAPPED: schema}, "required": [_WRAPPED], "additionalProperties": False}
    return wrapped if definitions is None else wrapped | {"$defs": definitions}


NO_JSON = "the answer is not the JSON that was asked for"


def _checked_json(result: Result) -> Result:
    """Say in `error` where the answer is no JSON: a reply that was cut off, say."""
    try:
        json.loads(result.text or "")
    except ValueError:
        return _faulty(result, NO_JSON)
    return result


def _faulty(result: Result, why: str) -> Result:
    return replace(result, closing=replace(result.closing, error=result.error or why, error_kind=result.error_kind or "Unparseable"))


def _with_output(result: Result, adapter: TypeAdapter[Any]) -> Result:
    """Return the result with the answer as an instance; where it cannot be one, `output` is None and `error` says why."""
    try:
        value = json.loads(result.text or "")
        return replace(result, output=adapter.validate_json(json.dumps(value if _is_object(adapter.json_schema()) else value[_WRAPPED])))
    except ValidationError as error:
        where, given, fault = what_is_wrong(error)
        why = f"the answer does not fit the output type: {where or 'it'}={str(given)[:80]!r}: {fault}"
    except (ValueError, KeyError, TypeError):
        why = NO_JSON
    return _faulty(result, why)
