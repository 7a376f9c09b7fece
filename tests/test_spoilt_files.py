"""Every reader of a user's file on every spoilt file: an error of ours with a message that can be read, soon, and never anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ends import ends
from spoilt import SPOILT

from reasoner.budget import read_prices
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.datasets.contamination import _texts
from reasoner.datasets.imports import read_path
from reasoner.datasets.trace import origins
from reasoner.errors import ReasonerError
from reasoner.prompts import Prompts
from reasoner.runs.problems import draw
from reasoner.store import Store
from reasoner.translation import readers
from reasoner.translation.rows import Wanted
from reasoner.tune.rows import read_rows


def imported(path: Path) -> None:
    with Store.open(path.with_name("i.db")) as store:
        read_path(store, path, kind="", columns="", root="", solver="", strict=False, command="")


def template(path: Path) -> None:
    folder = path.parent / "prompts" / "cot"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answer.jinja").write_bytes(path.read_bytes())
    Prompts(folder.parent).get("cot/answer").render({"statement": "x", "shots": [], "format": "plain"})


def parallel(kind: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        place = path.with_suffix(kind)
        place.write_bytes(path.read_bytes())
        return list(readers.read(place, Wanted({"A": "a", "B": "b"})))

    return read


READERS: dict[str, Callable[[Path], Any]] = {
    "import": imported, "prices": read_prices, "template": template, "questions": lambda path: draw(f"question:{path}", n=1, seed=0),
    "database": lambda path: Store.read(path).close(), "database to write": lambda path: Store.open(path).close(), "tuning rows": read_rows,
    "gguf": read_header, "trace": lambda path: origins(path, 1), "contamination": lambda path: list(_texts(path)),
    **{ending: parallel(ending) for ending in readers.READERS},
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_a_spoilt_file_is_told_in_a_line(tmp_path: Path, reader: str) -> None:
    for number, data in enumerate(SPOILT):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(data)
        with ends(data[:60]):
            try:
                READERS[reader](path)
            except ReasonerError as error:
                assert len(str(error)) < 2000, (data[:60], str(error)[:300])
