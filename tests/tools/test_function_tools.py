"""`@tool`: schemas from signatures, arguments that are checked, faults that become text, results that are bounded."""

from __future__ import annotations

import asyncio
import json
import time
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from ends import ends
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import reasoner
from reasoner.errors import BadConfig, BudgetExhausted, ToolFailed
from reasoner.redaction import remember
from reasoner.tools import FunctionTool, bounded, read_arguments, tool


class Unit(Enum):
    METRE = "m"
    FOOT = "ft"


class Place(BaseModel):
    title: str
    rank: int = 1


@tool
def measure(
    length: float, unit: Unit = Unit.METRE, *, places: list[Place] | None = None, how: Literal["up", "down"] = "up"
) -> dict[str, Any]:
    """Measure a length.

    It is measured twice.

    Args:
        length: How long it is,
            in units.
        unit (Unit): The unit.

    Returns:
        what was measured
    """
    return {"length": length, "unit": unit.value, "n": len(places or ()), "how": how}


def test_the_schema_is_read_off_the_function() -> None:
    assert measure.name == "measure"
    assert measure.description == "Measure a length.\n\nIt is measured twice."
    schema = measure.parameters
    assert schema["required"] == ["length"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["length"] == {"type": "number", "description": "How long it is, in units."}
    assert schema["properties"]["unit"]["description"] == "The unit."
    assert schema["properties"]["how"] == {"enum": ["up", "down"], "type": "string", "default": "up"}
    assert "title" in schema["$defs"]["Place"]["properties"], "an argument may be called title"
    assert "title" not in schema
    assert "title" not in schema["properties"]["length"]
    assert json.loads(measure.spec.parameters) == schema
    assert reasoner.tool is tool


async def test_arguments_are_checked_and_given_as_what_they_are() -> None:
    taken = measure.accept({"length": "2.5", "unit": "ft", "places": [{"title": "a"}]})
    assert taken == {"length": 2.5, "unit": "ft", "places": [{"title": "a"}]}
    assert json.loads(await measure.call(taken)) == {"length": 2.5, "unit": "ft", "n": 1, "how": "up"}
    for wrong, says in (
        ({}, "length: Field required"),
        ({"length": "x"}, "length"),
        ({"length": 1, "more": 2}, "more"),
        ({"length": 1, "how": "left"}, "how"),
    ):
        with pytest.raises(ToolFailed, match=says):
            measure.accept(wrong)
    assert measure(3.0)["length"] == 3.0, "called directly it is the function"


async def test_faults_are_text_without_keys_and_ours_go_through() -> None:
    remember("a-very-secret-value")

    @tool
    def fails(how: str) -> str:
        """Fail."""
        if how == "budget":
            raise BudgetExhausted("used up")
        raise KeyError(f"no {how} a-very-secret-value")

    with pytest.raises(ToolFailed, match=r"KeyError.*no salt") as caught:
        await fails.call({"how": "salt"})
    assert "very-secret" not in str(caught.value)
    with pytest.raises(BudgetExhausted):
        await fails.call({"how": "budget"})


async def test_asynchronous_functions_and_results_of_every_kind() -> None:
    @tool
    async def give(what: int) -> Any:
        """Give something."""
        await asyncio.sleep(0)
        return [None, "text", {"a": {1, 2}}, float("nan"), b"x", object, 10**30, "ä"][what]

    given_back = [await give.call({"what": i}) for i in range(8)]
    assert given_back[:2] == ["done", "text"]
    assert sorted(json.loads(given_back[2])["a"]) == [1, 2]
    assert given_back[6] == str(10**30)
    assert given_back[7] == "ä"


async def test_a_function_that_hangs_holds_up_nobody() -> None:
    @tool
    def hang() -> str:
        """Hang."""
        time.sleep(30)
        return ""

    with ends("half a minute of sleep", 25, time.monotonic), pytest.raises(TimeoutError):
        await asyncio.wait_for(hang.call({}), 0.2)


def test_what_cannot_be_a_tool_is_refused() -> None:
    def undocumented(a: int) -> int:
        return a

    def untyped(a) -> str:  # type: ignore[no-untyped-def]
        """Say."""
        return str(a)

    def starred(*a: int) -> str:
        """Say."""
        return str(a)

    def strange(a: asyncio.AbstractEventLoop) -> str:
        """Say."""
        return str(a)

    def fine(a: int) -> int:
        """Say."""
        return a

    for function, says in ((undocumented, "docstring"), (untyped, "no type"), (starred, "named arguments"), (strange, "JSON")):
        with pytest.raises(BadConfig, match=says):
            tool(function)
    for options in ({"name": "a b"}, {"effect": "maybe"}, {"timeout_s": 0}, {"max_output_chars": 0}):
        with pytest.raises(BadConfig):
            tool(**options)(fine)
    assert isinstance(tool(name="other", effect="once")(fine), FunctionTool)


def test_constraints_of_annotated_types_reach_the_schema() -> None:
    @tool
    def take(n: Annotated[int, Field(ge=1, le=3)]) -> int:
        """Take."""
        return n

    assert take.parameters["properties"]["n"] == {"type": "integer", "minimum": 1, "maximum": 3}
    with pytest.raises(ToolFailed, match="less than or equal to 3"):
        take.accept({"n": 4})


def test_the_fingerprint_changes_with_what_the_tool_is() -> None:
    @tool
    def one(a: int) -> int:
        """Say."""
        return a

    @tool(name="one", effect="once")
    def other(a: int) -> int:
        """Say."""
        return a

    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize("text", ["{", "[]", "1", '"x"', "null", "[" * 90_000, '{"a": ' * 90_000, "x" * 200_000, "{'a': 1}", "NaN"])
def test_arguments_that_are_no_object_are_told(text: str) -> None:
    with pytest.raises(ToolFailed, match="arguments"):
        read_arguments(text)
    assert read_arguments("  ") == {}
    assert read_arguments(json.dumps('{"code": "1"}')) == {"code": "1"}


@given(st.text(max_size=3000), st.integers(min_value=2, max_value=500))
def test_results_are_bounded_and_storable(text: str, n_chars: int) -> None:
    shown = bounded(text + "\ud800", n_chars)
    assert len(shown) <= n_chars + 60
    shown.encode("utf-8")
    if len(text) < n_chars:
        assert shown == (text + "\ud800").encode("utf-8", "replace").decode()
