"""Explanations rewritten in four parts (issue, rule, application, conclusion), kept where the choice stays what it was.

python examples/pipelines/irac.py [MODEL]
Source: "A Llama walks into the 'Bar': Efficient Supervised Fine-Tuning for Legal Reasoning in the Multi-state Bar Exam", 2025, section 3.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from reasoner.api.mapping import map_rows
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.text import after_answer
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


def rewrite(rows: list[dict[str, Any]], model: str | Client, *, db: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the rows whose rewriting has all four parts and the choice it began with, and how many have not."""
    made = map_rows(rows, [PROMPTS / "irac.jinja"], model=model, db=db, progress=True)
    good = [row for row in made.rows if stays(row["irac"], row["choice"])]
    return good, len(rows) - len(good)


def stays(text: str, choice: str) -> bool:
    """Tell whether a text ends with the choice and has every part."""
    return after_answer(text).strip(" .()") == choice and all(part in text.lower() for part in PARTS)


def scripted(request: Request) -> str:
    """Rewrite, and change the choice where a threat is the issue."""
    choice = "A" if "threat" in request.messages[-1].content else "B"
    return f"Issue: what is asked.\nRule: what holds.\nApplication: here.\nConclusion: so it is.\nAnswer: {choice}"


def main() -> None:
    """Run it and write prompts and completions."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    rows, n_changed = rewrite(ROWS, model, db=Path("pipelines.db"))
    n = write_jsonl(Path("irac.jsonl"), [{"prompt": row["question"], "completion": row["irac"]} for row in rows])
    print(f"irac.jsonl: {n} rows; {n_changed} left out, their choice or form changed")


if __name__ == "__main__":
    main()
