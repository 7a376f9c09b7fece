"""Every form of parallel text that people have: what is taken, what is left out and told, several files at once, and adding to an index."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.translation.ingest import Source, ingest
from reasoner.translation.library import open_corpus
from reasoner.translation.readers import READERS, read
from reasoner.translation.rows import Report, Wanted, checked

PAIR = {"Italian": ["it", "Italian"], "Ladin": ["lld", "Ladin"]}
TABLE = "it{0}lld\nil cane{0}l cian\nil gatto{0}l giat\n"
ROWS = [("il cane", "l cian"), ("il gatto", "l giat")]


def taken(path: Path, columns: dict[str, list[str]] | dict[str, str] = PAIR) -> tuple[list[tuple[str, ...]], list[str]]:
    report = Report()
    cells = [row.cells for row in checked(read(path, Wanted(columns)), report)]
    return cells, [f"{fault.line}:{fault.kind}" for fault in report.faults]


def saved(folder: Path, name: str, data: str | bytes) -> Path:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tsv", TABLE.format("\t")),
        ("a.tsv", b"\xef\xbb\xbf" + TABLE.format("\t").encode()),
        ("a.tsv", TABLE.format("\t").encode("utf-16")),
        ("a.tsv", TABLE.format("\t").replace("il cane", '"il cane"').encode("utf-16")),
        ("a.csv", TABLE.format(",")),
        ("a.csv", TABLE.format(";").replace("\n", "\r\n")),
        ("a.csv", TABLE.format("\t")),
        ("a.csv", TABLE.format(";").encode("utf-16-le")),
        ("a.csv.gz", gzip.compress(TABLE.format(",").encode())),
        ("a.tsv", gzip.compress(TABLE.format("\t").encode())),
        ("a.txt", "il cane ||| l cian\nil gatto|||l giat\n"),
        ("a.jsonl", '{"translation": {"it": "il cane", "lld": "l cian"}}\n\n{"it": "il gatto", "lld": "l giat"}\n'),
        ("a.jsonl.gz", gzip.compress(b'{"it": "il cane", "x": {"lld": "l cian"}}\n{"Italian": "il gatto", "lld": "l giat"}\n')),
        (
            "a.po",
            'msgid ""\nmsgstr "Language: lld\\n"\n\nmsgid "il cane"\nmsgstr "l cian"\n\nmsgctxt "x"\nmsgid "il gatto"\nmsgstr "l giat"\n',
        ),
    ],
)
def test_the_same_rows_in_many_forms(tmp_path: Path, name: str, data: str | bytes) -> None:
    assert taken(saved(tmp_path, name, data)) == (ROWS, [])


def test_a_table_without_a_head_is_read_by_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path, "terms.tsv", "l cian\tx\til cane\nl giat\tx\til gatto\nodd\n")
    assert taken(path, {"Italian": "3", "Ladin": "1"}) == (ROWS, ["3:columns"])
    with pytest.raises(BadConfig, match="no column 4"):
        taken(path, {"Italian": "4", "Ladin": "1"})
    with pytest.raises(BadConfig, match="by numbers"):
        taken(path)


def test_odd_lines_of_csv_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    text = 'it,lld\n"il\ncane",l cian\n"open,l giat\nil gatto,l giat\n5" pipe,x\na,b,c\n"x"y,z\n\nlast,ultim\n'
    cells, faults = taken(saved(tmp_path, "a.csv", text))
    assert cells == [("il cane", "l cian"), ("il gatto", "l giat"), ('5" pipe', "x"), ("last", "ultim")]
    assert faults == ["2:control character", "4:columns", "7:columns", "8:columns"]


def test_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (["n", "it", "lld"], [1, "il cane", "l cian"], [2, "il gatto", None], [None, None, None], [3, "tre", 3]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    assert taken(tmp_path / "a.xlsx") == ([("il cane", "l cian"), ("tre", "3")], ["3:empty side"])
    for data in (b"", b"PK\x03\x04 no zip", b"it,lld\n"):
        with pytest.raises(CorruptRecord, match="spreadsheet"):
            taken(saved(tmp_path, "b.xlsx", data))


def test_inline_codes_of_tmx_are_no_text_and_several_variants_are_rows(tmp_path: Path) -> None:
    unit = (
        '<tu><tuv lang="IT"><seg>il <bpt i="1">{\\b <sub>note</sub> x}</bpt>cane<ept i="1">}</ept> <hi>nero</hi><ut>\\par</ut></seg></tuv>'
        '<tuv xml:lang="lld-fassa"><seg>l cian <ph>&lt;br/&gt;</ph>neigher</seg></tuv><tuv xml:lang="lld"><seg>l cian fosch</seg></tuv></tu>'
    )
    path = saved(tmp_path, "a.tmx", f'<tmx version="1.1"><header/><body>{unit}</body></tmx>'.encode("utf-16"))
    assert taken(path) == ([("il cane nero", "l cian neigher"), ("il cane nero", "l cian fosch")], [])


XLIFF_12 = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file source-language="it-IT" target-language="lld">
<body><trans-unit id="1"><source>il <g id="1">cane</g><x id="2"/></source><target state="translated">l <g id="1">cian</g><ph id="3">%s</ph></target>
<alt-trans><source>altro</source><target>auter</target></alt-trans></trans-unit>
<trans-unit id="2"><source>due</source><target state="needs-review-translation">doi</target></trans-unit>
<trans-unit id="3"><source>tre</source></trans-unit></body></file></xliff>"""
XLIFF_20 = """<xliff version="2.0" srcLang="it" trgLang="lld" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f"><unit id="u">
<segment state="final"><source>il <pc id="1">cane</pc></source><target>l <pc id="1">cian</pc></target></segment>
<ignorable><source> </source></ignorable><segment state="initial"><source>due</source><target>doi</target></segment>
<segment><source>tre</source></segment></unit></file></xliff>"""


@pytest.mark.parametrize("data", [XLIFF_12, XLIFF_20])
@pytest.mark.parametrize("columns", [PAIR, {"Italian": ["source"], "Ladin": ["target"]}])
def test_xliff_gives_what_is_translated_and_sure(tmp_path: Path, data: str, columns: dict[str, list[str]]) -> None:
    cells, faults = taken(saved(tmp_path, "a.xlf", data), columns)
    assert cells == [("il cane", "l cian")]
    assert [fault.partition(":")[2] for fault in faults] == ["in doubt", "empty side"]


def test_gettext_gives_plural_forms_and_leaves_doubtful_entries_out(tmp_path: Path) -> None:
    po = (
        'msgid ""\nmsgstr ""\n"Language: lld\\n"\n\nmsgid "%d cane"\nmsgid_plural "%d cani"\nmsgstr[0] "%d cian"\nmsgstr[1] "%d cians"\n\n'
        '#, fuzzy\nmsgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr ""\n\n#~ msgid "old"\n#~ msgstr "vedl"\n'
    )
    path = saved(tmp_path, "a.po", po)
    for columns in (PAIR, {"Italian": ["msgid"], "Ladin": ["msgstr"]}, {"Italian": ["source"], "Ladin": ["x"]}):
        assert taken(path, columns) == ([("%d cane", "%d cian"), ("%d cani", "%d cians")], ["11:in doubt", "14:untranslated"])
    assert taken(path, {"Ladin": ["lld"], "Italian": ["it"]})[0][0] == ("%d cian", "%d cane")
    assert taken(path, {"Ladin": ["de"], "Italian": ["it"]}) == ([], [])


def test_what_is_cut_or_no_such_file_is_told(tmp_path: Path) -> None:
    whole = gzip.compress(TABLE.format("\t").encode() * 5000)
    for name, data in (("a.tsv.gz", whole[: len(whole) // 2]), ("b.tmx.gz", whole[:30]), ("c.po", "no po\n")):
        with pytest.raises(DataError, match=name):
            taken(saved(tmp_path, name, data))
    for ending in READERS:
        with pytest.raises(DataError, match="gone"):
            taken(tmp_path / f"gone{ending}")


def test_several_sources_make_one_index_and_one_that_gives_nothing_is_explained(tmp_path: Path) -> None:
    sources: list[Source] = [
        saved(tmp_path, "a.csv", "it,lld\nuno,un\nshort\n"),
        saved(tmp_path, "b.tmx", '<tmx><body><tu><tuv xml:lang="de-DE"><seg>x</seg></tuv></tu></body></tmx>'),
        {"Ladin": saved(tmp_path, "c.lld", "doi\n"), "Italian": saved(tmp_path, "c.it", "due\n")},
        saved(tmp_path, "d.jsonl", '{"Ladin": "trei", "it": "tre"}\n{"fr": "quatre"}\n'),
    ]
    made = ingest(sources, tmp_path / "t.corpus", columns=PAIR)
    corpus = open_corpus(str(tmp_path / "t.corpus"))
    assert list(corpus.texts("Italian", "Ladin")) == [("uno", "un"), ("due", "doi"), ("tre", "trei")]
    assert dict(made.report.counts) == {"columns": 2, "empty side": 1, "no row taken": 1}
    assert "looked for it|Italian, lld|Ladin; the file has de-DE" in "\n".join(map(str, made.report.faults))
    for source, says in ((sources[0], "line 3"), (sources[1], "b.tmx")):
        with pytest.raises(DataError, match=says):
            ingest(source, tmp_path / "strict.corpus", columns=PAIR, strict=True)
    assert not (tmp_path / "strict.corpus").exists()
    report = Report()
    with pytest.raises(DataError, match="the file has de-DE"):
        ingest(sources[1], tmp_path / "none.corpus", columns=PAIR, report=report)
    assert report.counts["no row taken"] == 1


def test_adding_keeps_the_lines_and_the_choices_of_the_index(tmp_path: Path) -> None:
    first = saved(tmp_path, "a.tsv", "it\tlld\nuno\tun\n")
    second = saved(tmp_path, "b.tsv", "lld\tit\ndoi\tdue\n")
    ingest([first, second], tmp_path / "both.corpus", columns=PAIR, normalisation="paper", window=3, searched=["Ladin"])
    ingest(first, tmp_path / "t.corpus", columns=PAIR, normalisation="paper", window=3, searched=["Ladin"])
    made = ingest(second, tmp_path / "t.corpus", columns=dict(reversed(PAIR.items())), add=True)
    one, other = open_corpus(str(tmp_path / "both.corpus")), open_corpus(str(tmp_path / "t.corpus"))
    assert made.n_lines == 2
    assert list(other.texts("Italian", "Ladin")) == [("uno", "un"), ("due", "doi")]
    assert (one.fingerprint, one.index.searched, one.index.window) == (other.fingerprint, other.index.searched, other.index.window)
    before = (tmp_path / "t.corpus").read_bytes()
    with pytest.raises(BadConfig, match="Italian, Ladin"):
        ingest(second, tmp_path / "t.corpus", columns={"Ladin": "lld", "French": "it"}, add=True)
    with pytest.raises(BadConfig, match="held out"):
        ingest(second, tmp_path / "t.corpus", columns=PAIR, add=True, hold_out=1)
    with pytest.raises(DataError, match="gone"):
        ingest(second, tmp_path / "gone.corpus", columns=PAIR, add=True)
    assert (tmp_path / "t.corpus").read_bytes() == before


def test_the_command_reads_several_files_adds_and_always_writes_its_report(tmp_path: Path) -> None:
    def run(line: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reasoner", "corpus", "build", "t.corpus", *line.split()]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    saved(tmp_path, "a.csv", "it;lld\nuno;un\nshort\n")
    saved(tmp_path, "b.txt", "due ||| doi\n")
    for name in ("c.it", "c.lld"):
        saved(tmp_path, name, "tre\n")
    done = run("a.csv Italian=c.it Ladin=c.lld b.txt -l Italian=it -l Ladin=lld")
    assert (done.returncode, done.stdout.split(", ")[0]) == (0, "t.corpus: 3 lines"), done.stderr
    assert (tmp_path / "t.report.txt").read_text() == "a.csv, line 3: columns: 1 columns, the head has 2\n"
    done = run("b.txt Italian=c.it Ladin=c.lld --add")
    assert (done.returncode, done.stdout.split(", ")[0]) == (0, "t.corpus: 5 lines"), done.stderr
    assert (tmp_path / "t.report.txt").read_text() == "", "the report is that of the last build"
    done = run("a.csv -l Italian=it -l Ladin=lld --strict --report r.txt")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "--strict" in done.stderr
    assert "line 3" in (tmp_path / "r.txt").read_text()
    done = run("a.csv --add --normalisation paper")
    assert (done.returncode, "--add" in done.stderr) == (2, True), done.stderr
