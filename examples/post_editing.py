"""A document of 60 lines: translated through two interruptions, its worst lines edited by a person, and translated once more with the edits. Offline.

python examples/post_editing.py

The model is a stand-in that copies the first example it is shown, so the figures say what the edits change, not what a model can do. The person's
edits are the references of an invented language's test sentences. Needs the extra `translation` (chrF++).
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import reasoner
from reasoner.api.review import add_edits, review, take_edits, write_review
from reasoner.api.translate import Item
from reasoner.assets import asset_dir
from reasoner.datasets.export import export
from reasoner.translation.ingest import ingest
from reasoner.translation.scores import score
from reasoner.types import Completion, Request, Usage

N_LINES, N_EDITED = 60, 15


class CopiesTheFirstExample:
    """A model of little use; after `dies_at` calls its process is killed, as by a power cut."""

    name, fingerprint, paid, concurrency = "copies", "copies-1", False, 1

    def __init__(self, dies_at: int = 0) -> None:
        self.n_calls = 0
        self._dies_at = dies_at

    async def complete(self, request: Request) -> Completion:
        """Answer with the translation of the first example."""
        self.n_calls += 1
        if self.n_calls == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        shown = request.messages[-1].content.partition("\n  Selvan: ")[2].partition("\n")[0]
        return Completion(f"Answer: {shown or 'none'}", usage=Usage(len(request.messages[-1].content) // 4, 8))

    async def aclose(self) -> None:
        """Nothing is held."""


def translate(folder: Path, model: CopiesTheFirstExample, n_calls: int = 1000) -> reasoner.Translated:
    """Translate the document with the corpus as it is now."""
    lines = (folder / "document.txt").read_text(encoding="utf-8").splitlines()
    strategy = f"fragment_shot:corpus={folder / 'selvan.corpus'},memory=fuzzy,min_match=40"
    items = [Item(number, line) for number, line in enumerate(lines, start=1)]
    return reasoner.translate(
        items, source="English", target="Selvan", strategy=strategy, model=model, db=folder / "t.db",
        run_limits=reasoner.Limits(calls=n_calls), on_unknown="retry",
    )  # fmt: skip


def prepare(folder: Path) -> list[str]:
    """Build a small corpus and a document; return the references a person knows."""
    invented = asset_dir("corpora") / "invented"
    head = (invented / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)[:301]
    (folder / "train.tsv").write_text("".join(head), encoding="utf-8")
    ingest(folder / "train.tsv", folder / "selvan.corpus", columns={"English": "English", "Selvan": "Selvan"})
    rows = [line.split("\t") for line in (invented / "test.tsv").read_text(encoding="utf-8").splitlines()[1 : N_LINES + 1]]
    (folder / "document.txt").write_text("".join(f"{row[0]}\n" for row in rows), encoding="utf-8")
    return [row[1] for row in rows]


def edit(path: Path, known: dict[str, str]) -> None:
    """Do a person's work: fill the column `edited` of the worst rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows[:N_EDITED]:
        row["edited"] = known[row["source"]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def main(folder: Path) -> None:
    """Translate, be interrupted twice, go on, edit, translate again; print what each step did."""
    references = prepare(folder)
    killed = subprocess.run([sys.executable, __file__, str(folder), "21"], check=False)  # noqa: S603 - this very file
    print(f"killed by signal {-killed.returncode} at its 21st call")
    stopped = CopiesTheFirstExample()
    translate(folder, stopped, n_calls=35)
    rest = CopiesTheFirstExample()
    first = translate(folder, rest)
    print(f"{stopped.n_calls} calls to the budget, {rest.n_calls} for the rest, {sum(map(bool, first.translations))} lines translated")

    write_review(review(db=folder / "t.db"), folder / "review.tsv")
    lines = [item.sentence for item in first.items]
    edit(folder / "review.tsv", dict(zip(lines, references, strict=True)))
    taken = take_edits(folder / "review.tsv", db=folder / "t.db")
    added = add_edits(folder / "selvan.corpus", taken.runs, db=folder / "t.db")
    print(f"{taken.n_edited} edited; the corpus has {added.n_new} new lines of {added.n_lines}")

    second = translate(folder, CopiesTheFirstExample())
    by_person = [was for was, taken_now in enumerate(second.from_memory) if taken_now]
    print(f"{len(by_person)} lines taken from the edits without a call")
    for what, chosen in (("edited", by_person), ("other", [at for at in range(N_LINES) if at not in by_person])):
        before, after = ([made.translations[at] for at in chosen] for made in (first, second))
        right = [references[at] for at in chosen]
        print(f"chrF++ of the {len(chosen)} {what} lines: {score(before, right).chrf:.1f}, then {score(after, right).chrf:.1f}")
    with reasoner.Store.read(folder / "t.db") as store:
        tally = export(store, "dpo", folder / "edits.jsonl")
    print(f"{tally.taken} preferences of edited over machine")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        translate(Path(sys.argv[1]), CopiesTheFirstExample(int(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
