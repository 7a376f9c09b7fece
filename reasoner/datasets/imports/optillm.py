"""Conversation logs of optillm as JSON lines: what was asked, every call to the provider, and the final answer.

Source: optillm, `conversation_logger.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.datasets.imports.openai_completion import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ = ("client_request", "final_response", "model", "approach")


class Optillm(Importer):
    """One request a line, with the approach that answered it."""

    name: ClassVar[str] = "optillm"
    summary: ClassVar[str] = "optillm conversation logs: request, provider calls, final answer"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by the request of the client and what was made of it."""
        return 75 if isinstance(row.get("client_request"), dict) and ("final_response" in row or "provider_calls" in row) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read the final answer; the calls that led to it stay beside it."""
        final = row.get("final_response")
        if row.get("error") or not isinstance(final, dict) or not final:
            raise Unusable("the request was not answered")
        request = row["client_request"]
        facts = v.facts(row, but=READ)
        yield from answers(
            {"model": row.get("model"), **final}, request.get("messages"), facts=facts, request=request, agent=v.text(row.get("approach"))
        )
