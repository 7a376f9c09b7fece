"""Normalisations beyond form: clitics by language, lemmas and learned stems, near words, scripts without blanks; each against a search of all lines."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from reasoner.errors import BadConfig, DataError
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.cover import Cover
from reasoner.translation.glossary import terms
from reasoner.translation.index import MIN_NEAR, NEAR_SHARE, Index
from reasoner.translation.ingest import ingest
from reasoner.translation.normalise import Normalisation, check, language_of, words
from reasoner.translation.stems import Stems

TRAIN = Path(__file__).parents[2] / "corpora" / "invented" / "train.tsv"
LATER: tuple[Normalisation, ...] = ("paper-1.0", "clitics", "lemma", "subword", "characters")


def index_of(lines: list[tuple[str, str]], normalisation: Normalisation, languages: tuple[str, str] = ("Selvan", "English")) -> Index:
    builder = Builder(languages, normalisation=normalisation)
    for line in lines:
        builder.add(line)
    return Index.of_bytes(builder.in_memory(), "made")


@pytest.mark.parametrize(
    ("language", "text", "cut"),
    [
        ("Ligurian", "Pe-o mâ, l’à visto", "pe o mâ l' à visto"),
        ("lij", "piggiâlo e dîghe", "piggiâ lo e dîghe"),
        ("Italian", "vederlo, parlo e Carlo; dell'acqua", "veder lo parlo e carlo dell' acqua"),
        ("Italiano", "portandoglielo est-ovest", "portando glielo est-ovest"),
        ("Fassa Ladin", "l’é vegnù, va-te", "l' é vegnù va te"),
        ("Ladin (Val Badia)", "tlamer-la cherderla", "tlamer la cherder la"),
        ("Romansh", "L'aua n'è, hai-la", "l' aua n' è hai la"),
        ("Friulian", "ch'al viodilu doprilis", "ch' al viodi lu dopri lis"),
        ("Sardinian", "s’abba, narat-mi, faghendelu; narat·si", "s' abba narat mi faghende lu narat si"),
        ("Klingon", "pe-o l'a", "pe-o l' a"),
        ("", "vederlo", "vederlo"),
    ],
)
def test_clitics_are_cut_by_the_rules_of_the_language(language: str, text: str, cut: str) -> None:
    assert words(text, "clitics", language) == cut.split()
    assert words(text, "full", language) == words(text, "full")


def test_every_language_has_rules_by_its_names_and_others_have_none() -> None:
    for name in (
        "Italian",
        "ita",
        "it",
        "LIGURIAN",
        "lij",
        "Ladin",
        "lld",
        "Romansh",
        "roh",
        "Friulian",
        "fur",
        "Sardinian",
        "srd",
        "lld_valbadia",
    ):
        assert language_of(name) is not None, name
    for name in ("", "English", "Selvan", "item", "it works", "(", "sc fi"):
        assert language_of(name) is None, name


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("我喜欢喝茶。", "我 喜 欢 喝 茶"),
        ("東京へ行く！", "東 京 へ 行 く"),
        ("ฉันรัก", "ฉ ั น ร ั ก"),
        ("Tokyo 東京 Tower", "tokyo 東 京 tower"),
        ("l'aga", "l' aga"),
        ("か\u3099", "が"),
    ],
)
def test_every_character_of_a_script_without_blanks_is_a_word(text: str, cut: str) -> None:
    assert words(text, "characters") == cut.split()


def test_the_same_words_whatever_the_case_as_the_package_has_it_since_1_0() -> None:
    corpus = Corpus(index_of([("Il cane corre", "a"), ("IL GATTO", "b")], "paper-1.0"))
    for sentence in ("il cane", "IL CANE.", "Il, Cane"):
        assert corpus.cover(sentence, source="Selvan", target="English").coverage == 1.0
    assert words("«Roma», L’aga", "paper-1.0") == ["«roma»", "l’aga"]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadConfig) as refused:
        check("best")
    assert all(name in (refused.value.hint or "") for name in LATER)


# --- stems


def test_the_forms_of_a_paradigm_share_a_stem_and_others_do_not() -> None:
    rng = random.Random(2)
    consonants, vowels = "bcdfgklmnprstv", "aeiou"
    stems = list({"".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(2)) + rng.choice(consonants) for _ in range(120)})
    endings = ["o", "i", "a", "ava", "eremo"]
    forms = [stem + ending for stem in stems for ending in endings if rng.random() < 0.8]
    learned = Stems.learned(forms)
    by_stem = {stem: {learned.of(stem + ending) for ending in endings if stem + ending in forms} for stem in stems}
    assert sum(len(found) <= 1 for found in by_stem.values()) >= 0.95 * len(stems)
    labels = [next(iter(found)) for found in by_stem.values() if found]
    assert len(set(labels)) >= 0.97 * len(labels), "different stems stay apart"
    assert Stems.learned(reversed(forms)) == learned
    assert Stems.from_json(learned.to_json(), "x") == learned
    unseen = next(stem for stem in stems if f"{stem}eremo" not in forms and len([e for e in endings if stem + e in forms]) >= 3)
    assert learned.of(f"{unseen}eremo") in by_stem[unseen], "a form that was never read"


def test_nothing_is_learned_of_few_words_and_short_ones_stay() -> None:
    assert Stems.learned(["casa", "case", "caso"]).of("casa") == "casa"
    learned = Stems.learned([a + b for a in ("cant", "port", "am", "salt", "mang", "parl", "gioc") for b in ("o", "i", "a", "e")])
    assert learned.of("canto") == learned.of("canti") == "cant-"
    assert learned.of("di") == "di"
    assert learned.of("x2") == "x2"


def test_lemmas_of_a_language_of_simplemma(tmp_path: Path) -> None:
    lines = [("I cani dormono.", "a"), ("Vedo la casa bella", "b")]
    corpus = Corpus(index_of(lines, "lemma", ("Italian", "English")))
    cover = corpus.cover("il cane dorme, case belle", source="Italian", target="English")
    assert "cane" not in cover.unknown
    assert [pair.target for fragment in cover.fragments if "cane" in fragment.words for pair in fragment.pairs] == ["a"]
    assert cover.words == ("il", "cane", "dorme", "case", "belle"), "the sentence is shown as it is written"
    with Builder(("Italian", "English"), normalisation="lemma", folder=tmp_path) as builder:
        builder.add(lines[0])
        builder.write(tmp_path / "l.corpus")
    data = (tmp_path / "l.corpus").read_bytes()
    at = data.index(b'"simplemma": "') + len(b'"simplemma": "')
    (tmp_path / "l.corpus").write_bytes(data[:at] + b"9" + data[at + 1 :])
    with pytest.raises(DataError, match="simplemma 9"):
        Index.open(tmp_path / "l.corpus")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"endings": 3, "beginnings": [], "lemmas": ""}', b"\xff"])
def test_damaged_stems_are_told(data: bytes) -> None:
    with pytest.raises(DataError, match="damaged"):
        Stems.from_json(data, "x")


# --- the index against a search of all lines


def brute(lines: list[list[str]], query: list[str], window: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Cut a query of labels as published; return the fragments as (start, length) and the places of unknown words."""
    known = {tuple(line[at : at + n]) for line in lines for n in range(1, window + 1) for at in range(len(line) - n + 1)}
    taken, found = [False] * len(query), []
    for n in range(min(window, len(query)), 0, -1):
        for at in range(len(query) - n + 1):
            if not any(taken[at : at + n]) and tuple(query[at : at + n]) in known:
                taken[at : at + n] = [True] * n
                found.append((at, n))
    return sorted(found), [at for at, is_taken in enumerate(taken) if not is_taken]


def labels_of(index: Index, normalisation: Normalisation, vocabulary: set[str]) -> Callable[[str], str]:
    if normalisation == "lemma":
        return Stems.learned(vocabulary).of
    if normalisation != "subword":
        return str

    def nearest(word: str) -> str:
        if word in vocabulary:
            return word

        def same(other: str) -> int:
            return sum(1 for _ in itertools.takewhile(lambda both: both[0] == both[1], zip(word, other, strict=False)))

        near = index.side("Selvan").number(word)
        if not near:
            most = max(map(same, vocabulary))
            longest = [other for other in vocabulary if same(other) == most]
            assert any(most < max(MIN_NEAR, NEAR_SHARE * max(len(word), len(other))) for other in longest)
            return ""
        found = index.side("Selvan").word(near)
        assert same(found) == max(map(same, vocabulary))
        assert same(found) >= max(MIN_NEAR, NEAR_SHARE * max(len(word), len(found)))
        return found

    return nearest


@pytest.mark.parametrize("normalisation", LATER)
def test_brute_force_agrees(normalisation: Normalisation) -> None:
    rows = [line.split("\t")[1::-1] for line in TRAIN.read_text(encoding="utf-8").splitlines()[1:1001]]
    train, test = [(row[0], row[1]) for row in rows[:700]], rows[700:850]
    index = index_of(train, normalisation)
    cut = [words(line[0], normalisation, "Selvan") for line in train]
    vocabulary = {word for line in cut for word in line}
    label = labels_of(index, normalisation, vocabulary)
    labelled = [[label(word) for word in line] for line in cut]
    corpus = Corpus(index)
    n_beyond = 0
    for row in test:
        sentence = row[0]
        cover: Cover = corpus.cover(sentence, source="Selvan", target="English", leave_out=False)
        query = words(sentence, normalisation, "Selvan")
        found, unknown = brute(labelled, [label(word) for word in query], 7)
        assert [(fragment.start, len(fragment.words)) for fragment in cover.fragments] == found, sentence
        assert list(cover.unknown) == [query[at] for at in unknown]
        n_beyond += sum(word not in vocabulary for word in query) > len(unknown)
    assert bool(n_beyond) == (normalisation in {"lemma", "subword"}), "words that no line has are found by their stem or beginning"


@pytest.mark.parametrize("normalisation", LATER)
def test_a_file_is_what_memory_holds_and_keeps_its_normalisation(normalisation: Normalisation, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("Italian\tLigurian\nVederlo in mare\tVedilo pe-o mâ\nI cani\tI chen\n")
    columns = {"Italian": "Italian", "Ligurian": "Ligurian"}
    ingest(tmp_path / "a.tsv", tmp_path / "a.corpus", columns=columns, normalisation=normalisation)
    ingest(tmp_path / "a.tsv", tmp_path / "a.corpus", columns=columns, add=True)
    index = Index.open(tmp_path / "a.corpus")
    assert (index.normalisation, index.n_lines) == (normalisation, 4)
    assert (b"0.stems" in (tmp_path / "a.corpus").read_bytes()) == (normalisation == "lemma")
    assert Corpus(index).cover("o mâ", source="Ligurian", target="Italian").coverage == (
        1.0 if normalisation in {"clitics", "lemma", "subword"} else 0.5
    )


def test_a_term_is_found_by_its_lemma() -> None:
    glossary = Corpus(index_of([("cane", "dog")], "lemma", ("Italian", "English")))
    assert [term.targets for term in terms(glossary, "I cani dormono", source="Italian", target="English")] == [("dog",)]


def test_the_sentence_itself_is_left_out_for_every_method_also_by_its_lemma() -> None:
    corpus = Corpus(index_of([("i cani dormono", "a"), ("il cane dorme", "b"), ("un gatto dorme", "c")], "lemma", ("Italian", "English")))
    for method in ("random", "bm25", "ngram"):
        found = corpus.similar("i cani dormono", source="Italian", target="English", method=method, n=9)
        assert "a" not in [pair.target for pair in found]
        assert "c" in [pair.target for pair in found]
