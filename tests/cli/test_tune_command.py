"""`reasoner tune` says what is wrong in one line, before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROW = {"prompt": "p", "completion": "Answer: 1"}


def tune(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "reasoner", "tune", *args], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("row", "args", "says"),
    [
        ({"text": "x"}, [], "error: d.jsonl, line 1: it has neither the columns prompt and completion nor messages (it has: text)"),
        (ROW, ["--rank", "0"], "error: --rank 0: it is at least 1"),
        (ROW, ["--tokens", "-1"], "error: --tokens -1: it is at least 0"),
        (ROW, ["--model", "none.gguf"], "none.gguf does not exist"),
        (ROW, ["--model", "d.jsonl"], "cannot be used as a GGUF file"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, row: object, args: list[str], says: str) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    done = tune("d.jsonl", "--out", "a.gguf", *args, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "a.gguf").exists()
