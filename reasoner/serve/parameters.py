"""Parameters of requests: those that are harmless to ignore, and the refusal of every other one by its name.

    refuse_unknown({"store": True, "audio": {...}}, HARMLESS)   -> Refused: audio is not supported

A parameter is harmless where leaving it out changes neither the answer nor what it costs: labels, billing tiers, hints for caches.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig
from reasoner.serve.faults import invalid
from reasoner.types import ToolSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

HARMLESS = frozenset(
    {
        "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "client_metadata",
        "inference_geo", "container", "cache_control", "betas", "include_reasoning", "return_progress", "timings_per_token", "cache_prompt", "id_slot",
    }
)  # fmt: skip
"""Ignored, whatever they hold."""

ON_BY_DEFAULT = frozenset({"think", "enable_thinking", "add_generation_prompt", "skip_special_tokens"})
"""Switches that are on where nothing is said, so that false says something."""

MAX_STOPS = 16
MAX_STOP_CHARS = 200
MAX_TOOLS = 128
MAX_TOOL_NAME_CHARS = 128
_EFFORTS = {"none": "off", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def refuse_unknown(extra: Mapping[str, Any] | None, neutral: Mapping[str, Collection[Any]] | None = None) -> None:
    """Refuse a parameter that is not served, unless it is harmless, empty, or says what would be done anyway (`neutral`: name -> such values).

    Raises:
        Refused: it is named.
    """
    for name, value in (extra or {}).items():
        empty = value is None or (value in ([], {}, "", False) and name not in ON_BY_DEFAULT)
        if name in HARMLESS or empty:
            continue
        if neutral and name in neutral and not isinstance(value, dict) and value in neutral[name]:
            continue
        shown = name if name.isprintable() and len(name) <= 60 else f"{name[:60]!r}…"
        raise invalid(f"{shown} is not supported", param=name[:200], code="unsupported_parameter")


def stops_of(given: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    """Return stop texts.

    Raises:
        Refused: there are too many, or one is empty or too long.
    """
    stop = (given,) if isinstance(given, str) else tuple(given or ())
    if len(stop) > MAX_STOPS or any(not 0 < len(text) <= MAX_STOP_CHARS for text in stop):
        raise invalid(f"{name} takes at most {MAX_STOPS} texts of 1 to {MAX_STOP_CHARS} characters", param=name)
    return stop


def bound_of(given: int | None, name: str) -> int | None:
    """Return a bound of tokens; -1 and nothing leave it to the model.

    Raises:
        Refused: it is no bound.
    """
    if given is None or given == -1:
        return None
    if given < 1:
        raise invalid(f"{name} has to be at least 1, or -1 for no bound of its own", param=name)
    return given


def effort_of(given: str | None, name: str) -> str:
    """Return how much a model is to think, as `Sampling.thinking` says it.

    Raises:
        Refused: the word is not known.
    """
    if not given:
        return ""
    if given not in _EFFORTS:
        raise invalid(f"{name} is one of {', '.join(_EFFORTS)}", param=name)
    return _EFFORTS[given]


def one_call(*, wanted: bool, choice: str, tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """Return what tells a provider to have at most one tool called in a turn; nothing where one tool is chosen already, or none can be."""
    return {"parallel_tool_calls": False} if wanted and tools and choice != "none" and not choice.startswith("tool:") else {}


def tool_of(name: Any, description: Any, schema: Any, where: str) -> ToolSpec:
    """Return one tool.

    Raises:
        Refused: its name or its schema cannot be used.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_TOOL_NAME_CHARS or not all(c.isalnum() or c in "_-.:" for c in name):
        raise invalid(f"{where}: a tool's name has 1 to {MAX_TOOL_NAME_CHARS} letters, digits, _ or -", param=where)
    if not isinstance(schema, dict | None):
        raise invalid(f"{where}: the schema of {name} is no object", param=where)
    return ToolSpec(
        name, description if isinstance(description, str) else "", json_text(schema or {"type": "object", "properties": {}}, where)
    )


def checked_choice(choice: str, tools: Sequence[ToolSpec]) -> str:
    """Return a choice of tools.

    Raises:
        Refused: there are too many tools, two of one name, or none of the name that is chosen.
    """
    names = [tool.name for tool in tools]
    if len(names) > MAX_TOOLS or len(set(names)) < len(names):
        raise invalid(f"there may be {MAX_TOOLS} tools, each with a name of its own", param="tools")
    kind, _, name = choice.partition(":")
    if (kind == "tool" and name not in names) or (kind == "required" and not names):
        raise invalid(f"tool_choice asks for {name or 'a tool'!r}, and it is not among the tools", param="tool_choice")
    return choice


def json_text(value: Any, where: str) -> str:
    """Return a JSON value as text, in its own order.

    Raises:
        BadConfig: it cannot be written.
    """
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{where} cannot be written as JSON: {error}", hint="check its numbers and its depth") from error
