"""`reasoner review` and `corpus add` on the command line: to a file, back, into a corpus, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from forks import Forks

TRAIN = "English\tSelvan\nThe river sleeps.\tMeris tudasas.\nThe woman sees the river.\tLebr merisem dagusas.\n"


@pytest.fixture
def folder(tmp_path: Path, forks: Forks) -> Path:
    (tmp_path / "train.tsv").write_text(TRAIN)
    (tmp_path / "text.txt").write_text("The woman sleeps.\nThe woman xyzzy the river.\n")
    for words in (
        "corpus build x.corpus train.tsv -l English -l Selvan",
        "translate text.txt --from English --to Selvan --corpus x.corpus --model teacher --db t.db --out a.txt",
    ):
        done = forks.run(words.split(), cwd=tmp_path)
        assert done.code == 0, done.err
    return tmp_path


def test_a_review_goes_out_and_comes_back_and_the_next_pass_has_it(folder: Path, forks: Forks) -> None:
    shown = forks.run(["review", "--db", "t.db"], cwd=folder)
    assert shown.code == 0
    assert shown.out.index("xyzzy the river") < shown.out.index("The woman sleeps.")
    assert "no example has: xyzzy" in shown.out
    assert forks.run(["review", "--db", "t.db", "--out", "r.tsv"], cwd=folder).code == 0
    with (folder / "r.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rows[0]["edited"] = "Lebr xyzim merisem."
    with (folder / "r.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    taken = forks.run(["review", "--take", "r.tsv", "--corpus", "x.corpus", "--db", "t.db", "--json"], cwd=folder)
    facts = json.loads(taken.out)
    assert (facts["edited"], facts["confirmed"], facts["left"]) == (1, 0, [])
    assert facts["corpus"] == {"new": 1, "replaced": 0, "known": 0, "lines": 3}
    line = "translate text.txt --from English --to Selvan --corpus x.corpus --model teacher --db t.db --out b.txt"
    again = forks.run(line.split(), cwd=folder)
    assert "1 of 2 stand in the corpus" in again.err
    assert (folder / "b.txt").read_text().splitlines()[1] == "Lebr xyzim merisem."
    added = forks.run(["corpus", "add", "x.corpus", "--run", facts["runs"][0], "--db", "t.db"], cwd=folder)
    assert "0 new, 0 replaced, 1 there already" in added.out
    listed = json.loads(forks.run(["review", facts["runs"][0], "--db", "t.db", "--json"], cwd=folder).out)
    assert listed["rows"][0]["edited"] == "Lebr xyzim merisem."


def test_corrected_lines_of_a_file_are_added(folder: Path, forks: Forks) -> None:
    (folder / "new.tsv").write_text("English\tSelvan\nThe river sleeps.\tBetter.\n\tx\n")
    done = forks.run(["corpus", "add", "x.corpus", "new.tsv"], cwd=folder)
    assert done.code == 0, done.err
    assert "1 new" in done.out
    assert "empty side" in done.err
    found = json.loads(forks.run(["corpus", "search", "x.corpus", "The river sleeps.", "--json"], cwd=folder).out)
    assert found["matches"][0]["target"] == "Better."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("review nobody --db t.db", "unknown run"),
        ("review --db t.db --corpus x.corpus", "--take"),
        ("review last --db t.db --take text.txt --out r.tsv", "leave RUN and --out out"),
        ("review --db t.db --take text.txt", "no review file"),
        ("review --db t.db --take none.tsv", "none.tsv"),
        ("review --db t.db --out r.docx", "no review file"),
        ("corpus add x.corpus", "--run"),
        ("corpus add x.corpus train.tsv --run last --db t.db", "--run"),
        ("corpus add x.corpus --run last --db t.db", "no edit to add"),
        ("corpus add none.corpus train.tsv -l English -l Selvan", "none.corpus"),
        ("corpus add x.corpus train.tsv -l English -l Klingon", "Klingon"),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, forks: Forks, words: str, said: str) -> None:
    done = forks.run(words.split(), cwd=folder)
    assert done.code in {2, 4, 5}, done
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
