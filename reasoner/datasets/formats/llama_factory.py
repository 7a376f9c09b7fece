"""LLaMA-Factory: ShareGPT conversations, and the entry of `dataset_info.json` without which it does not find them.

    conversation   {"conversations": [...], "system": str}
    pair           {"conversations": [... human], "system": str, "chosen": {"from": "gpt", "value"}, "rejected": {...}}
    label          {"conversations": [...], "system": str, "kto_tag": bool}

Source: https://github.com/hiyouga/LLaMA-Factory, data/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Conversation, Kind, Label, Pair
from reasoner.types import Message

if TYPE_CHECKING:
    from pathlib import Path


class LlamaFactory(Format):
    """Files for LLaMA-Factory, with `dataset_info.json` beside them."""

    name: ClassVar[str] = "llama-factory"
    summary: ClassVar[str] = "LLaMA-Factory: ShareGPT with dataset_info.json beside it (--records conversation, pair, label)"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation", "pair", "label")

    def row(self, record: Conversation | Pair | Label) -> dict[str, Any] | None:
        """Return the row of the record's kind; None where user and assistant do not alternate."""
        parts = _turns.alternate(record.messages)
        if parts is None or (isinstance(record, Conversation) and record.tool_calls):
            return None
        system, turns = parts
        if isinstance(record, Pair):
            both = {"chosen": {"from": "gpt", "value": record.chosen}, "rejected": {"from": "gpt", "value": record.rejected}}
            return {"conversations": _turns.sharegpt(turns), "system": system, **both}
        reply = record.reply if isinstance(record, Conversation) else record.completion
        row = {"conversations": _turns.sharegpt([*turns, Message("assistant", reply)]), "system": system}
        return row if isinstance(record, Conversation) else {**row, "kto_tag": record.label}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has no thoughts
        """Return a whole row."""
        turns: dict[str, Any] = {"conversations": [_shape.TURN], "system": ""}
        more: dict[str, dict[str, Any]] = {"pair": {"chosen": _shape.TURN, "rejected": _shape.TURN}, "label": {"kto_tag": True}}
        return turns | more.get(kind, {})

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row; its columns tell its kind."""
        found = _turns.from_sharegpt(row["conversations"], row.get("system"))
        if "chosen" in row:
            return {"messages": found, **{side: Message("assistant", str(row[side]["value"])) for side in ("chosen", "rejected")}}
        made = _turns.conversation([{"role": m.role, "content": m.content} for m in found])
        return {"messages": made["messages"], "completion": made["reply"], "label": bool(row["kto_tag"])} if "kto_tag" in row else made

    def companion(self, paths: list[Path], kind: Kind) -> tuple[str, dict[str, Any]]:
        """Return the name of the file that registers the data, and its entries."""
        columns = {"messages": "conversations", "system": "system"}
        entry: dict[str, Any] = {"formatting": "sharegpt", "columns": columns}
        if kind == "pair":
            entry = {"formatting": "sharegpt", "ranking": True, "columns": columns | {"chosen": "chosen", "rejected": "rejected"}}
        elif kind == "label":
            entry["columns"] = columns | {"kto_tag": "kto_tag"}
        entry["tags"] = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
        return "dataset_info.json", {path.stem.replace(".", "_"): {"file_name": path.name, **entry} for path in paths}
