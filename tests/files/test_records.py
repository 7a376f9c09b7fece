"""Files of rows: every form and encoding gives the same rows; one bad row is one fault, told with its place, and takes no other along."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.errors import BadConfig, CorruptRecord, MissingAsset
from reasoner.files import complaint, decode, read_lines, read_records

ROWS = [
    {"question": "How many, in all?", "answer": "1,800"},
    {"question": 'She said "two\nlines"; why?', "answer": "a\tb"},
    {"question": "زبان\u200cشناسی 👩\u200d🚀 \ue000", "answer": "naïve"},
]


def as_jsonl(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


FORMS = {
    "a.jsonl": as_jsonl(ROWS),
    "crlf.jsonl": as_jsonl(ROWS).replace("\n", "\r\n"),
    "a.json": json.dumps(ROWS, ensure_ascii=False, indent=1),
    "one_line.json": json.dumps(ROWS, ensure_ascii=False),
    "inside.json": json.dumps({"version": 2, "examples": ROWS}, ensure_ascii=False),
    "a.csv": as_csv(ROWS),
    "semicolon.csv": as_csv(ROWS, ";"),
    "pipe.csv": as_csv(ROWS, "|"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(name: str, packed: bool, encoding: str, tmp_path: Path) -> None:
    raw = FORMS[name].encode(encoding)
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(raw) if packed else raw)
    read = read_records(path)
    assert [row.values for row in read.rows] == ROWS
    assert read.faults == ()
    lines = [row.line for row in read.rows]
    assert lines == sorted(lines)
    assert lines[0] >= 1


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra data is not installed")
    from pyarrow import parquet

    rows = [{"question": "q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "n": 3}, {"question": "r", "choices": None, "n": None}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert [row.values for row in read_records(tmp_path / "a.parquet").rows] == rows
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    assert [fault.line for fault in read_records(tmp_path / "cut.parquet").faults] == [1]


def test_xml_as_asdiv_has_it(tmp_path: Path) -> None:
    body = '<?xml version="1.0" encoding="UTF-16"?>\n<Set><Problems>\n<Problem ID="n-1" Grade="2">\n<Body>Ann has 7 figs.</Body>\n<Question>How many?</Question><Answer>7 (figs)</Answer></Problem>\n<Problem ID="n-2"><Body>B &amp; C</Body><Answer>1</Answer></Problem></Problems></Set>'
    path = tmp_path / "a.xml"
    path.write_bytes(body.encode("utf-16"))
    read = read_records(path)
    assert [(row.line, row.values) for row in read.rows] == [
        (3, {"ID": "n-1", "Grade": "2", "Body": "Ann has 7 figs.", "Question": "How many?", "Answer": "7 (figs)"}),
        (6, {"ID": "n-2", "Body": "B & C", "Answer": "1"}),
    ]
    path.write_text('<!DOCTYPE a [<!ENTITY b "c">]><a><r x="1">&b;</r></a>')
    assert "document type" in read_records(path).faults[0].why


def test_a_table_without_a_head(tmp_path: Path) -> None:
    path = tmp_path / "mmlu.csv"
    path.write_text('"What, then?",1,2,3,4,B\nWhat?,5,6,7,8,A\n')
    read = read_records(path, names={"question"})
    assert not read.header
    assert read.rows[0].values == {"1": "What, then?", "2": "1", "3": "2", "4": "3", "5": "4", "6": "B"}


def test_quotes_in_a_tsv_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('q\ta\n"Hello," she said\tx\nplain\t"y"\n')
    assert [row.values for row in read_records(path).rows] == [{"q": '"Hello," she said', "a": "x"}, {"q": "plain", "a": '"y"'}]


BAD = {
    "a.jsonl": ['{"question": "a"}', '{"question": b}', '{"question": "c"}', '["d"]', '{"x": NaN}', '{"question": "e"}'],
}


def test_bad_rows_of_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(BAD["a.jsonl"]))
    read = read_records(path)
    assert [row.values["question"] for row in read.rows] == ["a", "c", "e"]
    assert [(fault.line, fault.column) for fault in read.faults] == [(2, 14), (4, 1), (5, 0)]
    error = complaint(path, read.faults, read.n_rows)
    assert isinstance(error, CorruptRecord)
    assert str(error) == f"{path}, line 2, column 14: no JSON: Expecting value (3 of 6 rows cannot be used)"


@pytest.mark.parametrize("at", range(5))
def test_one_damaged_element_of_an_array_is_one_fault(at: int, tmp_path: Path) -> None:
    rows = [json.dumps({"question": f"q{n}", "meta": {"a": [n]}}) for n in range(5)]
    rows[at] = rows[at].replace(": ", " ", 1)
    path = tmp_path / "a.json"
    path.write_text("[" + ",\n".join(rows) + "]")
    read = read_records(path)
    assert [row.values["question"] for row in read.rows] == [f"q{n}" for n in range(5) if n != at]
    assert [fault.line for fault in read.faults] == [at + 1]


def test_a_cut_array_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ROWS)[:-20])
    read = read_records(path)
    assert len(read.rows) == 2
    assert len(read.faults) == 1


@pytest.mark.parametrize("at", range(1, 6))
def test_one_stray_quote_spoils_its_own_line(at: int, tmp_path: Path) -> None:
    lines = ["question,answer", *(f'q{n},"a, {n}"' for n in range(1, 6))]
    lines[at] = f'"q{at},a'
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    read = read_records(path)
    assert [fault.line for fault in read.faults] == [at + 1]
    assert [row.values["question"] for row in read.rows] == [f"q{n}" for n in range(1, 6) if n != at]


def test_a_row_with_too_few_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer,level\na,1,2\nb,1\nc,1,2\n")
    read = read_records(path)
    assert len(read.rows) == 2
    assert str(read.faults[0]) == "line 3: 2 columns, 3 were expected"


def test_a_damaged_byte_spoils_its_line_and_latin_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"question": "naïve"}\n'.encode() + b'{"question": "na\xefve"}\n')
    read = read_records(path)
    assert [row.values["question"] for row in read.rows] == ["naïve"]
    assert str(read.faults[0]) == "line 2, column 17: the byte 0xEF is no UTF-8"
    path.write_bytes('{"question": "naïve – “yes”"}\n'.encode("cp1252"))
    assert read_records(path).rows[0].values["question"] == "naïve – “yes”"


def test_roots(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": {"rows": [{"a": 1}]}, "train": [{"a": 2}], "test": [{"a": 3}]}))
    assert [row.values for row in read_records(path, root="data.rows").rows] == [{"a": 1}]
    with pytest.raises(BadConfig, match="--root train or --root test"):
        read_records(path)
    with pytest.raises(BadConfig, match="names no list of rows; lists of the file: train, test"):
        read_records(path, root="dev")
    path.write_text(json.dumps({"problem": "p", "messages": [{"role": "user"}]}))
    assert len(read_records(path).rows) == 1  # one object is one row


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="No such file"):
        read_records(tmp_path / "none.csv")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(MissingAsset, match="cannot be read"):
        read_records(tmp_path / "cut.gz")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert read_records(tmp_path / "empty.jsonl").rows == ()


def test_lines_end_where_files_end_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("a\u2028b\x0cc\r\n\r\nd\re\n".encode())
    assert [(line.number, line.text) for line in read_lines(path)[0]] == [(1, "a\u2028b\x0cc"), (3, "d"), (4, "e")]


@given(st.binary(max_size=300))
def test_decoding_never_fails(raw: bytes) -> None:
    assert isinstance(decode(raw).text, str)


@pytest.mark.parametrize("form", ["a.jsonl", "a.json", "a.csv"])
def test_damage_anywhere_never_raises_and_loses_little(form: str, tmp_path: Path) -> None:
    """One byte replaced or dropped in forty rows: at most the rows that it touches are lost, and each loss is told."""
    rows = [{"question": f"Question number {n}?", "answer": f"answer {n}"} for n in range(40)]
    text = {"a.jsonl": as_jsonl(rows), "a.json": json.dumps(rows, indent=1), "a.csv": as_csv(rows)}[form]
    path = tmp_path / form
    rng = random.Random(7)
    for _ in range(150):
        raw = bytearray(text.encode())
        at = rng.randrange(20, len(raw))
        raw[at : at + 1] = rng.choice([b"", b"\x00", b'"', b"{", b"\xff", b","])
        path.write_bytes(bytes(raw))
        read = read_records(path)
        same = [row.values for row in read.rows if row.values in rows]
        assert len(same) >= 38, (at, read.faults)


def test_a_stray_quote_that_a_later_row_closes_does_not_take_the_rows_between(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('question,answer\nq1,"x\nq2,b\nq3,c\nq4,",w\nq5,e\n')
    read = read_records(path)
    assert {"q2", "q3", "q5"} <= {row.values["question"] for row in read.rows}


def test_a_nested_object_of_a_damaged_row_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"question": "a", "answer": "1"}, {"question": "b" "x": [{"k": 1}, {"k": 2}]}, {"question": "c", "answer": "3"}]')
    read = read_records(path)
    assert [row.values for row in read.rows] == [{"question": "a", "answer": "1"}, {"question": "c", "answer": "3"}]
    assert len(read.faults) == 1
