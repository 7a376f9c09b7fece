"""Post-editing: what comes first, what a review file holds, what is taken from it and what is left, and that the next pass uses the edits."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.api.review import COLUMNS, Review, add_edits, review, take_edits, write_review
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.errors import BadConfig, UnknownName
from reasoner.store import Store
from reasoner.translation.build import Builder
from reasoner.types import Request

SAID = {
    "Dogs run fast": "Answer: I cians cor",
    "Cats run {1}": "Answer: I giac cor",
    "Nobody sleeps here": "I'm sorry, I cannot translate this.",
    "The whole sentence stays": "Answer: The whole sentence stays",
    "Known words run": "So: pairs.\nAnswer: =cor",
}
TEXTS = [*SAID, "In the corpus"]


def reply(request: Request) -> str:
    return next(said for sentence, said in SAID.items() if sentence in request.messages[-1].content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Builder(("English", "Ladin"), folder=tmp_path) as builder:
        for line in (("In the corpus", "Tl corpus"), ("known words run", "parores cor"), ("dogs run", "cians cor")):
            builder.add(line)
        builder.write(tmp_path / "t.corpus")
    translate(tmp_path)
    return tmp_path


def translate(folder: Path) -> reasoner.Translated:
    strategy = f"fragment_shot:corpus={folder / 't.corpus'}"
    client = ScriptedClient(reply)
    return reasoner.translate(TEXTS, source="English", target="Ladin", strategy=strategy, model=client, db=folder / "t.db")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def fill(path: Path, edits: dict[str, str], **changes: str) -> None:
    rows = [row | {"edited": edits.get(row["source"], "")} | changes for row in rows_of(path)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def written(folder: Path) -> Path:
    write_review(review(db=folder / "t.db"), folder / "r.tsv")
    return folder / "r.tsv"


def test_the_worst_comes_first_with_its_reason(folder: Path) -> None:
    rows = review(db=folder / "t.db").rows
    assert [row.sentence for row in rows] == [
        "Nobody sleeps here", "The whole sentence stays", "Cats run {1}", "Dogs run fast", "Known words run", "In the corpus",
    ]  # fmt: skip
    assert [row.gravity for row in rows] == [0, 1, 2, 3, 3, 4]
    assert rows[0].translation == ""
    assert rows[0].why[0] == "the model refused"
    assert rows[1].why[0] == "a copy of the source"
    assert rows[2].why[0] == "{1} is missing"
    assert rows[3].unknown == ("fast",)
    assert rows[3].coverage == pytest.approx(2 / 3)
    assert rows[5].why == ("it stood in the corpus",)


def test_a_review_file_goes_through_a_spreadsheet(folder: Path) -> None:
    path = written(folder)
    rows = rows_of(path)
    assert tuple(rows[0]) == COLUMNS
    formula = next(row for row in rows if row["source"] == "Known words run")
    assert formula["translation"] == "'=cor", "a spreadsheet would take it for a formula"
    fill(path, {"Known words run": "'=cor", "Dogs run fast": 'I "cians" cor, trop', "Nobody sleeps here": "'-dut"})
    taken = take_edits(path, db=folder / "t.db")
    assert (taken.n_edited, taken.n_confirmed, taken.left) == (2, 1, ())
    edited = {row.sentence: row.edited for row in review(db=folder / "t.db").rows if row.edited}
    assert edited == {"Known words run": "=cor", "Dogs run fast": 'I "cians" cor, trop', "Nobody sleeps here": "-dut"}
    again = take_edits(written(folder), db=folder / "t.db")
    assert (again.n_edited, again.n_confirmed) == (2, 1), "a review that is written again holds the edits"


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl", "r.tsv"])
def test_every_form_of_the_file_comes_back(folder: Path, name: str) -> None:
    made = review(db=folder / "t.db")
    write_review(made, folder / name)
    if name == "r.jsonl":
        rows = [json.loads(line) | {"edited": "'=x"} for line in (folder / name).read_text().splitlines()]
        (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        wanted = "'=x"
    else:
        with (folder / name).open(newline="") as file:
            cells = list(csv.reader(file, delimiter="," if name == "r.csv" else "\t"))
        with (folder / name).open("w", newline="") as file:
            # A spreadsheet of half of Europe saves semicolons.
            writer = csv.writer(file, delimiter=";" if name == "r.csv" else "\t")
            writer.writerows([cells[0], *([*row[:3], "''=x", *row[4:]] for row in cells[1:])])
        wanted = "'=x"
    assert take_edits(folder / name, db=folder / "t.db").n_edited == len(TEXTS)
    assert {row.edited for row in review(db=folder / "t.db").rows} == {wanted}


def test_rows_that_do_not_fit_are_told_and_the_rest_is_taken(folder: Path) -> None:
    path = written(folder)
    rows = rows_of(path)
    for row in rows:
        row["edited"] = "x"
    rows[0]["id"], rows[1]["id"] = rows[1]["id"], rows[0]["id"]
    rows[2]["id"] = "nobody"
    rows[3]["edited"] = "y" * 40_001
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    taken = take_edits(path, db=folder / "t.db")
    assert (taken.n_edited, len(taken.left)) == (2, 4)
    assert sum("is not a translation of" in what for what in taken.left) == 2, "columns that were sorted apart"


def test_what_is_no_review_file_is_refused(folder: Path) -> None:
    (folder / "x.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(BadConfig, match="no columns id and edited"):
        take_edits(folder / "x.tsv", db=folder / "t.db")
    with pytest.raises(BadConfig, match="no review file"):
        take_edits(folder / "x.txt", db=folder / "t.db")
    with pytest.raises(BadConfig, match="no review file"):
        write_review(Review("a", ()), folder / "x.xlsx")
    with pytest.raises(UnknownName):
        review("nobody", db=folder / "t.db")
    with pytest.raises(BadConfig, match="no edit"):
        add_edits(folder / "t.corpus", ["last"], db=folder / "t.db")
    reasoner.bench("game24", strategy="cot", model="teacher", n=1, db=folder / "t.db")
    assert review("last", db=folder / "t.db").rows, "the newest run with translations, not the newest"


def test_the_next_pass_uses_the_edits(folder: Path) -> None:
    path = written(folder)
    fill(path, {"Dogs run fast": "I cians cor debota", "Known words run": "Les parores cor"})
    taken = take_edits(path, db=folder / "t.db")
    added = add_edits(folder / "t.corpus", taken.runs, db=folder / "t.db")
    assert (added.n_new, added.n_lines) == (2, 5)
    again = translate(folder)
    by_sentence = dict(zip(TEXTS, zip(again.translations, again.from_memory, strict=True), strict=True))
    assert by_sentence["Dogs run fast"] == ("I cians cor debota", True)
    assert by_sentence["Known words run"] == ("Les parores cor", True)
    assert by_sentence["Cats run {1}"][1] is False
    with Store.read(folder / "t.db") as store:
        (asked,) = store.tuples(
            "SELECT m.content FROM calls c JOIN trajectories t ON t.id = c.trajectory_id JOIN contexts x ON x.id = c.context_id"
            " JOIN messages m ON m.id = x.message_id WHERE t.run_id = ? AND m.content LIKE '%Cats run%'",
            (again.report.run_id,),
        )[0]
    assert "cor debota" in asked, "an edit is an example of other sentences"


def test_edits_are_preferences_and_come_back_from_an_export(folder: Path) -> None:
    path = written(folder)
    edits = {"Known words run": "Les parores cor", "Dogs run fast": "I cians cor", "In the corpus": "Tl gran corpus"}
    fill(path, edits | {"Nobody sleeps here": "Degun dorm"})
    take_edits(path, db=folder / "t.db")

    def rows(db: Path, name: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
        with Store.open(db) as store:
            tally = export(store, "dpo", folder / name)
        text = (folder / name).read_text("utf-8") if (folder / name).exists() else ""
        return [json.loads(line) for line in text.splitlines()], tally.left_out

    (made,), left = rows(folder / "t.db", "a.jsonl")
    assert made["chosen"][0]["content"] == "So: pairs.\nAnswer: Les parores cor"
    assert made["rejected"][0]["content"] == "So: pairs.\nAnswer: =cor"
    assert "Known words run" in made["prompt"][0]["content"]
    assert made["lineage"]["labels_from"] == "edits"
    assert left["a person found the answer right as it is"] == 1
    assert left["a person edited what no call had made"] == 1
    assert left["a person's edit stands against no translation"] == 1
    with Store.open(folder / "u.db") as other:
        read_path(other, folder / "a.jsonl")
    rows(folder / "u.db", "b.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()
