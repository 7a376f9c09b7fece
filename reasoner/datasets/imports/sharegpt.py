"""ShareGPT in its dialects: `{"conversations": [{"from", "value"}]}`, with LLaMA-Factory's preferences, labels, tools and images.

Source: LLaMA-Factory, data/README.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, Transcript
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.datasets.records import Record

COLUMNS = ("conversations", "conversation", "items")
READ = (*COLUMNS, "system", "tools", "chosen", "rejected", "kto_tag", "images", "model")


class Sharegpt(Importer):
    """Conversations as human and gpt."""

    name: ClassVar[str] = "sharegpt"
    summary: ClassVar[str] = "ShareGPT and LLaMA-Factory conversations, also with chosen and rejected or kto_tag"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by turns that say who they are from."""
        turns = next((row[name] for name in COLUMNS if isinstance(row.get(name), list)), None)
        return 40 if turns and isinstance(turns[0], dict) and {"from", "role"} & set(turns[0]) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript | Record]:
        """Read the conversation; with two completions or a tag it is a preference or a label."""
        turns = next(row[name] for name in COLUMNS if isinstance(row.get(name), list))
        system = row.get("system")
        before = [Message("system", system)] if isinstance(system, str) and system else []
        found = [*before, *_with_calls(turns)]
        found = _with_images(found, row.get("images"))
        model = v.text(row.get("model"))
        if row.get("chosen") is not None and row.get("rejected") is not None:
            chosen, rejected = (_one(row[side]) for side in ("chosen", "rejected"))
            yield v.pair(found, chosen, rejected, model=model)
            return
        found, after = v.cut_at_reply(found)
        if isinstance(row.get("kto_tag"), bool):
            yield v.label(found[:-1], found[-1], good=row["kto_tag"], model=model)
            return
        facts = v.facts(row, but=READ) | ({"after": [[m.role, m.content] for m in after]} if after else {})
        yield Transcript(found, model=model, tools=v.tools(row.get("tools")), facts=facts)


def _with_calls(turns: list[Any]) -> list[Message]:
    """Read turns; one of `function_call` holds the call of a tool as JSON text."""
    made: list[Message] = []
    for turn in turns:
        (read, *more) = v.message(turn, told=True)
        if isinstance(turn, dict) and turn.get("from") == "function_call":
            value = v.parsed(read.content)
            calls = v.tool_calls(value if isinstance(value, list) else [value])
            read = replace(read, content="", tool_calls=calls) if calls else read
        made += [read, *more]
    return made


def _with_images(found: list[Message], images: Any) -> list[Message]:
    """Give the images of a row to its first user's turn."""
    kept = tuple(image for image in images if isinstance(image, str)) if isinstance(images, list) else ()
    place = next((n for n, m in enumerate(found) if m.role == "user"), None)
    if not kept or place is None:
        return found
    return [*found[:place], replace(found[place], images=kept), *found[place + 1 :]]


def _one(value: Any) -> Message:
    return v.one_reply(value.get("value") if isinstance(value, dict) and "value" in value else value)
