"""Text files by sentences: 30 of them through a translation; what lies between sentences stays to the byte, and every sentence goes where it stood."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from reasoner.api.documents import translate_document
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, CorruptRecord, MissingDependency
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.documents._spans import Document

SENTENCES = [
    "The river sleeps.", "Where does Dr. Hill live?", "“Ben!” he said.", "It is 3.14, no more.", "See https://a.example/b?c=d now.", "no end",
    "Open %s or <b>it</b>.", "L'é dut.", "你好。",
]  # fmt: skip
GAPS = [" ", "  ", "\t", "\u00a0"]


def opened(path: Path, language: str = "English") -> Document:
    return open_document(path, source=language, target="Ladin", sentences=True)


def make(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randint(1, 12)):
        chosen = rng.choices(SENTENCES, k=rng.randint(0, 4))
        lines.append(rng.choice(["", "  ", "\t"]) + "".join(each + rng.choice(GAPS) for each in chosen))
    return rng.choice(["", "\ufeff"]) + rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n"])


@pytest.mark.parametrize("seed", range(30))
def test_what_is_between_sentences_stays(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    text = make(rng)
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    document = opened(path)
    assert document.written({}) == text.encode()
    units = document.units
    said = [document.put_back(number, unit.text)[0] for number, unit in enumerate(units)]
    assert "".join("".join(said).split()) == "".join(text.replace("\ufeff", "").split()), "units are the text, in its order"
    translations = {n: f"⟦{n}⟧" + "".join(f"{{{at}}}" for at in range(1, len(unit.spans) + 1)) for n, unit in enumerate(units)}
    chosen = [number for number in range(len(units)) if rng.random() < 0.5]
    made = document.written({number: Filled(translations[number]) for number in chosen}).decode()
    wanted, at = "", 0
    for number in range(len(units)):
        place = re.compile(r"\s+".join(map(re.escape, said[number].split()))).search(text, at)
        assert place is not None, "the units are in the file, in order"
        wanted += text[at : place.start()] + (document.put_back(number, translations[number])[0] if number in chosen else place[0])
        at = place.end()
    assert made == wanted + text[at:], "what is not translated stands as it stood, blanks included"


def test_sentences_are_found_with_abbreviations_and_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Il sig. Rossi è qui. Dove vai?  Ciao\tmondo!\n\n12 - 34\nOpen %s now. no end")
    document = opened(tmp_path / "a.txt", "Italian")
    assert [(unit.line, unit.text) for unit in document.units] == [
        (1, "Il sig. Rossi è qui."), (1, "Dove vai?"), (1, "Ciao mondo!"), (4, "Open {1} now."), (4, "no end"),
    ]  # fmt: skip
    assert document.written({1: Filled("Ulà vas?")}).decode().startswith("Il sig. Rossi è qui. Ulà vas?  Ciao\tmondo!\n\n12")


def test_a_text_goes_through_a_run(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The river sleeps. Go on.\r\n\r\nThe end.\n")
    settings: dict[str, Any] = {"source": "English", "target": "Ladin", "sentences": True, "strategy": "example_shot:method=none"}
    client = ScriptedClient(lambda request: "Answer: Va inant." if "Go on" in request.messages[-1].content else "Answer: Zeche auter.")
    made = translate_document(tmp_path / "a.txt", **settings, model=client, db=tmp_path / "t.db")
    assert made.data == b"Zeche auter. Va inant.\r\n\r\nZeche auter.\n"
    assert (made.n_filled, made.left) == (3, ())


def test_what_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"a.\n\xc3\xa8 \xff")
    with pytest.raises(CorruptRecord, match=r"line 2.*UTF-8"):
        opened(tmp_path / "a.txt")
    with pytest.raises(BadConfig, match="not known"):
        open_document(tmp_path / "a.txt", source="English", target="Ladin")
    (tmp_path / "a.txt").write_text("A long one.\n" + "x" * ((1 << 20) + 1))
    assert len(opened(tmp_path / "a.txt").units) == 1
    assert "characters" in opened(tmp_path / "a.txt").left[0]
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(MissingDependency, match=r"sentencex.*translation"):
        opened(tmp_path / "a.txt")
