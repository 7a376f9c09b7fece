"""Explanations rewritten in four parts (issue, rule, application, conclusion), kept where the choice stays what it was.

python examples/pipelines/irac.py [MODEL [ROWS.jsonl]]
Source: "A Llama walks into the 'Bar': Efficient Supervised Fine-Tuning for Legal Reasoning in the Multi-state Bar Exam", 2025, section 3.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from reasoner.api.map_card import write_map_card
from reasoner.api.mapping import Mapped, map_rows, read_table
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.grading import read
from reasoner.types import Client, Request

PROMPTS = Path(__file__).parent / "prompts"
PARTS = ("issue", "rule", "application", "conclusion")
ROWS = [
    {"question": "A took B's coat by mistake. Is it theft? (A) yes (B) no", "choice": "B", "explanation": "there was no intent"},
    {
        "question": "A promised a gift without a form. Is it binding? (A) yes (B) no",
        "choice": "B",
        "explanation": "nothing was given for it",
    },
    {"question": "A signed under threat. Is it valid? (A) yes (B) no", "choice": "B", "explanation": "it can be avoided for duress"},
]


def rewrite(rows: list[dict[str, Any]], model: str | Client, *, db: Path) -> tuple[list[dict[str, Any]], Mapped]:
    """Return the rows whose rewriting has all four parts and the choice it began with, and what was mapped."""
    made = map_rows(rows, [PROMPTS / "irac.jinja"], model=model, db=db, progress=True)
    good = [row for row in made.rows if stays(row["irac"], row["choice"])]
    return good, made


def stays(text: str, choice: str) -> bool:
    """Tell whether a text ends with the choice and has every part."""
    found = read("choice", text)
    return found is not None and re.match(rf"\W*{choice}\b", found.text) is not None and all(part in text.lower() for part in PARTS)


def scripted(request: Request) -> str:
    """Rewrite, and change the choice where a threat is the issue."""
    choice = "A" if "threat" in request.messages[-1].content else "B"
    return f"Issue: what is asked.\nRule: what holds.\nApplication: here.\nConclusion: so it is.\nAnswer: {choice}"


def main() -> None:
    """Run it and write prompts and completions."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    given = read_table(Path(sys.argv[2])) if len(sys.argv) > 2 else ROWS
    rows, mapped = rewrite(given, model, db=Path("pipelines.db"))
    n = write_jsonl(out := Path("irac.jsonl"), [{"prompt": row["question"], "completion": row["irac"]} for row in rows])
    write_map_card(Path("irac.md"), [out], [mapped], n_rows=n)
    print(f"{out}: {n} rows; {len(given) - n} left out, their choice or form changed")


if __name__ == "__main__":
    main()
