"""A large file of JSON Lines is read a line at a time, and means what it means when it is read whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from reasoner.errors import MissingAsset
from reasoner.files import read_records, streams

ROW = {"question": "How many?", "answer": "4 é 👩\u200d🚀", "more": {"a": [1, 2.5, None]}}
LINE = json.dumps(ROW, ensure_ascii=False)
FORMS = {
    "plain": f"{LINE}\n{LINE}\n",
    "crlf": f"{LINE}\r\n{LINE}\r\n{LINE}",
    "lone cr": f"{LINE}\r{LINE}\r\r{LINE}",
    "blank lines": f"\n  \n{LINE}\n\n\n{LINE}\n\n",
    "a separator in a string": '{"question": "a\u2028b\x0cc", "answer": "1"}\n{"question": "d", "answer": "2"}\n',
    "a damaged row": f'{LINE}\n{{"question": \n{LINE}\n[1, 2]\n"text"\nNaN\n{{"a": NaN}}\n{LINE}\n',
    "one object alone": LINE,
    "an object over lines": json.dumps([ROW, ROW], indent=2),
    "an object of rows": json.dumps({"rows": [ROW, ROW]}, indent=1),
    "a table": "question,answer\na,1\nb,2\n",
    "a damaged first row": f'{{"question": \n{LINE}\n{LINE}\n',
    "deep": '{"a": ' + "[" * 3000 + "]" * 3000 + f"}}\n{LINE}\n",
    "huge number": '{"a": ' + "1" * 6000 + f"}}\n{LINE}\n{LINE}\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-8 with a bad byte", "gzip"])
def test_a_streamed_file_means_the_same(form: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FORMS[form]
    if encoding == "gzip":
        data = gzip.compress(text.encode())
    elif encoding == "utf-8 with a bad byte":
        data = text.encode() + b'{"question": "\xff"}\n' + text.encode()
    else:
        data = text.encode(encoding, "replace")
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    whole = read_records(path)
    monkeypatch.setattr(streams, "STREAMED_BYTES", 0)
    assert read_records(path) == whole


def test_only_a_large_file_of_json_lines_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(FORMS["plain"])
    assert streams.text_lines(path) is None
    monkeypatch.setattr(streams, "STREAMED_BYTES", 0)
    lines = streams.text_lines(path)
    assert lines is not None
    assert [line.number for line in lines] == [1, 2]


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nope.jsonl"):
        with pytest.raises(MissingAsset, match="cannot be read"):
            read_records(path)
