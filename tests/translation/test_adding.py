"""Preferred lines: they come first in the memory and among examples, replace each other, outlive further building, and change nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reasoner.errors import BadConfig, DataError
from reasoner.translation.adding import Added, add_preferred
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.index import Index
from reasoner.translation.ingest import ingest

LANGUAGES = ("English", "Selvan", "Torvic")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Builder(LANGUAGES, folder=tmp_path) as builder:
        for n in range(300):
            builder.add((f"the dog {n % 290}", f"s{n}", f"t{n}"))
        builder.write(tmp_path / "a.corpus")
    return tmp_path / "a.corpus"


def corpus(path: Path) -> Corpus:
    return Corpus(Index.open(path))


def add(path: Path, *lines: dict[str, str], source: str = "English") -> Added:
    return add_preferred(path, lines, source=source)


@pytest.mark.parametrize("ranking", ["shuffle", "shortest", "similar", "diverse"])
def test_an_edit_is_the_first_example_and_the_first_match(path: Path, ranking: str) -> None:
    add(path, {"English": "the dog 3", "Selvan": "better"}, {"English": "the old dog 3", "Selvan": "old"})
    found = corpus(path)
    best, second, *_ = found.matches("the dog 3", source="English", target="Selvan")
    assert (best.pair.target, best.is_preferred, best.score) == ("better", True, 100.0)
    assert (second.pair.target, second.is_preferred) == ("s3", False), "it had two lines, and the edit one"
    cover = found.cover("the dog", source="English", target="Selvan", ranking=ranking, k=3)  # type: ignore[arg-type]
    assert [fragment.text for fragment in cover.fragments] == ["the dog"]
    assert cover.fragments[0].pairs[0].target == "better"
    few = found.cover("old dog", source="English", target="Selvan", ranking=ranking, k=3)  # type: ignore[arg-type]
    assert few.fragments[0].pairs[0].target == "old"


def test_of_matches_that_are_as_like_the_edit_comes_first(path: Path) -> None:
    add(path, {"English": "the dog 7", "Selvan": "better"})
    first = corpus(path).matches("the dog x", source="English", target="Selvan", least=60)[0]
    assert first.pair.target == "better"


def test_the_newest_edit_comes_first(path: Path) -> None:
    add(path, {"English": "the dog a", "Selvan": "one"})
    add(path, {"English": "the dog b", "Selvan": "two"})
    cover = corpus(path).cover("the dog", source="English", target="Selvan", k=3)
    assert [pair.target for pair in cover.fragments[0].pairs[:2]] == ["two", "one"]


def test_an_edit_is_replaced_by_the_next_of_its_sentence_and_known_when_it_is_there(path: Path) -> None:
    assert add(path, {"English": "the dog 3", "Selvan": "one"}) == Added(1, 0, 0, 301)
    assert add(path, {"English": "the  dog 3", "Selvan": "two"}, {"English": "new", "Selvan": "n"}) == Added(1, 1, 0, 302)
    before = path.read_bytes()
    assert add(path, {"English": "the  dog 3", "Selvan": "two"}) == Added(0, 0, 1, 302)
    assert path.read_bytes() == before
    assert [match.pair.target for match in corpus(path).matches("the dog 3", source="English", target="Selvan", least=100)] == [
        "two",
        "s3",
        "s293",
    ]


def test_a_line_that_lacks_a_language_is_no_example_of_it(path: Path) -> None:
    add(path, {"English": "the dog 3", "Selvan": "better"}, {"English": "unheard of", "Selvan": "x"})
    found = corpus(path)
    assert all(match.pair.target for match in found.matches("the dog 3", source="English", target="Torvic"))
    for ranking in ("shuffle", "shortest"):
        cover = found.cover("the dog 3", source="English", target="Torvic", ranking=ranking, leave_out=False)
        assert all(pair.target for pair in cover.pairs)
    assert found.cover("unheard", source="English", target="Torvic").pairs == ()
    for method in ("random", "bm25", "ngram"):
        assert all(pair.target for pair in found.similar("unheard of", source="English", target="Torvic", method=method, n=400))
    assert all(all(texts) for texts in found.texts("English", "Torvic"))


def test_an_edit_of_the_sentence_itself_is_left_out_where_it_is_scored(path: Path) -> None:
    add(path, {"English": "the dog 3", "Selvan": "better"})
    cover = corpus(path).cover("the dog 3", source="English", target="Selvan", leave_out=True)
    assert "better" not in [pair.target for pair in cover.pairs]


def test_edits_outlive_further_building(path: Path, tmp_path: Path) -> None:
    add(path, {"English": "the dog 3", "Selvan": "better"})
    (tmp_path / "more.tsv").write_text("English\tSelvan\tTorvic\nmore\tm\tn\n")
    ingest(tmp_path / "more.tsv", path, columns={language: language for language in LANGUAGES}, add=True)
    found = corpus(path)
    assert found.index.n_lines == 302
    assert found.matches("the dog 3", source="English", target="Selvan")[0].is_preferred


def test_without_edits_nothing_is_drawn_otherwise_and_the_bytes_are_as_before(path: Path) -> None:
    plain = corpus(path)
    assert not plain.index.preferred
    assert "preferred" not in path.read_bytes().decode("latin-1")
    wanted = plain.cover("the dog", source="English", target="Selvan", seed=3).fragments[0].pairs
    add(path, {"English": "nothing like it", "Selvan": "x"})
    assert corpus(path).cover("the dog", source="English", target="Selvan", seed=3).fragments[0].pairs == wanted


def test_examples_of_edits_agree_with_a_search_of_all_lines(tmp_path: Path) -> None:
    rng = random.Random(5)
    letters = "a b c d e"
    lines = [" ".join(rng.choices(letters.split(), k=rng.randint(2, 6))) for _ in range(800)]
    with Builder(("A", "B"), folder=tmp_path) as builder:
        for n, line in enumerate(lines):
            builder.add((line, f"b{n}"))
        builder.write(tmp_path / "r.corpus")
    edits = list(dict.fromkeys(" ".join(rng.choices(letters.split(), k=5)) for _ in range(30)))
    add_preferred(tmp_path / "r.corpus", [{"A": line, "B": f"e{n}"} for n, line in enumerate(edits)], source="A")
    found = corpus(tmp_path / "r.corpus")
    for length in (1, 2, 3):
        query = " ".join(rng.choices(letters.split(), k=length))
        for fragment in found.cover(query, source="A", target="B", k=20, leave_out=False).fragments:
            holding = [f"e{n}" for n, line in enumerate(edits) if f" {fragment.text} " in f" {line} "]
            assert [pair.target for pair in fragment.pairs if pair.target.startswith("e")] == holding[::-1][:20]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"English": "a", "Klingon": "b"}, "no language"),
        ({"English": "a"}, "another language"),
        ({"Selvan": "a", "Torvic": "b"}, "text of English"),
        ({"English": "a", "Selvan": " "}, "empty"),
        ({"English": "a", "Selvan": "b\nc"}, "not one line"),
        ({"English": "a", "Selvan": "b" * 70_000}, "too long"),
    ],
)
def test_what_cannot_be_a_line_is_refused_and_the_index_stays(path: Path, line: dict[str, str], said: str) -> None:
    before = path.read_bytes()
    with pytest.raises(BadConfig, match=said):
        add(path, line)
    assert path.read_bytes() == before


def test_a_preferred_line_outside_the_index_is_damage(path: Path, tmp_path: Path) -> None:
    add(path, {"English": "the dog 3", "Selvan": "better"})
    data = path.read_bytes()
    spoilt = data.replace((300).to_bytes(4, "little"), (9_999).to_bytes(4, "little"))
    (tmp_path / "spoilt.corpus").write_bytes(spoilt)
    with pytest.raises(DataError):
        Index.open(tmp_path / "spoilt.corpus")
    with pytest.raises(DataError, match="cannot open"):
        add_preferred(tmp_path / "none.corpus", [{"English": "a", "Selvan": "b"}], source="English")
