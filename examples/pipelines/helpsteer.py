"""HelpSteer2: ratings by attribute, and preferences with a justification, from a judge that is asked in both orders.

python examples/pipelines/helpsteer.py [MODEL [ROWS.jsonl]]
Source: Wang et al. 2024, "HelpSteer2-Preference: Complementing Ratings with Preferences", section 3.
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

PROMPTS = Path(__file__).parent / "prompts"
ROWS = [
    {"prompt": "Why is the sky blue?", "response_1": "Because.", "response_2": "Air scatters blue light more than red."},
    {"prompt": "Name a prime.", "response_1": "Seven.", "response_2": "Nine"},
    {"prompt": "Say hello.", "response_1": "Hello!", "response_2": "Hello."},
]


def annotate(rows: list[dict[str, Any]], model: str | Client, *, db: Path) -> tuple[list[dict[str, Any]], float, Mapped]:
    """Return the rows in which the judge prefers the same reply in both orders, and the share of rows in which it does."""
    steps = [PROMPTS / f"{name}.jinja" for name in ("ratings", "forward", "backward")]
    judged = map_rows(rows, steps, model=model, db=db, progress=True)
    same = [row for row in judged.rows if (row["better"] == "A") == (row["better_swapped"] == "B")]
    for row in same:
        row["preference_strength"] = -1 if row["better"] == "A" else 1
        row["preference_elaboration"] = row["justification"]
    return same, len(same) / max(1, len(judged.rows)), judged


def scripted(request: Request) -> str:
    """Prefer the longer reply, and the first of two that are as long."""
    text = request.messages[-1].content
    if text.startswith("Rate"):
        n = min(4, len(text.rpartition("Reply: ")[2]) // 8)
        return json.dumps(dict.fromkeys(("helpfulness", "correctness", "coherence", "complexity", "verbosity"), n))
    one, _, other = text.partition("\n\nA: ")[2].partition("\n\nB: ")
    better = "B" if len(other) > len(one) else "A"
    return json.dumps({"better": better, "justification": "It says more."} if "and why" in text else {"better_swapped": better})


def main() -> None:
    """Run it and write the rows."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    given = read_table(Path(sys.argv[2])) if len(sys.argv) > 2 else ROWS
    rows, agreement, mapped = annotate(given, model, db=Path("pipelines.db"))
    n = write_jsonl(out := Path("helpsteer.jsonl"), rows)
    write_map_card(Path("helpsteer.md"), [out], [mapped], n_rows=n)
    print(f"{out}: {n} rows; the two orders agree in {agreement:.0%}")


if __name__ == "__main__":
    main()
