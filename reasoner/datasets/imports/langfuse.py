"""Exports of Langfuse: observations (one a row), or traces with their observations. Generations become calls.

Source: Langfuse documentation, "Export data" and "Observations data model".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ = (
    "input",
    "output",
    "usage",
    "usageDetails",
    "usage_details",
    "model",
    "modelParameters",
    "observations",
    "promptTokens",
    "completionTokens",
)
KINDS = ("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING", "EVALUATOR", "GUARDRAIL")


class Langfuse(Importer):
    """Observations of traces."""

    name: ClassVar[str] = "langfuse"
    summary: ClassVar[str] = "Langfuse exports: observations, or traces with observations"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell an observation by its trace and kind, a trace by its observations."""
        if str(row.get("type", "")).upper() in KINDS and ("traceId" in row or "trace_id" in row):
            return 80
        inner = row.get("observations")
        return (
            78 if isinstance(inner, list) and (not inner or isinstance(inner[0], (dict, str))) and "input" in row and "output" in row else 0
        )

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read generations; other observations hold no call of a model."""
        whole = [one for one in row.get("observations") or () if isinstance(one, dict)]
        if "type" not in row and not whole:
            yield _generation(row)  # a trace whose observations stand elsewhere
            return
        for one in whole or [row]:
            if str(one.get("type", "")).upper() == "GENERATION":
                yield _generation(one)


def _generation(row: Mapping[str, Any]) -> Transcript:
    asked, said = v.parsed(row.get("input")), v.parsed(row.get("output"))
    if isinstance(asked, dict):
        asked = v.first(asked, ("messages", "prompt", "input", "query", "question")) or v.text(asked)
    if said in (None, "", [], {}):
        raise Unusable("a generation has no output")
    tools = v.tools(v.at(v.parsed(row.get("input")), "tools"))
    before = v.prompt(asked)
    if isinstance(said, dict):
        said = v.first(said, ("choices.0.message", "message", "completion", "output", "text")) or (
            said if "role" in said or "content" in said else v.text(said)
        )
    if isinstance(said, list):
        said = said[-1] if said and isinstance(said[-1], dict) else v.text(said)
    reply = v.one_reply({"role": "assistant", **said} if isinstance(said, dict) else said)
    numbers = v.first(row, ("usageDetails", "usage_details", "usage")) or {
        "input": row.get("promptTokens"),
        "output": row.get("completionTokens"),
    }
    cost = v.first(row, ("calculatedTotalCost", "costDetails.total", "cost_details.total", "totalCost", "usage.totalCost"))
    usage, bad = v.usage(v.parsed(numbers), cost=cost)
    model = v.text(row.get("model"))
    sampling = v.parsed(row.get("modelParameters"))
    return Transcript(
        [*before, reply], model=model, agent=v.text(row.get("name")), calls={len(before): {**usage, "model": model}}, tools=tools,
        sampling=sampling if isinstance(sampling, dict) else {}, facts=v.facts(row, but=READ), n_bad_usage=bad,
    )  # fmt: skip
