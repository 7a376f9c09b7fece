"""Translators' files, 30 of each kind: what is found, that tags are kept, that all else stays byte for byte, and damaged files.

The oracle is translate-toolkit, which reads what was written; it shares no code with this project.
"""

from __future__ import annotations

import html
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from translate.storage import pypo, xliff

from reasoner.errors import BadConfig, DataError
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.documents._spans import MARKER, Document, put_away, put_away_lines, put_back
from reasoner.translation.readers import read_po
from reasoner.translation.rows import Wanted

WORDS = ["river", "the", "old", "è", "città", "l'acqua", "Öl", "5", "—", "a&b", "sleeps."]
PLACEHOLDERS = ["%s", "%(name)s", "{count}", "<b>", "</b>", "https://example.org/a?b=1", "me@example.org", "&nbsp;", "{1}"]


def saved(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def upper(text: str) -> str:
    """A translation that can be told from its source, with the markers in it."""
    return MARKER.sub(lambda found: found[0], "X " + re.sub(r"[^\W\d_]+", lambda word: word[0][::-1], text))


def all_filled(document: Document) -> dict[int, Filled]:
    return {number: Filled(upper(unit.text)) for number, unit in enumerate(document.units)}


def sentence(rng: random.Random) -> str:
    words = ["word", *rng.choices(WORDS, k=rng.randint(0, 7)), *rng.choices(PLACEHOLDERS, k=rng.choice((0, 0, 1, 2)))]
    rng.shuffle(words)
    return " ".join(words)


# --- gettext ---


def po_file(rng: random.Random) -> tuple[str, int]:
    """A PO file and how many empty translations it has."""
    end = rng.choice(("\n", "\r\n"))
    quoted = [sentence(rng).replace("\\", "\\\\").replace('"', '\\"') for _ in range(40)]
    parts = ['# head\nmsgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n']
    n_empty = 0
    for number in range(rng.randint(1, 9)):
        text = f"{number} {quoted.pop()}"
        kind = rng.choice(("empty", "empty", "done", "fuzzy", "plural", "lines", "context", "flags", "obsolete"))
        head = f"#. a note\n#: file.c:{number}\n"
        entry = f'msgid "{text}"\n'
        if kind == "done":
            entry += f'msgstr "done {quoted.pop()}"\n'
        elif kind == "fuzzy":
            entry = f'#, fuzzy, c-format\n#| msgid "old"\n{entry}msgstr ""\n'
        elif kind == "plural":
            entry += f'msgid_plural "{text} many"\nmsgstr[0] ""\nmsgstr[1] ""\n'
            n_empty += 2
        elif kind == "lines":
            entry = f'msgid ""\n"{text}\\n"\n"second line\\n"\nmsgstr ""\n'
            n_empty += 1
        elif kind == "context":
            entry = f'msgctxt "menu"\n{entry}msgstr ""\n'
            n_empty += 1
        elif kind == "flags":
            entry = f'#, c-format\n{entry}msgstr ""\n""\n'
            n_empty += 1
        elif kind == "obsolete":
            entry = "".join(f"#~ {line}\n" for line in f'{entry}msgstr ""'.splitlines())
            head = ""
        else:
            entry += 'msgstr ""\n'
            n_empty += 1
        parts.append(head + entry)
    return "\n".join(parts).replace("\n", end), n_empty


def units_of(data: bytes) -> list[tuple[str, list[str], bool]]:
    """(source, translations, fuzzy) as translate-toolkit reads them."""
    parser: Any = pypo.pofile
    store = parser.parsestring(data)
    made = []
    for unit in store.units:
        if unit.isobsolete():
            continue
        target = unit.target
        strings = [str(each) for each in getattr(target, "strings", [target])]
        made.append((str(unit.source), strings, unit.isfuzzy()))
    return made


@pytest.mark.parametrize("seed", range(30))
def test_gettext_files_keep_everything_but_their_empty_translations(tmp_path: Path, seed: int) -> None:
    text, n_empty = po_file(random.Random(seed))
    path = saved(tmp_path, "a.po", text)
    document = open_document(path)
    assert len(document.units) == n_empty
    assert document.written({}) == path.read_bytes(), "nothing filled, nothing changed"
    data = document.written(all_filled(document))
    before, after = units_of(path.read_bytes()), units_of(data)
    assert [unit[0] for unit in after] == [unit[0] for unit in before]
    for (source, old, was_fuzzy), (_, new, is_fuzzy) in zip(before, after, strict=True):
        assert is_fuzzy == was_fuzzy, "a translation that has all its tags needs no review"
        if all(old) or was_fuzzy or not source:
            assert new == old
            continue
        for translation in new:
            assert "X" in translation
            assert translation.endswith("\n") == source.endswith("\n"), "gettext's own rule"
            if " many" not in source:
                assert placeholders(translation) == placeholders(source)
    changed = {line for line in data.splitlines() if line not in path.read_bytes().splitlines()}
    assert all(line.startswith((b"msgstr", b'"')) for line in changed)
    (tmp_path / "b.po").write_bytes(data)
    assert open_document(tmp_path / "b.po").units == [], "what is translated is not untranslated"


def placeholders(text: str) -> Counter[str]:
    return Counter(placeholder for placeholder in PLACEHOLDERS for _ in range(text.count(placeholder)))


def test_a_gettext_entry_in_doubt_is_fuzzy_and_lacks_no_placeholder(tmp_path: Path) -> None:
    text = '#: a\nmsgid "Open %s now"\nmsgstr ""\n\n#, c-format\nmsgid "One %d"\nmsgstr ""\n\nmsgid "Sure"\nmsgstr ""\n'
    document = open_document(saved(tmp_path, "a.po", text))
    assert [unit.text for unit in document.units] == ["Open {1} now", "One {1}", "Sure"]
    assert [unit.line for unit in document.units] == [2, 6, 9]
    made = document.written({0: Filled("Apri"), 1: Filled("Uno {1} {1} {7}"), 2: Filled('Si"c\\uro', is_sure=False)}).decode()
    assert made == (
        '#: a\n#, fuzzy\nmsgid "Open %s now"\nmsgstr "Apri%s"\n\n#, fuzzy, c-format\nmsgid "One %d"\nmsgstr "Uno %d  "\n\n'
        '#, fuzzy\nmsgid "Sure"\nmsgstr "Si\\"c\\\\uro"\n'
    )


# --- XLIFF ---


def inline(rng: random.Random, version: str, number: int) -> str:
    """A source with inline codes in it, as XML."""
    words = [html.escape(word, quote=False) for word in sentence(rng).replace("&nbsp;", "").split()]
    if version == "1.2":
        codes = [f'<x id="{number}"/>', f'<ph id="{number}">&lt;img src="a>b"/&gt;</ph>', f'<g id="{number}" ctype="bold">bold word</g>',
                 f'<bpt id="{number}">&lt;b&gt;</bpt>strong<ept id="{number}">&lt;/b&gt;</ept>', '<mrk mtype="protected">Name</mrk>', "<!-- note -->"]  # fmt: skip
    else:
        codes = [f'<ph id="{number}" equiv="a>b"/>', f'<pc id="{number}"><pc id="b{number}">bold</pc> word</pc>', f'<sc id="s{number}"/>strong<ec startRef="s{number}"/>', f'<mrk id="m{number}" type="term">name</mrk>']  # fmt: skip
    words[rng.randrange(len(words) + 1) : 0] = rng.sample(codes, rng.choice((0, 1, 2)))
    return " ".join(words) + rng.choice(("", "", "<![CDATA[ a<b & c]]>"))


def xliff_file(rng: random.Random, version: str) -> tuple[str, int]:
    """An XLIFF file and how many units of it are open."""
    end = rng.choice(("\n", "\r\n"))
    made, n_open = [], 0
    for number in range(rng.randint(1, 8)):
        source = inline(rng, version, number)
        kind = rng.choice(("none", "none", "empty", "closed", "done", "no", "state"))
        n_open += kind in {"none", "empty", "closed", "state"}
        target = {"empty": "<target></target>", "closed": "<target xml:lang='it'/>", "done": '<target state="final">fatto</target>'}.get(
            kind, ""
        )
        if version == "1.2":
            if kind == "state":
                target = '<target xml:lang="it" state="new"></target>'
            other = "<alt-trans><source>other</source><target>altro</target></alt-trans>" if rng.random() < 0.3 else ""
            no = ' translate="no"' if kind == "no" else ""
            made.append(
                f'    <trans-unit id="{number}"{no}>\n      <source>{source}</source>\n      {target}\n      <note>a > b</note>{other}\n    </trans-unit>'
            )
        else:
            state = ' state="initial"' if kind == "state" else ""
            no = ' translate="no"' if kind == "no" else ""
            target = target.replace(' state="final"', "")
            made.append(
                f'    <unit id="u{number}"{no}>\n      <notes><note>a > b</note></notes>\n      <segment id="s"{state}>\n        <source>{source}</source>\n        {target}\n      </segment>\n    </unit>'
            )
    body = "\n".join(made)
    if version == "1.2":
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n  <file original="f" source-language="en" target-language="it" datatype="plaintext">\n  <body>\n{body}\n  </body></file>\n</xliff>\n'
    else:
        text = f'<?xml version="1.0"?>\n<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="it">\n  <file id="f">\n{body}\n  </file>\n</xliff>\n'
    return text.replace("\n", end), n_open


def tags(inner: str) -> Counter[str]:
    return Counter(re.findall(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.sub(r"<!\[CDATA\[.*?\]\]>", "", inner)))


def elements(text: str, name: str) -> list[str]:
    text = re.sub(r"<alt-trans>.*?</alt-trans>", "", text, flags=re.DOTALL)
    return re.findall(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>", text, flags=re.DOTALL)


@pytest.mark.parametrize("version", ["1.2", "2.0"])
@pytest.mark.parametrize("seed", range(30))
def test_xliff_files_keep_tags_and_everything_but_their_open_targets(tmp_path: Path, seed: int, version: str) -> None:
    from lxml import etree

    text, n_open = xliff_file(random.Random(f"{version}{seed}"), version)
    path = saved(tmp_path, "a.xlf", text)
    document = open_document(path)
    assert len(document.units) == n_open
    assert document.written({}) == path.read_bytes()
    data = document.written(all_filled(document))
    etree.fromstring(data)
    made = data.decode()
    assert elements(made, "source") == elements(text, "source")
    targets = [target for target in elements(made, "target") if "X" in target]
    assert len(targets) == n_open
    opened = [s for s in re.findall(r"<(?:trans-unit|unit)(?:\s[^>]*)?>.*?</(?:trans-unit|unit)>", made, flags=re.DOTALL) if ">X " in s]
    assert len(opened) == n_open
    for unit in opened:
        (source,), (target,) = elements(unit, "source"), elements(unit, "target")
        assert tags(target) == tags(source)
        assert 'state="translated"' in unit

    def rest(whole: str) -> str:
        """The file without its targets and states."""
        whole = re.sub(r"\s*<target(?:\s[^>]*?)?(?:/>|(?<!/)>.*?</target>)", "", whole, flags=re.DOTALL)
        return re.sub(r' state(?:-qualifier)?="[a-z-]*"', "", whole)

    assert rest(made) == rest(text)
    if version == "1.2":
        parser: Any = xliff.xlifffile
        store = parser.parsestring(data)
        assert sum("X" in str(unit.target or "") for unit in store.units) == n_open
    (tmp_path / "b.xlf").write_bytes(data)
    assert open_document(tmp_path / "b.xlf").units == []


def test_an_xliff_unit_in_doubt_asks_for_review_and_lacks_no_code(tmp_path: Path) -> None:
    unit = '<trans-unit id="1"><source>Open <g id="1">now</g> &amp; go</source></trans-unit>'
    path = saved(tmp_path, "a.xlf", f'<xliff version="1.2">{unit}</xliff>')
    document = open_document(path)
    assert [(each.text, each.spans) for each in document.units] == [("Open {1}now{2} & go", ('<g id="1">', "</g>"))]
    good = document.written({0: Filled("Apri {1}ora{2} & <vai>", from_memory=True)}).decode()
    assert '<target state="translated" state-qualifier="exact-match">Apri <g id="1">ora</g> &amp; &lt;vai&gt;</target>' in good
    for text, inner in (
        ("Apri ora", 'Apri ora<g id="1"></g>'),
        ("Apri {2}ora{1}", 'Apri ora<g id="1"></g>'),
        ("Apri {1}ora{2}", 'Apri <g id="1">ora</g>'),
    ):
        made = document.written({0: Filled(text, is_sure=False)}).decode()
        assert f'<target state="needs-review-translation" state-qualifier="leveraged-mt">{inner}</target>' in made
    second = '<xliff version="2.0"><file><unit><segment><source>Go</source></segment></unit></file></xliff>'
    document = open_document(saved(tmp_path, "b.xliff", second))
    assert (
        '<segment state="initial"><source>Go</source><target>Vai</target>' in document.written({0: Filled("Vai", is_sure=False)}).decode()
    )


# --- subtitles ---


@pytest.mark.parametrize("seed", range(30))
def test_subtitles_keep_numbers_times_tags_and_their_lines(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    end = rng.choice(("\n", "\r\n"))
    cues = []
    for number in range(1, rng.randint(2, 9)):
        lines = [f"{rng.choice(('', '<i>', '- '))}{sentence(rng)}" for _ in range(rng.randint(1, 3))]
        cues.append(
            "\n".join([str(number), f"00:00:0{number},000 --> 00:00:0{number},900", *(lines if rng.random() < 0.8 else ["♪ 42 ♪"])])
        )
    text = ("\ufeff" if seed % 2 else "") + "\n\n".join(cues).replace("\n", end) + end
    path = saved(tmp_path, "a.srt", text)
    document = open_document(path)
    assert len(document.units) == sum("♪" not in cue for cue in cues)
    assert document.written({}) == path.read_bytes()
    made = document.written(all_filled(document)).decode()
    old, new = text.split(end * 2), made.split(end * 2)
    assert len(old) == len(new), "no cue is cut in two"
    for before, after in zip(old, new, strict=True):
        assert before.splitlines()[:2] == after.splitlines()[:2]
        assert len(after.splitlines()) <= len(before.splitlines())
        assert placeholders(before) == placeholders(after)
        assert ("X" in after) == ("♪" not in before)


# --- lines, spans, and files that are not what they should be ---


@pytest.mark.parametrize("sign", ["\u2028", "\x0c", "\x85", "\x0b"])
def test_a_line_ends_at_a_line_break_and_nowhere_else(tmp_path: Path, sign: str) -> None:
    cue = "1\n00:00:01,000 --> 00:00:02,000\n{}\n"
    document = open_document(saved(tmp_path, "a.srt", cue.format(f"The river{sign}sleeps.")))
    assert document.written({0: Filled("Il fiume dorme.")}).decode() == cue.format("Il fiume dorme.")
    path = saved(tmp_path, "a.po", f'msgid "The river{sign}sleeps."\nmsgstr ""\n')
    assert [unit.text for unit in open_document(path).units] == ["The river sleeps."]
    path.write_text(f'msgid "The river{sign}sleeps."\nmsgstr "Il fiume dorme."\n', encoding="utf-8")
    (row,) = read_po(path, Wanted({"English": "msgid", "Italian": "msgstr"}))
    assert row.cells == ("The river sleeps.", "Il fiume dorme.")


@example(["{1}", "%s"])
@given(st.lists(st.sampled_from([*WORDS, *PLACEHOLDERS, "100% sure", "{", "}", "%"]), max_size=9))
def test_what_is_put_away_comes_back(words: list[str]) -> None:
    text = " ".join(words)
    unit = put_away(text, 1)
    assert put_back(unit.text, unit.spans) == (text, True)
    assert len(MARKER.findall(unit.text)) == len(unit.spans)
    back, complete = put_back("y", unit.spans)
    assert back == "y" + "".join(unit.spans)
    assert complete == (not unit.spans)


def test_a_line_break_is_a_span_and_nothing_else_becomes_one() -> None:
    unit = put_away_lines("a <line-break> b \r\n  c\n%s", 1)
    assert (unit.text, unit.spans) == ("a {1} b{2}c{3}{4}", ("<line-break>", "\n", "\n", "%s"))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.po", b'msgid "\xc3\xa8"\nmsgstr "\xff"\n', "not UTF-8"),
        ("a.po", b"hello\n", "line 1"),
        ("a.po", b'msgid "a"\nmsgid_plural\n', "line 2"),
        ("a.po", b'msgid "a\nmsgstr ""\n', "line 1"),
        ("a.xlf", b"", "XML"),
        ("a.xlf", b"<xliff><file>", "XML"),
        ("a.xlf", b"<html></html>", "no XLIFF"),
        ("a.xlf", b'<!DOCTYPE x [<!ENTITY a "b">]><xliff version="1.2"/>', "entities"),
        ("a.xlf", b'<?xml version="1.0" encoding="ISO-8859-1"?><xliff version="1.2"/>', "ISO-8859-1"),
        ("a.xlf", '<xliff version="1.2"/>'.encode("utf-16"), "UTF-8"),
        ("a.srt", b"1\nhello\n", "no cue"),
        ("a.doc", b"", "not known"),
    ],
)
def test_damaged_files_are_told_in_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((DataError, BadConfig), match=says) as caught:
        open_document(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="gone"):
        open_document(tmp_path / f"gone{Path(name).suffix if name != 'a.doc' else '.po'}")
