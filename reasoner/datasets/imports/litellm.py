"""Logs of LiteLLM as JSON lines: the standard logging payload, and spend logs of its proxy.

Source: LiteLLM documentation, "StandardLoggingPayload".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.datasets.imports.openai_completion import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READ = ("messages", "response", "model_parameters", "api_key", "model_map_information", "hidden_params", "proxy_server_request")


class Litellm(Importer):
    """One call a line."""

    name: ClassVar[str] = "litellm"
    summary: ClassVar[str] = "LiteLLM logs: the standard logging payload, and spend logs"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its kind of call."""
        return 75 if "call_type" in row and "response" in row else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read a call that was answered."""
        if row.get("status") not in (None, "success") or row.get("error_str"):
            raise Unusable("the call failed")
        body = v.parsed(row["response"])
        if isinstance(body, str) and body:
            body = {"choices": [{"message": {"content": body}}]}
        if not isinstance(body, dict) or not body:
            raise Unusable("it holds no answer")
        asked = v.parsed(row.get("messages"))
        told = row.get("model_parameters") if isinstance(row.get("model_parameters"), dict) else {}
        cost, bad = v.usage(None, cost=v.first(row, ("response_cost", "spend")), seconds=v.at(row, "response_time"))
        usage, more = v.usage(row)
        for made in answers({**body, "model": row.get("model") or body.get("model")}, asked, facts=v.facts(row, but=READ), request=told):
            (place,) = made.calls
            yield Transcript(
                made.messages, model=made.model, calls={place: {**usage, **made.calls[place], **cost}}, tools=made.tools, sampling=made.sampling,
                facts=made.facts, n_bad_usage=made.n_bad_usage + bad + (0 if v.at(body, "usage") else more),
            )  # fmt: skip
