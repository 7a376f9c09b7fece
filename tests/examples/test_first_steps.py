"""The notebook among the examples runs as it stands, from the first cell to the last, and its results, tables and charts are drawn."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples" / "first_steps.ipynb"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run the notebook in an empty folder; return what each cell showed, HTML where it has some, by its last line."""
    folder = tmp_path_factory.mktemp("first_steps")
    book: Any = nbformat.read(FILE, as_version=4)  # type: ignore[no-untyped-call]  # the package has no types
    client = NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        client.execute()
    return {cell.source.splitlines()[-1]: _shown(cell) for cell in book.cells if cell.cell_type == "code"}


def _shown(cell: Any) -> str:
    data = [output["data"] for output in cell.outputs if "data" in output]
    return "".join(each.get("text/html") or each["text/plain"] for each in data)


def test_it_is_kept_without_outputs() -> None:
    book: Any = nbformat.read(FILE, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)
    assert not [cell for cell in book.cells if cell.get("outputs") or cell.get("execution_count")]
    assert FILE.stat().st_size < 20_000


def test_a_result_is_drawn(ran: dict[str, str]) -> None:
    assert "correct</b>" in ran["result"]
    assert "thoughts</summary>" in ran["result"]
    assert ran["result.correct, result.answer, result.spent.calls"].startswith("(True, ")


def test_a_bench_is_a_chart_and_a_table(ran: dict[str, str]) -> None:
    found = ran["made"]
    assert found.count("<circle") == 6
    assert len(re.findall("<tr>", found)) == 7
    assert "number_path · ats" in found
    assert ran["made.report"].count("✓ correct") == 24


def test_a_comparison_is_a_chart_and_its_tables(ran: dict[str, str]) -> None:
    found = ran["compared"]
    assert found.count("<circle") == 3
    assert [title for title in ("Accuracy of a single answer", "What was used", "Accuracy by level") if f">{title}</caption>" in found]
    assert "vs cot" in found


def test_the_last_cells_solve_and_export(ran: dict[str, str]) -> None:
    assert "correct</b>" in ran['reasoner.solve("number_path", "2 9 20", strategy=Twice, model="teacher", db=DB)']
    assert int(ran["tally.taken"]) > 5
