"""Files of rows: hostile text survives, a kill leaves nothing, Parquet says the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reasoner
from reasoner.datasets import write
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.datasets.write import JsonLines, open_rows
from reasoner.errors import DataError
from reasoner.store import Store

HOSTILE = [
    "\u2028", "\u2029", "\x85", "\r\n", "\x00", "\x1b[31m", "\u202e", "\ufeff", "=HYPERLINK(1)", "+1", "-1", "@x", "\t", '"', "\\", "\\u0000", "</script>",
    "\U0001f600", "\ud7ff", "}{", "\\n", "'; DROP TABLE rows; --", "{% raw %}", "${HOME}", "\x7f", "\u0301",
]  # fmt: skip


def hostile(rng: random.Random) -> str:
    return "".join(
        rng.choice(HOSTILE) if rng.random() < 0.5 else chr(rng.choice([rng.randrange(32, 127), rng.randrange(0xA0, 0xD7FF)]))
        for _ in range(12)
    )


@pytest.mark.slow
def test_twenty_thousand_rows_of_hostile_text_come_back(tmp_path: Path) -> None:
    """A file, the store, an export: no text is changed, every line is one row, and the bytes are those of the file."""
    rng = random.Random(20_000)
    path = tmp_path / "in.jsonl"
    rows = []
    for n in range(20_000):
        texts = (("system", "s"), ("user", hostile(rng)), ("assistant", f"{n} {hostile(rng)}"))
        rows.append({"messages": [{"role": role, "content": text} for role, text in texts]})
    assert write.write_jsonl(path, rows) == 20_000
    with Store.open(tmp_path / "t.db") as store:
        assert read_path(store, path, kind="openai-sft").taken == 20_000
        tally = export(store, "openai-sft", tmp_path / "out.jsonl", Filters(verdict="any"), Options(secrets="keep", special_tokens="keep"))
    assert (tally.taken, tally.left_out) == (20_000, {})
    data = (tmp_path / "out.jsonl").read_bytes()
    assert data.isascii()
    assert data == path.read_bytes()
    assert [json.loads(line) for line in data.split(b"\n")[:-1]] == rows


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.lists(st.text(), max_size=3)}), max_size=20))
@settings(max_examples=60)
def test_any_text_is_one_line_and_comes_back(rows: list[dict[str, object]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "o.jsonl"
        assert write.write_jsonl(path, rows) == len(rows)
        if rows:
            assert [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] == rows
        assert [p.name for p in Path(folder).iterdir()] == (["o.jsonl"] if rows else [])


KILLED = """
import sys, time
from pathlib import Path
from reasoner.datasets.write import JsonLines
with JsonLines(Path(sys.argv[1])) as file:
    for n in range(10**9):
        file.add({"n": n, "text": "x" * 1000})
        if n == 5000:
            print("writing", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
def test_a_kill_in_the_middle_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("before")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "out.jsonl")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == "before"


def test_a_kill_of_the_command_leaves_no_partial_file(tmp_path: Path) -> None:
    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path"], strategy="ats", model="teacher", n=60, db=tmp_path / "t.db", sampling=sampling)
    out = tmp_path / "out"
    out.mkdir()
    for delay in (0.4, 0.8, 1.2):
        command = [sys.executable, "-m", "reasoner", "export", "prm", str(out / "o.jsonl"), "--db", str(tmp_path / "t.db")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        for path in out.iterdir():  # whole, or not there
            assert path.name == "o.jsonl"
            assert path.read_text().endswith("}\n")
            path.unlink()


def test_where_files_need_a_name_it_is_a_hidden_one_and_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with JsonLines(tmp_path / "o.jsonl") as file:
        file.add({"a": 1})
        assert [p.name.startswith(".o.jsonl.") for p in tmp_path.iterdir()] == [True]
    assert list(tmp_path.iterdir()) == []
    with JsonLines(tmp_path / "o.jsonl") as file:
        file.add({"a": 1})
        file.commit()
    assert [p.name for p in tmp_path.iterdir()] == ["o.jsonl"]
    assert (tmp_path / "o.jsonl").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path"], strategy="cot", model="teacher", n=2, db=tmp_path / "t.db", sampling=sampling)
    with Store.open(tmp_path / "t.db") as store, pytest.raises(DataError, match="cannot write"):
        export(store, "sft", tmp_path / "no" / "where.jsonl", options=Options(split="train=0.5,test=0.5"))


def test_parquet_says_the_same(tmp_path: Path) -> None:
    import datasets

    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path", "game24"], strategy="cot,ats", model="teacher", n=3, db=tmp_path / "t.db", sampling=sampling)
    with Store.open(tmp_path / "t.db") as store:
        for name in ("sft", "dpo", "kto", "prm", "alpaca"):
            lines, table = tmp_path / f"{name}.jsonl", tmp_path / f"{name}.parquet"
            options = Options(labels_from="tree" if name == "dpo" else "replies")
            assert export(store, name, lines, options=options).taken == export(store, name, table, options=options).taken
            loaded = datasets.load_dataset("parquet", data_files=str(table), split="train", cache_dir=str(tmp_path / "cache"))
            rows = [json.loads(line) for line in lines.read_text().splitlines()]
            assert [_there(dict(row)) for row in loaded] == rows
            again = tmp_path / f"{name}.2.parquet"
            export(store, name, again, options=options)
            assert again.read_bytes() == table.read_bytes()


def _there(value: Any) -> Any:
    """What a row holds: Parquet has every column of its format, JSON lines those there is something in."""
    if isinstance(value, dict):
        return {name: _there(inner) for name, inner in value.items() if inner is not None}
    return list(map(_there, value)) if isinstance(value, list) else value


def test_parquet_refuses_rows_of_another_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "GROUP_ROWS", 1)
    with open_rows(tmp_path / "o.parquet") as file:
        file.add({"a": 1})
        with pytest.raises(DataError, match="one shape"):
            file.add({"a": "text"})
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_parquet_and_near_duplicates_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoner.datasets.duplicates import NearDuplicates
    from reasoner.errors import MissingDependency

    for name in ("pyarrow", "pyarrow.parquet", "datasketch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match=r"reasoner-llm\[data\]"):
        open_rows(tmp_path / "o.parquet")
    with pytest.raises(MissingDependency, match=r"reasoner-llm\[data\]"):
        NearDuplicates(0.9)
