"""Context-conditioned preferences: two replies, a context in which the one is better and one in which the other is; chosen and rejected swap with it.

python examples/pipelines/context_preferences.py [MODEL [ROWS.jsonl]]
Source: Pitis et al. 2024, "Improving Context-Aware Preference Modeling for Language Models", section 4.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reasoner.api.map_card import write_map_card
from reasoner.api.mapping import Mapped, map_rows, read_table
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.types import Client, Request

KEPT = ("prompt", "one", "other")
PROMPTS = Path(__file__).parent / "prompts"
ROWS = [
    {"prompt": "How do I sort a list?", "one": "sorted(x)", "other": "Call sorted(x): it returns a new list and leaves x as it is."},
    {"prompt": "What is a tide?", "one": "The sea rising and falling.", "other": "The sea's response to the pull of moon and sun."},
]


def conditioned(rows: list[dict[str, Any]], model: str | Client, *, db: Path) -> tuple[list[dict[str, Any]], list[Mapped]]:
    """Return two rows for each pair of replies whose preference really turns with the context, as a judge finds it."""
    found = map_rows(rows, [PROMPTS / "contexts.jinja"], model=model, db=db, progress=True)
    sides = [
        {"pair": n, **{name: row[name] for name in KEPT}, "context": row[context], "chosen": row[chosen], "rejected": row[rejected]}
        for n, row in enumerate(found.rows)
        for context, chosen, rejected in (("for_one", "one", "other"), ("for_other", "other", "one"))
    ]
    judged = map_rows(sides, [PROMPTS / "judge.jinja"], model=model, db=db, progress=True)
    turns = {n for n in range(len(found.rows)) if [row["serves"] for row in judged.rows if row["pair"] == n] == ["A", "B"]}
    return [row for row in judged.rows if row["pair"] in turns], [found, judged]


def scripted(request: Request) -> str:
    """Find contexts for all, and a judge whom no context moves where tides are concerned."""
    text = request.messages[-1].content
    if text.startswith("Two replies"):
        return json.dumps({"for_one": "I know the field and am in a hurry.", "for_other": "I am new to this."})
    return json.dumps({"serves": "A" if "in a hurry" in text or "sort" not in text else "B"})


def main() -> None:
    """Run it and write the rows."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    given = read_table(Path(sys.argv[2])) if len(sys.argv) > 2 else ROWS
    rows, mapped = conditioned(given, model, db=Path("pipelines.db"))
    n = write_jsonl(out := Path("context_preferences.jsonl"), rows)
    write_map_card(Path("context_preferences.md"), [out], mapped, n_rows=n)
    print(f"{out}: {n} rows")


if __name__ == "__main__":
    main()
