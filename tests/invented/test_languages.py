"""The invented languages: what ships is what the script makes, every sentence is understood back, and pivoting is real."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reasoner.errors import BadInstance
from reasoner.invented import LANGUAGES, grammar, translate, understand
from reasoner.invented.meaning import Clause, Phrase
from reasoner.translation.library import open_corpus

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "corpora" / "invented"
FILES = ["lexicon.json", "pivot.tsv", "test.tsv", "train.tsv"]


def table(name: str) -> list[dict[str, str]]:
    head, *rows = [line.split("\t") for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "make_invented", "--out", tmp_path], check=True, capture_output=True, timeout=120)
    assert sorted(path.name for path in FOLDER.iterdir()) == FILES
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", FILES)
def test_the_readme_names_the_checksum(name: str) -> None:
    readme = (ROOT / "corpora" / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `invented/([\w.]+)` \| \d+ \| ([0-9a-f]{64}) \|$", readme, re.MULTILINE))
    assert named[name] == hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["train.tsv", "test.tsv", "pivot.tsv"])
def test_every_sentence_says_the_same_in_every_language(name: str) -> None:
    for row in table(name):
        meanings = {understand(sentence, language) for language, sentence in row.items()}
        assert len(meanings) == 1, row


def test_the_rules_translate_every_test_sentence_in_every_direction() -> None:
    for row in table("test.tsv"):
        for source in LANGUAGES:
            for target in LANGUAGES:
                assert translate(row[source], source, target) == row[target]


def test_the_parts_share_no_sentence() -> None:
    seen: set[str] = set()
    for name in ("train.tsv", "pivot.tsv", "test.tsv"):
        sentences = [row["Selvan"] for row in table(name)]
        assert len(set(sentences)) == len(sentences)
        assert not seen & set(sentences)
        seen |= set(sentences)
    assert [len(table(name)) for name in ("train.tsv", "pivot.tsv", "test.tsv")] == [2400, 1600, 300]


def test_there_is_no_direct_way_to_mesrin() -> None:
    assert "Mesrin" not in open_corpus("invented").languages
    assert "English" not in open_corpus("invented-pivot").languages
    assert {"Selvan"} == set(open_corpus("invented").languages) & set(open_corpus("invented-pivot").languages)


def test_grammar_by_hand() -> None:
    clause = Clause(Phrase("woman", "many", "old"), "see", "past", negated=True, object=Phrase("river"))
    said = {language: grammar(language).realise(clause) for language in LANGUAGES}
    assert said["English"] == "The old women did not see the river."
    selvan = said["Selvan"].split()
    assert selvan[0] == "Lebrer"  # lebr-er: front harmony, plural
    assert selvan[-2] == "ne"  # the particle before the verb, which stands last
    assert selvan[-1].endswith("stant.")  # -sta- past in back harmony, -nt third person plural
    assert said["Torvic"].startswith("No")  # the prefix, on the verb, which stands first
    assert said["Torvic"].split()[0].endswith("ashanu")
    assert said["Mesrin"].split()[3] == "mik"


def test_verbs_agree_and_sentences_that_do_not_are_refused() -> None:
    right = grammar("Selvan").realise(Clause(Phrase("dog"), "sleep"))
    wrong = grammar("Selvan").realise(Clause("they", "sleep"))
    with pytest.raises(BadInstance, match="agree"):
        understand(f"{right.split()[0]} {wrong.lower()}", "Selvan")


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("", "English"),
        ("The zebra sleeps.", "English"),
        ("The dog sleeps the river.", "English"),
        ("Xyz.", "Selvan"),
        ("", "Torvic"),
        ("x", "French"),
    ],
)
def test_what_the_rules_do_not_know_is_refused(sentence: str, language: str) -> None:
    with pytest.raises(BadInstance):
        understand(sentence, language)
