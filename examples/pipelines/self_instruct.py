"""Self-instruct as BioInstruct does it: new tasks out of a few seed tasks, kept where they are new, then answered.

python examples/pipelines/self_instruct.py [MODEL [TASKS.jsonl]]
Source: Tran et al. 2024, "BioInstruct: Instruction Tuning of Large Language Models for Biomedical NLP", section 3; Wang et al. 2023, "Self-Instruct".
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from reasoner.api.map_card import write_map_card
from reasoner.api.mapping import Mapped, map_rows, read_table
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.duplicates import shingles
from reasoner.datasets.write import write_jsonl
from reasoner.types import Client, Request

PROMPTS = Path(__file__).parent / "prompts"
SEEDS = ["Summarise the abstract for a patient.", "List the drugs in the note.", "Say whether the finding is urgent, and why."]


def is_new(task: str, known: list[str], *, most: float) -> bool:
    """Tell whether a task shares less than `most` of its three-word runs with every known one."""
    own = shingles(task, 3)
    return all(len(own & other) / len(own | other) < most for other in (shingles(one, 3) for one in known))


def self_instruct(seeds: list[str], model: str | Client, *, rounds: int, width: int, db: Path, most: float = 0.5) -> list[Mapped]:
    """Return what was mapped, the new tasks with their outputs last; each round shows the model three of the tasks so far."""
    known, mapped = list(seeds), []
    for number in range(rounds):
        rng = random.Random(number)
        shown = [{"field": "medicine", "examples": rng.sample(known, 3), "n": n} for n in range(width)]
        made = map_rows(shown, [PROMPTS / "task.jinja"], model=model, db=db, seed=number, temperature=1.0, progress=True)
        mapped.append(made)
        for row in made.rows:
            if is_new(row["task"], known, most=most):
                known.append(row["task"].strip())
    fresh = [{"task": task} for task in known[len(seeds) :]]
    return [*mapped, map_rows(fresh, [PROMPTS / "output.jinja"], model=model, db=db, progress=True)]


def scripted(request: Request) -> str:
    """Write tasks of which some repeat what is there."""
    if not request.messages[-1].content.startswith("Here are"):
        return f"Done: {request.messages[-1].content}"
    verb = ("Translate", "Compare", "Explain", "Check", "List the drugs in")[(request.seed or 0) % 5]
    return f"{verb} the note."


def main() -> None:
    """Run it and write the rows."""
    model = sys.argv[1] if len(sys.argv) > 1 else ScriptedClient(scripted, name="script")
    given = [row["task"] for row in read_table(Path(sys.argv[2]))] if len(sys.argv) > 2 else SEEDS
    mapped = self_instruct(given, model, rounds=3, width=len(given), db=Path("pipelines.db"))
    n = write_jsonl(out := Path("self_instruct.jsonl"), mapped[-1].rows)
    write_map_card(Path("self_instruct.md"), [out], mapped, n_rows=n)
    print(f"{out}: {n} rows")


if __name__ == "__main__":
    main()
