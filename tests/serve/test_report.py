"""A run as one file and as a folder of pages: whole, without script, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stores import grow

import reasoner
from reasoner.errors import BadConfig, UnknownName
from reasoner.serve.report import write_bundle, write_report
from reasoner.store import Store


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, str]:
    made = reasoner.bench("number_path", strategy="cot,ats", model="teacher", n=3, db=tmp_path / "t.db")
    return tmp_path / "t.db", made.report.run_id


def test_a_bundle_is_whole_and_its_links_lead_somewhere(run: tuple[Path, str], tmp_path: Path) -> None:
    db, run_id = run
    with Store.read(db) as store:
        assert write_bundle(store, run_id, tmp_path / "pages") == 6
    files = {path.relative_to(tmp_path / "pages").as_posix(): path for path in (tmp_path / "pages").rglob("*.*")}
    assert set(files) == {"index.html", *(f"t/{n:05d}.html" for n in range(1, 7))}
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "Content-Security-Policy" in text
        folder = (tmp_path / "pages" / name).parent
        ids = set(re.findall(r' id="([^"]+)"', text))
        for link in re.findall(r'href="([^"]+)"', text):
            if link.startswith("#"):
                assert link[1:] in ids, (name, link)
            elif link != "data:,":
                assert (folder / link).is_file(), (name, link)
    assert files["index.html"].read_text(encoding="utf-8").count('href="t/') == 6
    assert "Accuracy of a single answer" in files["index.html"].read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(run: tuple[Path, str], tmp_path: Path) -> None:
    db, run_id = run
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "mine.txt").write_text("mine")
    with Store.read(db) as store:
        for place in (tmp_path / "pages", tmp_path / "pages" / "mine.txt"):
            with pytest.raises(BadConfig, match="is no empty folder"):
                write_bundle(store, run_id, place)
        with pytest.raises(UnknownName):
            write_bundle(store, "none", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["mine.txt"]


def test_so_many_as_were_asked_for(run: tuple[Path, str], tmp_path: Path) -> None:
    db, run_id = run
    with Store.read(db) as store:
        assert write_bundle(store, run_id, tmp_path / "pages", limit=2) == 2
        assert write_report(store, run_id, tmp_path / "r.html", limit=2) == 2
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count('<section id="t-') == 2
    assert not (tmp_path / "pages" / "t" / "00003.html").exists()


def test_texts_of_models_stay_texts(tmp_path: Path) -> None:
    text = "</pre><script>window.pwned=1</script>"
    grow(tmp_path / "x.db", 6, [text], label=text)
    with Store.read(tmp_path / "x.db") as store:
        run_id = store.tuples("SELECT id FROM runs")[0][0]
        write_bundle(store, run_id, tmp_path / "pages")
    for path in (tmp_path / "pages").rglob("*.html"):
        assert "<script>" not in path.read_text(encoding="utf-8")
