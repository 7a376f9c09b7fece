"""Files of translators in UTF-16, Windows-1252 and the character sets of PO files: read, and written back byte for byte but for the translations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.api.documents import translate_document
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import CorruptRecord
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.readers.gettext import read_po
from reasoner.translation.rows import Wanted

FILES = {
    "a.srt": "1\r\n00:00:01,000 --> 00:00:02,000\r\nUn café.\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nÇa va – bien.\r\n",
    "a.po": '# très\nmsgid "Un café."\nmsgstr ""\n\nmsgid "Ça va"\nmsgstr ""\n\nmsgid "été"\nmsgstr "stà"\n',
    "a.md": "---\ntitle: été\n---\n# Un café.\n\nÇa va – bien.\n",
    "a.csv": "French;Ladin\r\nUn café.;\r\nÇa va – bien.;\r\n",
    "a.txt": "Un café. Ça va – bien.\n",
}
CHARSETS = {
    "UTF-8": ("utf-8", b""), "UTF-8 with a mark": ("utf-8", b"\xef\xbb\xbf"), "UTF-16": ("utf-16-le", b"\xff\xfe"), "UTF-16 turned round": ("utf-16-be", b"\xfe\xff"),
    "UTF-16 without a mark": ("utf-16-le", b""), "Windows-1252": ("cp1252", b""),
}  # fmt: skip


def opened(path: Path) -> Any:
    table = path.suffix == ".csv"
    return open_document(path, source="French", target="Ladin", column="Ladin" if table else "", sentences=path.suffix == ".txt")


def saved(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_written_as_it_was(tmp_path: Path, name: str, charset: str) -> None:
    codec, mark = CHARSETS[charset]
    data = mark + FILES[name].encode(codec)
    document = opened(saved(tmp_path, name, data))
    assert document.units[0].text == "Un café."
    assert document.written({}) == data
    wanted = opened(saved(tmp_path, f"plain{Path(name).suffix}", FILES[name].encode())).written({0: Filled("N cafè.")}).decode()
    assert document.written({0: Filled("N cafè.")}) == mark + wanted.encode(codec)
    assert wanted != FILES[name]
    remarks = document.remarks({0: Filled("N cafè.")})
    assert remarks == (
        [] if "UTF-8" in charset else [f"read and written as {charset.partition(' ')[0]}" + ", since it is not UTF-8" * (codec == "cp1252")]
    )


@pytest.mark.parametrize("name", FILES)
def test_a_letter_that_the_charset_lacks_makes_the_file_utf8(tmp_path: Path, name: str) -> None:
    document = opened(saved(tmp_path, name, FILES[name].encode("cp1252")))
    filled = {0: Filled("Caș.")}
    plain = opened(saved(tmp_path, f"plain{Path(name).suffix}", FILES[name].encode()))
    assert document.written(filled) == plain.written(filled)
    assert document.remarks(filled)[1:] == ["written as UTF-8: Windows-1252 has no 'ș'"]


@pytest.mark.parametrize(
    ("charset", "source", "translation"),
    [
        ("ISO-8859-1", "Un café", "N cafè"), ("windows-1251", "Кофе", "Кава"), ("KOI8-R", "Кофе", "Кава"), ("Shift_JIS", "表示", "ソ能"), ("EUC-JP", "表示", "能"), ("GBK", "咖啡", "茶"), ("Big5", "功能", "許蓋"),
        ("iso-8859-15", "5 €", "6 € o"), ("us-ascii", "Coffee", "Kava"),
    ],
)  # fmt: skip
def test_a_po_file_names_its_charset(tmp_path: Path, charset: str, source: str, translation: str) -> None:
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset={charset}\\n"\n"Language: x\\n"\n\n'
    text = f'{head}msgid "{source} a"\nmsgstr ""\n\nmsgid "{source} b"\nmsgstr "{translation}"\n'
    path = saved(tmp_path, "a.po", text.encode(charset))
    document = open_document(path)
    assert ([unit.text for unit in document.units], document.written({})) == ([f"{source} a"], text.encode(charset))
    filled = {0: Filled(f"{translation} a")}
    empty = f'msgid "{source} a"\nmsgstr ""'
    assert document.written(filled) == text.replace(empty, f'{empty[:-1]}{translation} a"').encode(charset)
    assert document.remarks(filled) == [f"read and written as {charset}, as its head says"]
    rows = [row.cells for row in read_po(path, Wanted({"A": "msgid", "B": "msgstr"})) if not row.fault]
    assert rows == [(f"{source} b", translation)]
    other = {0: Filled("ṍ")}
    assert document.written(other).decode() == text.replace(charset, "UTF-8").replace(empty, f'{empty[:-1]}ṍ"')
    assert document.remarks(other)[1:] == [f"written as UTF-8: {charset} has no 'ṍ'"]


@pytest.mark.parametrize("charset", ["UTF-8", "CHARSET", ""])
def test_a_po_file_that_names_none_is_read_like_a_text(tmp_path: Path, charset: str) -> None:
    head = f'msgid ""\nmsgstr "Content-Type: text/plain\\n"\n"Content-Type: text/plain; charset={charset}\\n"\n\n'
    data = f'{head}msgid "café"\nmsgstr ""\n'.encode("cp1252" if charset != "UTF-8" else "utf-8")
    document = open_document(saved(tmp_path, "a.po", data))
    assert (document.units[0].text, document.written({})) == ("café", data)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.srt", FILES["a.srt"].encode() + b"\xe8", "line 8: it is not UTF-8"), ("a.md", b"one\n\xc3\xa8 \xff", "line 2: it is not UTF-8"), ("a.txt", b"one\n\xc3\xa8 \xff", "line 2: it is not UTF-8"),
        ("a.md", b"one\n\xe8 \x81", "line 2: it is neither UTF-8, UTF-16 nor Windows-1252"), ("a.txt", b"\xe8\n\nab\x00", "line 3: it is neither"), ("a.srt", b"\xff\xfe1\x00\n\x00\x00", "it is neither"),
        ("a.po", b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=klingon\\n"\n', "line 3: the character set 'klingon' is not known"),
        ("a.po", b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-7\\n"\n', "'utf-7' is not known"), ("a.po", b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=rot13\\n"\n', "'rot13' is not known"),
        ("a.po", b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=EUC-JP\\n"\n\nmsgid "\xff"\nmsgstr ""\n', "line 5: it is not EUC-JP, as its head says"),
        ("a.po", 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "\xe9"\nmsgstr ""\n'.encode("latin-1"), "line 5: it is not UTF-8, as its head says"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(CorruptRecord, match=says) as caught:
        opened(saved(tmp_path, name, data))
    assert "\n" not in str(caught.value)


def test_a_run_tells_how_the_file_was_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.srt", FILES["a.srt"].encode("cp1252"))
    client = ScriptedClient(lambda request: "Answer: N cafè." if "Un café" in request.messages[-1].content else "Answer: Va bën.")
    made = translate_document(
        path, source="French", target="Ladin", strategy="example_shot:method=none", model=client, db=tmp_path / "t.db"
    )
    assert made.data == FILES["a.srt"].replace("Un café.", "N cafè.").replace("Ça va – bien.", "Va bën.").encode("cp1252")
    assert made.remarks == ("read and written as Windows-1252, since it is not UTF-8",)
