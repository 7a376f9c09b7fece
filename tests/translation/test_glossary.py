"""Glossaries: which terms a sentence has, whether a translation keeps to them, and what the model is shown; TBX of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, CorruptRecord
from reasoner.runs.results import Result
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.glossary import Term, missed, terms
from reasoner.translation.index import Index
from reasoner.translation.normalise import Normalisation
from reasoner.translation.readers import read_tbx
from reasoner.translation.rows import Report, Wanted, checked

LINES = [("river", "meris"), ("river", "merim"), ("river bank", "rua"), ("Keaton", "Keaton"), ("à la carte", "a carte"), ("bank", "bancia")]


def glossary(folder: Path | None = None, normalisation: Normalisation = "full") -> Builder:
    builder = Builder(("English", "Selvan"), normalisation=normalisation, folder=folder)
    for line in LINES:
        builder.add(line)
    return builder


@pytest.fixture
def opened() -> Corpus:
    return Corpus(Index.of_bytes(glossary().in_memory(), "g"))


def found(opened: Corpus, sentence: str) -> list[str]:
    return [term.source for term in terms(opened, sentence, source="English", target="Selvan")]


def test_the_longer_term_counts_then_the_one_further_left_and_each_once(opened: Corpus) -> None:
    assert found(opened, "The RIVER and the river bank, the bank: the river.") == ["river", "river bank", "bank"]
    assert found(opened, "A river-bank, rivers") == [], "another word is another term"
    assert found(opened, "") == []
    (term,) = terms(opened, "the river", source="English", target="Selvan")
    assert (term.targets, term.stays) == (("meris", "merim"), False)
    assert terms(opened, "Keaton", source="English", target="Selvan")[0].stays
    assert [each.source for each in terms(opened, "Keaton bancia", source="Selvan", target="English")] == ["Keaton", "bancia"]
    with pytest.raises(BadConfig, match="Klingon"):
        terms(opened, "x", source="Klingon", target="Selvan")


@pytest.mark.parametrize(
    ("translation", "lacking"),
    [("Meris sokl", []), ("sokl MERIM.", []), ("merisos", ["river"]), ("", ["river"]), ("me ris", ["river"]), ("«meris»", [])],
)
def test_any_form_will_do_as_words_of_their_own(translation: str, lacking: list[str]) -> None:
    made = missed([Term("river", ("meris", "merim"))], translation, "full")
    assert [term.source for term in made] == lacking
    assert bool(missed([Term("Open", ("Apri", "à la carte"))], "menu A\u0300 la carte", "full")) is False


@pytest.mark.parametrize("strategy", ["fragment_shot", "fragment_shot:reply=line", "example_shot:method=bm25", "example_shot:method=none"])
def test_terms_are_shown_and_what_the_answer_lacks_is_measured(tmp_path: Path, strategy: str) -> None:
    with glossary(tmp_path) as builder:
        builder.write(tmp_path / "g.corpus")
    strategy += f"{',' if ':' in strategy else ':'}glossary={tmp_path / 'g.corpus'}"

    def run(line: str, reply: str) -> tuple[str, Result]:
        client = ScriptedClient(lambda _: reply)
        made = reasoner.solve("translation", line, strategy=strategy, model=client, db=tmp_path / f"{len(reply)}.db")
        return client.requests[0].messages[-1].content, made

    prompt, made = run("English>Selvan: Keaton sees the river. ||| x", "I think: bank.\nAnswer: Keaton merisem dagusas.")
    assert "Use these terms:\n\n- Keaton: stays as it is\n- river: meris or merim\n\n" in prompt
    assert made.verdict is not None
    assert (made.verdict.metrics["terms"], made.verdict.metrics["terms_missed"]) == (2, 1)
    assert made.trajectory is not None
    (note,) = [thought for thought in made.trajectory.thoughts() if thought.role.endswith("/glossary")]
    assert made.trajectory.mark_of(note).state["missed"] == ["river"]
    prompt, made = run("English>Selvan: The dog sleeps. ||| x", "Answer: y")
    assert "terms" not in prompt
    assert made.verdict is not None
    assert "terms" not in made.verdict.metrics


def test_another_glossary_is_another_run(tmp_path: Path) -> None:
    ids = []
    for extra in ((), (("dog", "ga"),)):
        with glossary(tmp_path) as builder:
            for term in extra:
                builder.add(term)
            builder.write(tmp_path / "g.corpus")
        strategy = f"fragment_shot:glossary={tmp_path / 'g.corpus'}"
        line = "English>Selvan: The river sleeps. ||| x"
        ids.append(reasoner.solve("translation", line, strategy=strategy, model=ScriptedClient(["x"]), db=tmp_path / "t.db").run_id)
    assert ids[0] != ids[1]


TBX_2 = """<?xml version="1.0"?><martif type="TBX"><text><body>
<termEntry id="1"><langSet xml:lang="en-GB"><tig><term>river</term></tig></langSet><langSet xml:lang="it"><tig><term>fiume</term></tig>
<tig><term>corso
 d'acqua</term></tig></langSet></termEntry>
<termEntry id="2"><langSet xml:lang="en"><tig><term>lost</term></tig></langSet></termEntry></body></text></martif>"""
TBX_3 = """<tbx type="TBX-Basic" xmlns="urn:iso:std:iso:30042:ed-2"><text><body><conceptEntry id="1"><langSec xml:lang="it"><termSec><term>fiume</term></termSec>
</langSec><langSec xml:lang="en"><termSec><term>river</term></termSec></langSec><langSec xml:lang="de"><termSec><term>Fluss</term></termSec></langSec></conceptEntry></body></text></tbx>"""


def test_tbx_of_both_versions(tmp_path: Path) -> None:
    (tmp_path / "a.tbx").write_text(TBX_2)
    (tmp_path / "b.tbx").write_text(TBX_3)
    report = Report()
    codes = {"English": "en", "Italian": "it"}
    assert [row.cells for row in checked(read_tbx(tmp_path / "a.tbx", Wanted(codes)), report)] == [
        ("river", "fiume"),
        ("river", "corso d'acqua"),
    ]
    assert [str(fault).partition("line")[2] for fault in report.faults] == [" 5: empty side: no Italian"]
    assert [row.cells for row in checked(read_tbx(tmp_path / "b.tbx", Wanted(codes)), Report())] == [("river", "fiume")]
    (tmp_path / "c.tbx").write_text('<!DOCTYPE x [<!ENTITY a "b">]><tbx/>')
    with pytest.raises(CorruptRecord, match="entities"):
        list(read_tbx(tmp_path / "c.tbx", Wanted(codes)))
    (tmp_path / "d.tbx").write_text("<tbx>")
    with pytest.raises(CorruptRecord, match="XML"):
        list(read_tbx(tmp_path / "d.tbx", Wanted(codes)))
