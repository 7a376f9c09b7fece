"""Translate into a language no model has read: what the corpus knows of a sentence, and the baselines side by side. Offline.

python examples/translation.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import reasoner
from reasoner.translation.library import open_corpus


def main() -> None:
    """Show a sentence's fragments, then run four strategies over ten sentences with the rules in a model's place."""
    corpus = open_corpus("invented")
    cover = corpus.cover("The old woman of the king sees the zebra.", source="English", target="Selvan", k=1)
    print(f"coverage {cover.coverage:.2f}, unknown: {', '.join(cover.unknown)}")
    for fragment in cover.fragments:
        print(f"  {fragment.text}: {fragment.pairs[0].source} = {fragment.pairs[0].target}")
    strategies = "fragment_shot,example_shot:method=none,example_shot:method=random"
    with tempfile.TemporaryDirectory() as folder:
        table = reasoner.bench("translation", strategy=strategies, model="teacher", n=10, db=Path(folder) / "t.db")
        for row in table.rows:
            print(f"{row.strategy:28} {row.correct}/{row.n} right, {row.prompt_tokens} words of prompt")


if __name__ == "__main__":
    main()
