"""The log database of the command `llm`: every response is a call, the conversations it belongs to stay whole.

Source: llm documentation, "Logging to SQLite". Tables and columns that a version does not have are taken as empty.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript, Unusable
from reasoner.files.signatures import DATABASE
from reasoner.store.foreign import read_table, tables
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class LlmLogs(Importer):
    """Conversations of `llm`'s logs.db."""

    name: ClassVar[str] = "llm-logs"
    summary: ClassVar[str] = "logs.db of the command llm: prompts, responses, tools, usage"

    def opens(self, path: Path, head: bytes) -> bool:
        """Tell a database with the two tables of a log."""
        return head.startswith(DATABASE) and {"responses", "conversations"} <= tables(path)

    def rows(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield a conversation after another, its responses in order."""
        there = tables(path)
        tools = {name: _by_response(path, name) for name in ("tool_calls", "tool_results") if name in there}
        known = {row["id"]: row for row in read_table(path, "conversations")}
        grouped: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in read_table(path, "responses", order="id"):
            row |= {name: found.get(row["id"], []) for name, found in tools.items()}
            grouped[row.get("conversation_id") or row["id"]].append(row)
        for place, rows in grouped.items():
            yield f"conversation {place}", {"conversation": known.get(place, {}), "responses": rows}

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a conversation this importer made."""
        return 90 if set(row) == {"conversation", "responses"} else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Read a conversation."""
        found: list[Message] = []
        places: list[int] = []
        calls: dict[int, dict[str, Any]] = {}
        n_bad = 0
        for one in row["responses"]:
            found += [
                Message("tool", v.text(made.get("output")), tool_call_id=v.text(made.get("tool_call_id")))
                for made in one.get("tool_results", ())
            ]
            if one.get("system") and not any(m.role == "system" and m.content == one["system"] for m in found):
                found.append(Message("system", v.text(one["system"])))
            if one.get("prompt"):
                found.append(Message("user", v.text(one["prompt"])))
            if not found:
                raise Unusable("a response has no prompt")
            usage, bad = v.usage(
                {
                    "input_tokens": one.get("input_tokens"),
                    "output_tokens": one.get("output_tokens"),
                    **(v.parsed(one.get("token_details")) or {}),
                },
                seconds=None if one.get("duration_ms") is None else one["duration_ms"] / 1000,
            )
            n_bad += bad
            model = v.text(one.get("resolved_model") or one.get("model"))
            places.append(len(found))
            calls[len(found)] = {"model": model, **usage}
            said = Message(
                "assistant",
                v.text(one.get("response")),
                reasoning=v.text(one.get("reasoning")),
                tool_calls=v.tool_calls(one.get("tool_calls")),
            )
            found.append(said if said.reasoning else v.told_apart(said))
        name = v.text(v.at(row, "conversation.name"))
        facts = {"conversation": v.at(row, "conversation.id"), "name": name, "options": v.parsed(row["responses"][-1].get("options_json"))}
        yield Transcript(
            found,
            places,
            model=v.text(row["responses"][-1].get("model")),
            agent="llm",
            calls=calls,
            facts=v.facts(facts),
            n_bad_usage=n_bad,
        )


def _by_response(path: Path, table: str) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in read_table(path, table, order="id"):
        found[row.get("response_id")].append(row)
    return found
