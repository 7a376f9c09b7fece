"""Files as tools and people really write them: cues without an empty line between, sources cut into segments, tables that say what separates them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.translation.documents import Filled, open_document
from reasoner.translation.readers.tables import table_rows


def filled(path: Path, data: bytes, texts: list[str], **more: Any) -> bytes:
    """Write a file, check its units against the texts given as `source=translation`, and return it with the translations."""
    path.write_bytes(data)
    document = open_document(path, source="English", target="Selvan", **more)
    assert document.written({}) == data
    assert [unit.text for unit in document.units] == [text.partition("=")[0] for text in texts]
    return document.written({n: Filled(text.partition("=")[2]) for n, text in enumerate(texts)})


def test_a_cue_ends_where_the_next_one_begins_also_without_an_empty_line(tmp_path: Path) -> None:
    first, second = "1\n00:00:01,000 --> 00:00:02,000\n", "2\n00:00:02,000 --> 00:00:03,000\n"
    for ends in ("\n", "\r\n"):
        for between in ("", ends):
            data = (
                f"\ufeff{first}One\nmore\n{between}{second}Two".replace("\n", ends)
                if between != "\n"
                else f"\ufeff{first}One\nmore\n\n{second}Two"
            )
            made = filled(tmp_path / "a.srt", data.encode(), ["One more=Un plü", "Two=Doi"])
            assert made == data.replace(f"One{ends}more", f"Un{ends}plü").replace("Two", "Doi").encode()


def test_text_in_no_cue_is_told_and_stays(tmp_path: Path) -> None:
    data = b"1\n00:00:01,000 --> 00:00:02,000\nOne\n \nstill one?\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo\n\n\nend\n"
    assert filled(tmp_path / "a.srt", data, ["One=Un", "Two=Doi"]) == data.replace(b"One", b"Un").replace(b"Two", b"Doi")
    left = open_document(tmp_path / "a.srt").left
    assert list(left) == ["line 5: it stands behind an empty line, in no cue", "line 12: it stands behind an empty line, in no cue"]


@pytest.mark.parametrize("target", ["", "<target/>", '<target><mrk mtype="seg" mid="1"></mrk> <mrk mtype="seg" mid="2"/></target>'])
def test_a_source_that_a_tool_cut_into_segments_is_translated_with_them(tmp_path: Path, target: str) -> None:
    cut = '<mrk mtype="seg" mid="1">One.</mrk> <mrk mtype="seg" mid="2">Two.</mrk>'
    head = '<xliff version="1.2"><file><body><trans-unit id="1"><source>One. Two.</source>'
    data = f"{head}<seg-source>{cut}</seg-source>{target}</trans-unit></body></file></xliff>"
    made = filled(tmp_path / "a.xlf", data.encode(), ["{1}One.{2} {3}Two.{4}={1}Un.{2} {3}Doi.{4}"]).decode()
    written = made.split("</seg-source>")[1].split("</trans-unit>")[0]
    assert written.startswith('<target state="translated"')
    assert written.endswith('><mrk mtype="seg" mid="1">Un.</mrk> <mrk mtype="seg" mid="2">Doi.</mrk></target>')


def test_a_target_with_text_between_its_codes_is_translated(tmp_path: Path) -> None:
    data = '<xliff version="1.2"><file><body><trans-unit id="1"><source>One</source><target><g id="1">Un</g></target></trans-unit></body></file></xliff>'
    assert filled(tmp_path / "a.xlf", data.encode(), []) == data.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("text", "made", "first"),
    [
        ("English|Selvan\nHello, there|\n", "English|Selvan\nHello, there|Bun dé\n", 1),
        ("sep=;\r\nEnglish;Selvan\r\nHello, there;\r\n", "sep=;\r\nEnglish;Selvan\r\nHello, there;Bun dé\r\n", 2),
        ('"sep=|"\nEnglish|Selvan\nHello, there|\n', '"sep=|"\nEnglish|Selvan\nHello, there|Bun dé\n', 2),
        ("SEP=\t\nEnglish\tSelvan\nHello, there\t\n", "SEP=\t\nEnglish\tSelvan\nHello, there\tBun dé\n", 2),
    ],
)
def test_a_table_may_say_what_separates_its_cells(tmp_path: Path, encoding: str, text: str, made: str, first: int) -> None:
    path = tmp_path / "a.csv"
    assert filled(path, text.encode(encoding), ["Hello, there=Bun dé"], column="Selvan") == made.encode(encoding)
    path.write_bytes(text.encode(encoding))
    assert list(table_rows(path)) == [(first, ["English", "Selvan"]), (first + 1, ["Hello, there", ""])]
    assert open_document(path, source="English", target="Selvan", column="Selvan").units[0].line == first + 1


def test_what_separates_the_cells_is_quoted_in_a_translation(tmp_path: Path) -> None:
    assert filled(tmp_path / "a.csv", b"sep=|\nEnglish|Selvan\nHello|\n", ["Hello=a | b"], column="Selvan").endswith(b'Hello|"a | b"\n')
