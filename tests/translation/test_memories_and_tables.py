"""Translation memories (TMX) and columns of tables, 30 files of each kind: what is filled, that tags are kept, that all else stays.

The oracles are lxml and the csv module, which share no code with the writers.
"""

from __future__ import annotations

import csv
import html
import io
import random
import re
from pathlib import Path

import pytest
from lxml import etree

from reasoner.api.documents import translate_document
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, DataError
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.documents._spans import MARKER, Document

WORDS = ["river", "the", "old", "è", "l'acqua", "%s", "{name}", "5", "a&b", "https://example.org/a?b=1"]


def saved(folder: Path, name: str, data: str | bytes) -> Path:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder / name


def all_filled(document: Document) -> dict[int, Filled]:
    return {n: Filled("X " + MARKER.sub(r"{\1}", unit.text).replace("river", "rü")) for n, unit in enumerate(document.units)}


def words(rng: random.Random) -> str:
    return " ".join(["river", *rng.choices(WORDS, k=rng.randint(0, 5))])


# --- TMX ---


def memory(rng: random.Random) -> tuple[str, int]:
    """A memory and how many units of it lack the target."""
    end, name = rng.choice((("\n", "xml:lang"), ("\r\n", "xml:lang"), ("\n", "lang")))
    made, n_open = [], 0
    for number in range(rng.randint(1, 9)):
        codes = [
            f'<bpt i="{number}">&lt;b title="x>y"&gt;</bpt>bold<ept i="{number}">&lt;/b&gt;</ept>',
            f'<ph x="{number}">{{<sub>note</sub>}}</ph>',
            "<hi type='a'>high</hi>",
            "<ut>\\par</ut>",
        ]
        source = " ".join([html.escape(words(rng), quote=False), *rng.sample(codes, rng.choice((0, 1, 2)))])
        kind = rng.choice(("none", "none", "empty", "closed", "done", "other"))
        n_open += kind != "done"
        target = {
            "empty": f'\n      <tuv {name}="LLD"><note>n</note><seg></seg></tuv>',
            "closed": f"<tuv {name}='lld'><seg/></tuv>",
            "done": f'<tuv {name}="lld"><seg>fat</seg></tuv>',
            "other": f'<tuv {name}="de"><seg>Fluss</seg></tuv>',
        }.get(kind, "")
        made.append(
            f'    <tu tuid="{number}">\n      <tuv {name}="en-US"><prop type="p">a > b</prop><seg>{source}</seg></tuv>{target}\n    </tu>'
        )
    text = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n<header srclang="en-US"/><body>\n' + "\n".join(
        made
    )
    return (text + "\n</body></tmx>\n").replace("\n", end), n_open


def variants(data: bytes) -> list[dict[str, str]]:
    """Of every unit the segments as XML, by code."""
    found = []
    for unit in etree.fromstring(data, etree.XMLParser(load_dtd=False, no_network=True)).iter("tu"):
        own = {}
        for variant in unit.iter("tuv"):
            code = variant.get("{http://www.w3.org/XML/1998/namespace}lang") or variant.get("lang")
            assert code.lower() not in own
            own[code.lower()] = etree.tostring(variant.find("seg"), with_tail=False).decode()
        found.append(own)
    return found


def tags(text: str) -> list[str]:
    return sorted(
        re.findall(
            r"<(?:bpt|ept|ph|ut|hi)[ >].*?</(?:bpt|ept|ph|ut|hi)>", text.replace("high", "").replace("<hi type='a'>", '<hi type="a">')
        )
    )


@pytest.mark.parametrize("seed", range(30))
def test_memories_keep_everything_but_their_missing_segments(tmp_path: Path, seed: int) -> None:
    text, n_open = memory(random.Random(seed))
    path = saved(tmp_path, "a.tmx", text)
    document = open_document(path, source="English", target="lld")
    assert len(document.units) == n_open
    assert document.written({}) == path.read_bytes()
    data = document.written(all_filled(document))
    before, after = variants(path.read_bytes()), variants(data)
    for old, new in zip(before, after, strict=True):
        assert new["en-us"] == old["en-us"]
        assert new.get("de") == old.get("de")
        if old.get("lld") == "<seg>fat</seg>":
            assert new == old
        else:
            assert "X " in new["lld"]
            assert tags(new["lld"]) == tags(new["en-us"])
            for placeholder in ("%s", "{name}", "https://example.org/a?b=1"):
                assert new["lld"].count(placeholder) == new["en-us"].count(placeholder)

    def rest(whole: str) -> str:
        whole = re.sub(r"\s*<tuv [a-z:]+=[\"'](?:lld|LLD)[\"'](?!><note>)>.*?</tuv>", "", whole)
        return re.sub(r"(<note>n</note>)<seg>.*?</seg>", r"\1", whole)

    assert rest(data.decode()) == rest(text)
    assert open_document(saved(tmp_path, "b.tmx", data), source="English", target="lld").units == []


def test_a_code_that_a_translation_lacks_is_put_at_its_end(tmp_path: Path) -> None:
    text = '<tmx><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>Open <hi>now</hi> <ph>x</ph></seg></tuv></tu></body></tmx>'
    document = open_document(saved(tmp_path, "a.tmx", text), source="English", target="Ladin", codes="en:lld")
    assert [unit.text for unit in document.units] == ["Open {1}now{2} {3}"]
    for reply, wanted in (
        ("Giaurì <b>", "Giaurì &lt;b&gt;<hi></hi><ph>x</ph>"),
        ("{2}Giaurì{1} {3}", "Giaurì<hi></hi><ph>x</ph>"),
        ("{3} Giaurì {1}ades{2}", "<ph>x</ph> Giaurì <hi>ades</hi>"),
    ):
        assert f'<tuv xml:lang="lld"><seg>{wanted}</seg></tuv></tu>' in document.written({0: Filled(reply)}).decode()


def test_a_code_out_of_place_is_told_as_a_memory_has_no_mark_for_it(tmp_path: Path) -> None:
    unit = '<tu>\n<tuv xml:lang="en"><seg>Open the <hi>{}</hi></seg></tuv></tu>'
    path = saved(tmp_path, "a.tmx", f'<tmx><header srclang="en"/><body>{unit.format("door")}{unit.format("lid")}</body></tmx>')
    client = ScriptedClient(["Answer: {2}Giaurì la porta{1}", "Answer: Giaurì l {1}cuercl{2}"])
    made = translate_document(
        path, source="English", target="Ladin", codes="en:lld", model=client, db=tmp_path / "t.db", strategy="example_shot:method=none"
    )
    assert made.doubtful == ("line 2: a tag or placeholder lacked, or was out of place",)
    assert "Giaurì la porta<hi></hi>" in made.data.decode()


def test_languages_of_a_memory_are_its_own_or_asked_for(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="en"><seg>Open</seg></tuv></tu><tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
    path = saved(tmp_path, "a.tmx", f'<tmx><header srclang="*all*"/><body>{unit}</body></tmx>')
    for source, codes in (("en", ""), ("English", "EN:de")):
        assert len(open_document(path, source=source, target="German", codes=codes).units) == 1
    assert len(open_document(path, source="en", target="lld").units) == 2
    with pytest.raises(BadConfig, match="it has en, de"):
        open_document(path, source="English", target="German")
    with pytest.raises(BadConfig, match="no pair"):
        open_document(path, source="English", target="German", codes="en")


# --- tables ---


def table(rng: random.Random, kind: str) -> tuple[str, int]:
    """A table and how many cells of it are to be filled."""
    end, delimiter = rng.choice(("\n", "\r\n")), "\t" if kind == "tsv" else rng.choice(",;")
    rows, n_open = [["id", "English", "note", "Ladin"]], 0
    for number in range(rng.randint(1, 9)):
        text = words(rng)
        if kind != "tsv":
            text = rng.choice((text, f"{text}, and; so", f'{text} "so"', f"{text}\nsecond", f" {text}"))
        target = rng.choice(("", "", " ", "fat"))
        n_open += target != "fat"
        rows.append([str(number), text, rng.choice(("", "n", '5" x' if kind == "tsv" else "a,b")), target])
    if kind == "tsv":
        return end.join(["\t".join(row) for row in rows]) + rng.choice(("", end)), n_open
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator=end, quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerows(rows)
    return made.getvalue(), n_open


def cells(text: str, kind: str) -> list[list[str]]:
    first = text.partition("\n")[0]
    if kind == "tsv":
        return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") else ",", strict=True))


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize("seed", range(30))
def test_tables_keep_everything_but_the_empty_cells_of_their_column(tmp_path: Path, seed: int, kind: str) -> None:
    text, n_open = table(random.Random(f"{seed}{kind}"), kind)
    mark, encoding = [("", "utf-8"), ("\ufeff", "utf-8"), ("\ufeff", "utf-16-le" if kind == "csv" else "utf-8")][seed % 3]
    path = saved(tmp_path, f"a.{kind}", (mark + text).encode(encoding))
    document = open_document(path, source="English", target="Ladin", column="Ladin")
    assert len(document.units) == n_open
    assert document.written({}) == path.read_bytes()
    made = document.written(all_filled(document)).decode(encoding)
    assert made.startswith(mark)
    before, after = cells(text, kind), cells(made.removeprefix(mark), kind)
    for old, new in zip(before, after, strict=True):
        assert new[:3] == old[:3]
        if old[3].strip():
            assert new[3] == old[3]
        else:
            assert new[3].startswith("X ")
            for placeholder in ("%s", "{name}", "https://example.org/a?b=1", "\n"):
                assert new[3].count(placeholder) == old[1].count(placeholder)
    same = [line for line in text.splitlines() if line.endswith(("fat", 'fat"'))]
    assert all(line in made for line in same), "a row that needs nothing is the same to the last sign"
    assert open_document(saved(tmp_path, f"b.{kind}", made.encode(encoding)), source="English", column="Ladin").units == []


def test_odd_rows_are_told_and_stay_and_formulas_are_text(tmp_path: Path) -> None:
    text = 'en;lld\nOne;\nodd\n"open;\n"a"b;\nTwo;""\n=SUM(A);\n42;\n'
    path = saved(tmp_path, "a.csv", text)
    document = open_document(path, column="en=lld")
    assert document.left == ["line 3: 1 columns, the head has 2", "line 4: a quote is out of place", "line 5: a quote is out of place"]
    assert [unit.text for unit in document.units] == ["One", "Two", "=SUM(A)"]
    made = document.written({0: Filled("=cmd|' /C calc'!A0"), 1: Filled('doi "x"; y'), 2: Filled("=SUM(B)")}).decode()
    assert made == 'en;lld\nOne;\'=cmd|\' /C calc\'!A0\nodd\n"open;\n"a"b;\nTwo;"doi ""x""; y"\n=SUM(A);=SUM(B)\n42;\n'


def test_a_table_goes_through_a_run(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.tsv", "en\tlld\nThe river sleeps here\t\nodd\nDone\tFat\n")
    client = ScriptedClient(["Answer: L rü dorm"])
    made = translate_document(
        path, source="English", target="Ladin", column="en=lld", model=client, db=tmp_path / "t.db", strategy="example_shot:method=none"
    )
    assert made.data.decode() == "en\tlld\nThe river sleeps here\tL rü dorm\nodd\nDone\tFat\n"
    assert (made.n_filled, made.left, made.doubtful) == (1, ("line 3: 1 columns, the head has 2",), ())


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.tmx", b"<tmx><body><tu>", "XML"),
        ("a.tmx", b"", "XML"),
        ("a.tmx", b"<xliff/>", "no TMX"),
        ("a.tmx", b'<!DOCTYPE t [<!ENTITY a "b">]><tmx/>', "entities"),
        ("a.tmx", "<tmx/>".encode("utf-16"), "UTF-8"),
        ("a.csv", b"", "first line"),
        ("a.csv", b"English,Ladin\n\xff\xc3\xa8,\n", "UTF-8"),
        ("a.csv", b"English,Ladin\ncaff\xe8\x81,\n", "UTF-8"),
        ("a.csv", b"English,x\n", "no column 'Ladin'"),
        ("a.tsv", b"x\tLadin\n", "no column 'English'"),
    ],
)
def test_damaged_files_are_told_in_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    column = "" if name == "a.tmx" else "Ladin"
    with pytest.raises((DataError, BadConfig), match=says) as caught:
        open_document(saved(tmp_path, name, data), source="English", target="Ladin", column=column)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadConfig, match="no table"):
        open_document(tmp_path / "a.po", source="English", column="Ladin")
