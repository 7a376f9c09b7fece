"""Exports of LangSmith: runs of kind `llm`, and examples of datasets (`inputs`, `outputs`).

Messages stand as OpenAI writes them, or as LangChain serializes its classes. Source: LangSmith documentation, "Run data format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.types import Message

READ = ("inputs", "outputs", "serialized", "events", "child_runs")
ASKED = ("messages", "input.messages", "prompts.0", "prompt", "input", "question", "query")
SAID = (
    "generations.0.0.message", "generations.0.message", "choices.0.message", "messages.-1", "message", "generations.0.0.text", "output", "answer",
    "content", "text",
)  # fmt: skip


class Langsmith(Importer):
    """Runs and examples."""

    name: ClassVar[str] = "langsmith"
    summary: ClassVar[str] = "LangSmith exports: llm runs, dataset examples"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a run by its kind, an example by its inputs and outputs."""
        if "run_type" in row and "inputs" in row:
            return 80
        return 35 if isinstance(v.parsed(row.get("inputs")), dict) and isinstance(v.parsed(row.get("outputs")), dict) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read a run of a model; chains and tools hold no call of their own."""
        if row.get("run_type") not in (None, "llm", "chat"):
            return
        if row.get("error"):
            raise Unusable("the run failed")
        inputs, outputs = v.parsed(row.get("inputs")), v.parsed(row.get("outputs"))
        asked, said = v.first(inputs, ASKED), v.first(outputs, SAID)
        if asked is None or said is None:
            raise Unusable("a run has no prompt, or no answer")
        asked = asked[0] if isinstance(asked, list) and asked and isinstance(asked[0], list) else asked
        before = [one for value in asked for one in _message(value)] if isinstance(asked, list) else v.prompt(asked)
        (reply,) = _message(said)[-1:] if isinstance(said, dict) else (v.one_reply(said),)
        if reply.role != "assistant":
            raise Unusable("a run's answer is not a message of an assistant")
        numbers = v.first(outputs, ("llm_output.token_usage", "usage", "usage_metadata", "generations.0.0.message.kwargs.usage_metadata"))
        usage, bad = v.usage(numbers or row, cost=v.first(row, ("total_cost", "prompt_cost")))
        told = v.first(row, ("extra.invocation_params", "extra.metadata")) or {}
        model = v.text(v.first(told, ("model", "model_name", "ls_model_name")) or v.at(outputs, "llm_output.model_name"))
        yield Transcript(
            [*before, reply], model=model, agent=v.text(row.get("name")), calls={len(before): {**usage, "model": model}}, tools=v.tools(told.get("tools")),
            facts=v.facts(row, but=READ), n_bad_usage=bad,
        )  # fmt: skip


def _message(value: Any) -> list[Message]:
    """Read a message, also one that LangChain serialized: `{"id": [..., "HumanMessage"], "kwargs": {...}}`."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
        return v.message({"role": value[0], "content": value[1]}, told=True)
    if not isinstance(value, dict):
        raise Unusable("a message is not an object")
    if isinstance(value.get("kwargs"), dict) and isinstance(value.get("id"), list) and value["id"]:
        name = str(value["id"][-1]).removesuffix("Chunk").removesuffix("Message").lower()
        value = {**value["kwargs"], "role": name}
    more = value.get("additional_kwargs") if isinstance(value.get("additional_kwargs"), dict) else {}
    calls = value.get("tool_calls") or more.get("tool_calls")
    thought = more.get("reasoning_content")
    return v.message({**value, "tool_calls": calls, **({"reasoning_content": thought} if thought else {})}, told=True)
