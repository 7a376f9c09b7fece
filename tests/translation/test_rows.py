"""Readers: good input gives its rows, bad input its fault with file and line; nothing is silently dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.translation.ingest import ingest
from reasoner.translation.library import open_corpus
from reasoner.translation.readers import read, read_moses, read_table, read_tmx
from reasoner.translation.rows import MAX_CELL_CHARS, Report, Wanted, checked

BOTH = {"A": "A", "B": "B"}


def taken(rows: object) -> tuple[list[tuple[str, ...]], list[str]]:
    report = Report()
    cells = [row.cells for row in checked(rows, report)]  # type: ignore[arg-type]
    assert report.n_rows == len(cells)
    assert sum(report.counts.values()) == len(report.faults)
    return cells, [f"{Path(f.file).name}:{f.line}:{f.kind}" for f in report.faults]


def test_moses_pairs(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("uno\r\n\ndue\x07\nuno\ntre\u2028x\nçà\nsei\nsette".encode())
    (tmp_path / "b").write_bytes(b"one\ntwo\ntwo\none\nthree\n\xff\xfe\n")
    cells, faults = taken(read_moses({"A": tmp_path / "a", "B": tmp_path / "b"}))
    assert cells == [("uno", "one"), ("due", "two"), ("uno", "one"), ("tre x", "three")]
    assert faults == [
        "a:2:empty side",
        "a:3:control character",
        "a:4:duplicate",
        "a:5:control character",
        "a:6:encoding",
        "a:7:unequal length",
        "a:8:unequal length",
    ]


def test_the_shorter_file_may_be_the_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("uno\n")
    (tmp_path / "b").write_text("one\ntwo\n")
    assert taken(read_moses({"A": tmp_path / "a", "B": tmp_path / "b"})) == ([("uno", "one")], ["b:2:unequal length"])


def test_tables_with_named_columns(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('\ufeffid\tb\ta\n1\t"x\ty\n2\ttoo\tmany\tcells\n3\t \tz\n', encoding="utf-8")
    cells, faults = taken(read_table(tmp_path / "t.tsv", Wanted({"A": "a", "B": "b"})))
    assert cells == [("y", '"x')], "a quotation mark is a character in TSV"
    assert faults == ["t.tsv:3:columns", "t.tsv:4:empty side"]
    (tmp_path / "t.csv").write_text('a,b\n"x, y","two\nlines"\nz,w\n')
    cells, faults = taken(read(tmp_path / "t.csv", Wanted({"A": "a", "B": "b"})))
    assert cells == [("x, y", "two lines"), ("z", "w")]
    assert faults == ["t.csv:2:control character"]
    with pytest.raises(BadConfig, match="columns are: a, b"):
        taken(read(tmp_path / "t.csv", Wanted({"A": "a", "B": "gone"})))


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"a": "x", "b": "y"}\nnot json\n{"a": "x"}\n[1]\n{"a": 1, "b": "y"}\n' + '{"a": "' + "w" * (MAX_CELL_CHARS + 1) + '", "b": "y"}\n'
    )
    cells, faults = taken(read(tmp_path / "t.jsonl", Wanted({"A": "a", "B": "b"})))
    assert cells == [("x", "y")]
    assert faults == ["t.jsonl:2:not JSON", "t.jsonl:3:columns", "t.jsonl:4:not JSON", "t.jsonl:5:columns", "t.jsonl:6:too long"]


TMX = """<?xml version="1.0"?>
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="it-IT"><seg>uno &amp; <ph>x</ph>due</seg></tuv><tuv xml:lang="EN"><seg>one</seg></tuv></tu>
<tu><tuv xml:lang="it"><seg>solo</seg></tuv></tu>
</body></tmx>"""


def test_tmx(tmp_path: Path) -> None:
    (tmp_path / "t.tmx").write_text(TMX)
    cells, faults = taken(read_tmx(tmp_path / "t.tmx", Wanted({"A": "it", "B": "en"})))
    assert cells == [("uno & due", "one")]
    assert faults == ["t.tmx:4:empty side"]


def test_tmx_with_entities_or_broken_xml_is_refused(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><tmx><tu><tuv xml:lang="it"><seg>&b;</seg></tuv></tu></tmx>'
    (tmp_path / "bomb.tmx").write_text(bomb)
    with pytest.raises(CorruptRecord, match="entities"):
        taken(read_tmx(tmp_path / "bomb.tmx", Wanted({"A": "it", "B": "en"})))
    (tmp_path / "cut.tmx").write_text(TMX[:200])
    with pytest.raises(CorruptRecord, match="line"):
        taken(read_tmx(tmp_path / "cut.tmx", Wanted({"A": "it", "B": "en"})))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.tsv"):
        taken(read(tmp_path / "gone.tsv", Wanted(BOTH)))
    with pytest.raises(BadConfig, match=r"\.tmx"):
        taken(read(tmp_path / "x.docx", Wanted(BOTH)))
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(DataError, match="empty"):
        taken(read(tmp_path / "empty.tsv", Wanted(BOTH)))


def test_held_out_rows_are_drawn_by_the_seed_and_kept_out(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("A\tB\n" + "".join(f"w{n} x\tv{n}\n" for n in range(50)) + "bad row\n")
    made = ingest(tmp_path / "t.tsv", tmp_path / "t.corpus", columns=BOTH, hold_out=10, seed=3)
    assert (made.n_lines, made.n_held_out, made.report.n_skipped) == (40, 10, 1)
    assert made.held_out is not None
    held = [line.split("\t")[0] for line in made.held_out.read_text().splitlines()[1:]]
    corpus = open_corpus(str(tmp_path / "t.corpus"))
    assert all(corpus.cover(sentence, source="A", target="B").unknown == (sentence.split()[0],) for sentence in held)
    first = (tmp_path / "t.corpus").read_bytes()
    ingest(tmp_path / "t.tsv", tmp_path / "t.corpus", columns=BOTH, hold_out=10, seed=3)
    assert (tmp_path / "t.corpus").read_bytes() == first
    ingest(tmp_path / "t.tsv", tmp_path / "t.corpus", columns=BOTH, hold_out=10, seed=4)
    assert (tmp_path / "t.corpus").read_bytes() != first
    with pytest.raises(BadConfig, match="hold out fewer"):
        ingest(tmp_path / "t.tsv", tmp_path / "t.corpus", columns=BOTH, hold_out=50)


def test_faults_are_all_counted_and_their_places_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.translation.rows.MAX_FAULTS", 3)
    report = Report()
    for number in range(10):
        report.note("empty side", "f", number, "x")
    assert (report.n_skipped, len(report.faults)) == (10, 3)
