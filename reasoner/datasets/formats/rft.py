"""OpenAI's reinforcement fine-tuning: `{"messages": [..., user], "reference_answer", "solver", "instance"}`; graders read `{{item.reference_answer}}`.

The reference is the answer the exact solver gives, empty where it gives none (a grader of your own then asks the verifier by `solver` and `instance`).
Where rows come from stands line for line in `OUT.lineage`.
Source: OpenAI documentation, "Reinforcement fine-tuning" and "Graders".
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from reasoner import registry
from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.records import Kind, Prompt, asked
from reasoner.errors import ReasonerError


class Rft(Format):
    """OpenAI reinforcement fine-tuning files."""

    name: ClassVar[str] = "rft"
    summary: ClassVar[str] = "OpenAI reinforcement fine-tuning: messages and what a grader compares; lineage in a file beside it"
    kinds: ClassVar[tuple[Kind, ...]] = ("prompt",)
    lineage: ClassVar[Literal["column", "sidecar", "inside"]] = "sidecar"

    def row(self, record: Prompt) -> dict[str, Any] | None:
        """Return the prompt and its reference; None where the last message is not the user's."""
        if not record.messages or record.messages[-1].role != "user":
            return None
        return {
            "messages": asked(record.messages), "reference_answer": _reference(record), "solver": record.solver, "instance": record.instance,
        }  # fmt: skip

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {"messages": _turns.messages(row["messages"]), "solver": str(row["solver"]), "instance": str(row["instance"])}


def _reference(record: Prompt) -> str:
    try:
        solver = registry.solver(record.solver)
        return solver.right_answer(solver.parse(record.instance)) or ""
    except ReasonerError:
        return ""
