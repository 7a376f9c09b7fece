"""Word files: 30 of them through a translation; what is not translated stays to the byte, formats, links and signs are kept, damage is one line."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import pytest
from lxml import etree

from reasoner.errors import BadConfig, CorruptRecord
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.documents._docx import MAX_TAGS
from reasoner.translation.documents._spans import MARKER, Document

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
WORDS = ["river", "old", "map", "&", "<house>", "“quoted”", "naïve", "Ørsted", "don't", "50%", "{1}", "%s"]
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"


def words(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))


def add_link(paragraph: Any, text: str) -> None:
    number = paragraph.part.relate_to("https://example.org", LINK, is_external=True)
    link = etree.SubElement(paragraph.paragraph_format.element, f"{W}hyperlink")
    link.set("{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id", number)
    run = etree.SubElement(link, f"{W}r")
    etree.SubElement(run, f"{W}t").text = text


def fill(paragraph: Any, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        run = paragraph.add_run(words(rng) + " ")
        run.bold, run.italic = rng.random() < 0.3 or None, rng.random() < 0.2 or None
        if rng.random() < 0.2:
            run.add_tab()
        if rng.random() < 0.2:
            run.add_break()
        if rng.random() < 0.2:
            etree.SubElement(paragraph.paragraph_format.element, f"{W}bookmarkStart").set(f"{W}id", "7")
            etree.SubElement(paragraph.paragraph_format.element, f"{W}proofErr").set(f"{W}type", "spellStart")
        if rng.random() < 0.3:
            add_link(paragraph, words(rng))
        if rng.random() < 0.1:
            deleted = etree.SubElement(paragraph.paragraph_format.element, f"{W}del")
            etree.SubElement(etree.SubElement(deleted, f"{W}r"), f"{W}delText").text = "gone"


def make(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    made = docx.Document()
    for _ in range(rng.randint(2, 8)):
        kind = rng.random()
        if kind < 0.2:
            made.add_heading(words(rng), rng.randint(1, 3))
        elif kind < 0.4:
            table = made.add_table(2, 2)
            for cell in (cell for row in table.rows for cell in row.cells):
                fill(cell.paragraphs[0], rng)
        else:
            fill(made.add_paragraph(style=rng.choice([None, "List Bullet"])), rng)
    made.add_paragraph("12 - 34")
    fill(made.sections[0].header.paragraphs[0], rng)
    fill(made.sections[0].footer.paragraphs[0], rng)
    made.save(str(path))


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def paragraphs(data: bytes) -> list[Any]:
    """Return all paragraphs of the parts with text, in the order of the units: the body, then by name."""
    found = [name for name in parts(data) if re.fullmatch(r"word/(document|header\d*|footer\d*)\.xml", name)]
    order = sorted(found, key=lambda name: name != "word/document.xml")
    return [each for name in order for each in etree.fromstring(parts(data)[name]).iter(f"{W}p")]


def letters(paragraph: Any) -> list[tuple[str, str]]:
    """Return the characters of a paragraph, each with its format."""
    made: list[tuple[str, str]] = []
    for run in paragraph.iter(f"{W}r"):
        form = b"".join(etree.tostring(each) for each in run.findall(f"{W}rPr")).decode()
        for child in run:
            text = {"t": child.text or "", "tab": "\t", "br": "\n"}.get(etree.QName(child).localname, "")
            made += [(letter, form) for letter in text]
    return made


def kept(paragraph: Any) -> Counter[str]:
    """Count what is in a paragraph besides runs and their texts."""
    own = {"p", "r", "t", "rPr", "b", "i", "proofErr"}
    return Counter(etree.QName(each).localname for each in paragraph.iter() if etree.QName(each).localname not in own)


def squeezed(made: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave blanks out, which a translation may set otherwise."""
    return [each for each in made if each[0] != " "]


def opened(path: Path) -> Document:
    return open_document(path)


@pytest.mark.parametrize("seed", range(30))
def test_a_file_goes_through_a_translation(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    make(path, seed)
    data, rng = path.read_bytes(), random.Random(seed)
    document = opened(path)
    assert document.written({}) == data
    whole = document.written({number: Filled(unit.text) for number, unit in enumerate(document.units)})
    before, after = paragraphs(data), paragraphs(whole)
    assert [squeezed(letters(p)) for p in before] == [squeezed(letters(p)) for p in after], (
        "a file translated into itself is the same, format for format"
    )
    assert [kept(p) for p in before] == [kept(p) for p in after]

    chosen = {number for number in range(len(document.units)) if rng.random() < 0.5}
    filled = {}
    for number in chosen:
        pieces = MARKER.split(document.units[number].text)
        text = "".join(f"{{{piece}}}" if at % 2 else piece.upper() for at, piece in enumerate(pieces))
        assert document.put_back(number, text)[1], "nothing lacks"
        filled[number] = Filled(text)
    made = document.written(filled)
    docx.Document(io.BytesIO(made))
    unchanged = parts(data)
    assert {name for name, part in parts(made).items() if part != unchanged[name]} <= {
        name for name in unchanged if re.fullmatch(r"word/(document|header\d*|footer\d*)\.xml", name)
    }
    numbers = [document.units[number].line for number in sorted(chosen)]
    assert len(numbers) == len(chosen)
    n_changed = 0
    for one, other in zip(before, paragraphs(made), strict=True):
        if etree.tostring(one) == etree.tostring(other):
            continue
        n_changed += 1
        assert kept(one) == kept(other)
        said = "".join(letter for letter, _ in squeezed(letters(other)))
        assert said.upper() == "".join(letter for letter, _ in squeezed(letters(one))).upper()
    assert n_changed <= len(chosen), "the others stay to the byte"


def test_spans_may_stand_in_any_order_and_what_lacks_is_told(tmp_path: Path) -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("Open the ")
    paragraph.add_run("old map").bold = True
    paragraph.add_run(" now")
    add_link(paragraph, " here")
    paragraph.add_run(" ok")
    made.save(str(tmp_path / "a.docx"))
    document = opened(tmp_path / "a.docx")
    (unit,) = document.units
    assert unit.text == "Open the {1}old map{2} now{3} here{4} ok"
    assert document.put_back(0, "{2}x {1}<y>{3}z{4}")[1]
    for text in ("a {1}b{2} {4}c{3} d", "no span", "{1}{1}{2}{3}{4}"):
        whole, complete = document.put_back(0, text)
        assert not complete
        etree.fromstring(f'<t xmlns:w="w" xmlns:r="r">{whole}</t>')
        assert whole.count("<w:hyperlink") == whole.count("</w:hyperlink>") == 1
    new = docx.Document(io.BytesIO(document.written({0: Filled("Apri {1}<la> & mappa{2} ora{3} qui{4}")})))
    assert [(run.text, run.bold) for run in new.paragraphs[0].runs] == [("Apri ", None), ("<la> & mappa", True), (" ora", None)]
    assert new.paragraphs[0].text.endswith("qui")


def test_text_boxes_and_formulas_stay_and_the_paragraph_around_is_read(tmp_path: Path) -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("Around ")
    run = etree.SubElement(paragraph.paragraph_format.element, f"{W}r")
    box = etree.SubElement(etree.SubElement(run, f"{W}pict"), f"{W}txbxContent")
    etree.SubElement(etree.SubElement(etree.SubElement(box, f"{W}p"), f"{W}r"), f"{W}t").text = "inside the box"
    paragraph.add_run("it")
    made.save(str(tmp_path / "a.docx"))
    document = opened(tmp_path / "a.docx")
    assert [unit.text for unit in document.units] == ["Around {1}it"]
    body = parts(document.written({0: Filled("Um {1}es")}))["word/document.xml"].decode()
    assert "inside the box" in body


def test_damage_is_one_line(tmp_path: Path) -> None:
    make(tmp_path / "a.docx", 3)
    data = (tmp_path / "a.docx").read_bytes()
    rng = random.Random(1)
    spoilt = [data[: rng.randrange(len(data))] for _ in range(15)] + [b"", b"PK", b"not a zip"]
    for _ in range(60):
        at = rng.randrange(len(data))
        spoilt.append(data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :])
    n_refused = 0
    for each in spoilt:
        (tmp_path / "b.docx").write_bytes(each)
        try:
            document = opened(tmp_path / "b.docx")
            document.written({number: Filled("x") for number in range(len(document.units))})
        except CorruptRecord as error:
            n_refused += 1
            assert "\n" not in str(error)
    assert n_refused >= 18


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.txt": b"x"}, "no word/document.xml"),
        ({"word/document.xml": b"<w:document"}, "not well-formed"),
        ({"word/document.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><document>&b;</document>'}, "entities"),
        ({"word/document.xml": b"<html/>"}, "no document file"),
        ({"word/document.xml": b"<document>\xff</document>"}, "UTF-8"),
        ({"word/document.xml": b"<document><p>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</p></document>"}, "stand in each other"),
        ({"word/document.xml": b"<document><p>" + b"<a/>" * MAX_TAGS + b"</p></document>"}, "tags"),
    ],
)
def test_what_is_no_word_file_is_refused(members: dict[str, bytes], said: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(CorruptRecord, match=said):
        opened(tmp_path / "a.docx")


def test_what_is_packed_otherwise_than_word_does_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("word/document.xml", "<document><p><r><t>The river sleeps.</t></r></p></document>" * 9)
    data = bytearray((tmp_path / "a.docx").read_bytes())
    for spoilt in (b"", b"\xff" * 20):
        data[60 : 60 + len(spoilt)] = spoilt
        (tmp_path / "b.docx").write_bytes(data)
        with pytest.raises(CorruptRecord, match="packed in a way"):
            opened(tmp_path / "b.docx")


def test_a_translation_with_control_characters_leaves_the_file_sound(tmp_path: Path) -> None:
    make(tmp_path / "a.docx", 3)
    document = opened(tmp_path / "a.docx")
    made = document.written({number: Filled(f"a\x00\x01\ufffe\ud800{number}") for number in range(len(document.units))})
    assert b">a0" in parts(made)["word/document.xml"]
    for name, data in parts(made).items():
        if name.endswith(".xml"):
            etree.fromstring(data)


def test_the_old_form_of_word_is_no_docx(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(BadConfig, match="not known"):
        opened(tmp_path / "a.doc")
