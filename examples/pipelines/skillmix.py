"""Instruct-SkillMix: skills out of topics, pairs of skills, an instruction and an answer for each pair, shirkers screened out by a judge.

python examples/pipelines/skillmix.py [MODEL]        offline without one; then: reasoner tune skillmix.jsonl --out adapter.gguf
Source: Kaur et al. 2024, "Instruct-SkillMix: A Powerful Pipeline for LLM Instruction Tuning", sections 2 and 3.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from reasoner.api.mapping import map_rows
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.types import Client, Request

PROMPTS = Path(__file__).parent / "prompts"


def skillmix(topics: list[str], model: str | Client, *, n_pairs: int, db: Path, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows with instruction and answer whose answers do not shirk."""
    asked = [{"topic": topic, "n_skills": 4} for topic in topics]
    named = map_rows(asked, [PROMPTS / "skills.jinja"], model=model, db=db, progress=True)
    skills = sorted({skill.strip().lower() for row in named.rows for skill in row["skills"] if skill.strip()})
    pairs = [(one, other) for one in skills for other in skills if one < other]
    chosen = random.Random(seed).sample(pairs, min(n_pairs, len(pairs)))
    steps = [PROMPTS / f"{name}.jinja" for name in ("instruction", "answer", "screen")]
    mixed = map_rows([{"first": a, "second": b} for a, b in chosen], steps, model=model, db=db, temperature=0.7, progress=True)
    return [row for row in mixed.rows if not row["shirks"]]


def scripted(request: Request) -> str:
    """Answer as a model might: every third answer shirks."""
    text = request.messages[-1].content
    if text.startswith("Name the skills"):
        topic = text.split('"')[1]
        return json.dumps({"skills": [f"explaining {topic}", f"comparing {topic}", "giving examples"]})
    if text.startswith("Write one realistic"):
        return f"Please help me with {text.split(chr(34))[1]}."
    return (
        json.dumps({"shirks": "you could" in text})
        if text.startswith("A user asked")
        else "First, you could try."
        if len(text) % 3 == 0
        else "It is done so."
    )


def main() -> None:
    """Run it and write prompts and completions for `reasoner tune`."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    rows = skillmix(["tides", "bread", "taxes"], model, n_pairs=12, db=Path("pipelines.db"))
    n = write_jsonl(Path("skillmix.jsonl"), [{"prompt": row["instruction"], "completion": row["answer"]} for row in rows])
    print(f"skillmix.jsonl: {n} rows")


if __name__ == "__main__":
    main()
