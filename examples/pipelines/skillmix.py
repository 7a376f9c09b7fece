"""Instruct-SkillMix: skills out of topics, pairs of skills, an instruction and an answer for each pair, shirkers screened out by a judge.

python examples/pipelines/skillmix.py [MODEL [TOPICS.jsonl [ADAPTER.gguf]]]        offline without a model; with an adapter's name SmolLM2 is tuned on the rows
Source: Kaur et al. 2024, "Instruct-SkillMix: A Powerful Pipeline for LLM Instruction Tuning", sections 2 and 3.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from reasoner.api.map_card import write_map_card
from reasoner.api.mapping import Mapped, map_rows, read_table
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.write import write_jsonl
from reasoner.tune import Options, tune
from reasoner.types import Client, Request

PROMPTS = Path(__file__).parent / "prompts"


def skillmix(topics: list[str], model: str | Client, *, n_pairs: int, db: Path, seed: int = 0) -> tuple[list[dict[str, Any]], list[Mapped]]:
    """Return rows with instruction and answer whose answers do not shirk."""
    asked = [{"topic": topic, "n_skills": 4} for topic in topics]
    named = map_rows(asked, [PROMPTS / "skills.jinja"], model=model, db=db, progress=True)
    skills = sorted({skill.strip().lower() for row in named.rows for skill in row["skills"] if skill.strip()})
    pairs = [(one, other) for one in skills for other in skills if one < other]
    chosen = random.Random(seed).sample(pairs, min(n_pairs, len(pairs)))
    steps = [PROMPTS / f"{name}.jinja" for name in ("instruction", "answer", "screen")]
    mixed = map_rows([{"first": a, "second": b} for a, b in chosen], steps, model=model, db=db, temperature=0.7, progress=True)
    return [row for row in mixed.rows if not row["shirks"]], [named, mixed]


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
    """Run it, write prompts and completions, every fifth row apart as held out, and tune the embedded model on the others."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    topics = [row["topic"] for row in read_table(Path(sys.argv[2]))] if len(sys.argv) > 2 else ["tides", "bread", "taxes"]
    made, mapped = skillmix(topics, model, n_pairs=4 * len(topics), db=Path("pipelines.db"))
    rows = [{"prompt": row["instruction"], "completion": row["answer"]} for row in made]
    data, held_out = Path("skillmix.jsonl"), Path("skillmix.test.jsonl")
    apart = write_jsonl(held_out, rows[4::5])
    n = write_jsonl(data, [row for at, row in enumerate(rows) if at % 5 != 4])
    write_map_card(Path("skillmix.md"), [data, held_out] if apart else [data], mapped, n_rows=n + apart)
    print(f"{data}: {n} rows; {held_out}: {apart}")
    if len(sys.argv) > 3:
        report = tune(data, Path(sys.argv[3]), Options(held_out=held_out, learning_rate=3e-4, epochs=3, batch=4))
        print(f"{report.adapter}: held-out loss {report.held_out_before:.3f} -> {report.held_out_after:.3f} in {report.seconds:.0f} s")


if __name__ == "__main__":
    main()
