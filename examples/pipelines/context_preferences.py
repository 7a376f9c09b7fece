"""Context-conditioned preferences: two replies, a context in which the one is better and one in which the other is; chosen and rejected swap with it.

python examples/pipelines/context_preferences.py [MODEL]
Source: Pitis et al. 2024, "Improving Context-Aware Preference Modeling for Language Models", section 4.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reasoner.api.mapping import map_rows
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.types import Client, Request

PROMPTS = Path(__file__).parent / "prompts"
ROWS = [
    {"prompt": "How do I sort a list?", "one": "sorted(x)", "other": "Call sorted(x): it returns a new list and leaves x as it is."},
    {"prompt": "What is a tide?", "one": "The sea rising and falling.", "other": "The sea's response to the pull of moon and sun."},
]


def conditioned(rows: list[dict[str, Any]], model: str | Client, *, db: Path) -> list[dict[str, Any]]:
    """Return two rows for each pair of replies whose preference really turns with the context, as a judge finds it."""
    told = map_rows(rows, [PROMPTS / "contexts.jinja"], model=model, db=db, progress=True).rows
    sides = [
        {"prompt": row["prompt"], "pair": n, "context": row[context], "chosen": row[chosen], "rejected": row[rejected]}
        for n, row in enumerate(told)
        for context, chosen, rejected in (("for_one", "one", "other"), ("for_other", "other", "one"))
    ]
    judged = map_rows(sides, [PROMPTS / "judge.jinja"], model=model, db=db, progress=True).rows
    turns = {n for n in range(len(told)) if [row["serves"] for row in judged if row["pair"] == n] == ["A", "A"]}
    return [row for row in judged if row["pair"] in turns]


def scripted(request: Request) -> str:
    """Find contexts for all, and a judge whom no context moves where tides are concerned."""
    text = request.messages[-1].content
    if text.startswith("Two replies"):
        return json.dumps({"for_one": "I know the field and am in a hurry.", "for_other": "I am new to this."})
    long_first = len(text.partition("A: ")[2].partition("\n\nB: ")[0]) > len(text.rpartition("B: ")[2])
    return json.dumps({"serves": "A" if "sort" in text or long_first else "B"})


def main() -> None:
    """Run it and write the rows."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    rows = conditioned(ROWS, model, db=Path("pipelines.db"))
    print(f"context_preferences.jsonl: {write_jsonl(Path('context_preferences.jsonl'), rows)} rows")


if __name__ == "__main__":
    main()
