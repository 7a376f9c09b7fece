"""Markdown and picture: nothing in a name can break out of them, and what a picture shows can be read without colours."""

from __future__ import annotations

import builtins
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from reasoner.budget import Spent
from reasoner.comparison.comparison import Comparison, compare_trials
from reasoner.comparison.markdown import markdown, write_markdown
from reasoner.comparison.plot import MAX_PANELS, SHAPES, panels, write_plot
from reasoner.comparison.trials import Trial, Trials
from reasoner.errors import BadConfig, DataError, MissingDependency

STRATEGIES = ("direct", "cot", "ats", "tot", "iot", "self_consistency", "best_of_n", "tot:oracle=True")


def made(*, solvers: int = 2, models: tuple[str, ...] = ("local",), strategies: tuple[str, ...] = STRATEGIES, **more: Any) -> Comparison:
    trials = tuple(
        Trial(
            f"solver{s}", f"{s}/{p}", 1, strategy, "oracle" in strategy, model, 0, p % 2 == 0, False, False, False, "x",
            Spent(1, 100 * 2**i, 50, 0, 1.0, None), 0,
        )
        for model in models for i, strategy in enumerate(strategies) for s in range(solvers) for p in range(4)
    )  # fmt: skip
    return compare_trials(Trials("abc", "reasoner compare x", 1, trials, **{"left_out": 0, "open": 0, **more}))


def table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.replace("\\|", "\x00").strip("|").split("|")] for line in lines]


def test_markdown_holds_the_tables_the_claim_and_the_command() -> None:
    text = markdown(made(), picture="a b.png")
    assert text.startswith("# Comparison abc\n")
    assert "```\nreasoner compare x\n```" in text
    assert "| solver0 | tot:oracle=True (upper bound) | – | 2/4 | 50.0 % |" in text
    assert "ats against tot (all solvers, local, 8 problems)" in text
    assert "](<a b.png>)" in text
    assert "unknown" in text
    assert "not ranked and not tested" in text
    tables = table_rows(text)
    assert len({len(row) for row in tables[: 2 + 24]}) == 1, "every line has as many cells as the heading"


def test_markdown_escapes_hostile_names() -> None:
    evil = "x|y`<script>alert(1)</script>\n# head ![a](http://e.invalid/p.png)\x1b[31m"
    text = markdown(made(models=(evil, "b"), strategies=("cot", "ats:p=`|`")))
    assert "<script>" not in text
    assert "\n# head" not in text
    assert "![a](" not in text
    assert "\x1b" not in text
    assert len({len(row) for row in table_rows(text)[:6]}) == 1


def test_markdown_fences_a_command_with_backticks() -> None:
    trials = compare_trials(Trials("r", "reasoner compare ``` # x", 1, (), 0, 0))
    assert "````\nreasoner compare ``` # x\n````" in markdown(trials)


def test_markdown_says_what_is_not_finished() -> None:
    assert "3 planned trajectories are not finished; 2 finished ones are left out" in markdown(made(open=3, left_out=2))


def test_the_picture_is_linked_from_where_the_page_stands(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write_markdown(made(), tmp_path / "docs" / "t.md", picture=tmp_path / "pictures" / "t.png")
    assert "(<../pictures/t.png>)" in (tmp_path / "docs" / "t.md").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="cannot write"):
        write_markdown(made(), tmp_path / "no" / "t.md")


def svg_texts(path: Path) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_names_every_mark_and_panel(tmp_path: Path) -> None:
    write_plot(made(solvers=3), tmp_path / "t.svg")
    texts = svg_texts(tmp_path / "t.svg")
    for strategy in STRATEGIES:
        name = f"{strategy} (upper bound)" if "oracle" in strategy else strategy
        assert texts.count(name) == 3, (name, texts)
    assert {"solver0", "solver1", "solver2"} <= set(texts)
    assert len(SHAPES) == len(set(SHAPES)) >= len(STRATEGIES), "shapes tell strategies apart without colours"
    first = (tmp_path / "t.svg").read_bytes()
    write_plot(made(solvers=3), tmp_path / "t.svg")
    assert (tmp_path / "t.svg").read_bytes() == first


def test_models_have_panels_of_their_own_and_many_solvers_are_pooled(tmp_path: Path) -> None:
    two = made(models=("Some-Model.Q4_1", "Some-Model.Q8_0"))
    assert panels(two) == [(s, m) for s in ("solver0", "solver1") for m in two.models]
    write_plot(two, tmp_path / "t.svg")
    assert {"solver0, …Q4_1", "solver1, …Q8_0"} <= set(svg_texts(tmp_path / "t.svg"))
    assert panels(made(solvers=MAX_PANELS + 1, strategies=("cot",))) == [(None, "local")]


def test_marks_that_are_close_stand_close(tmp_path: Path) -> None:
    """Two strategies that differ by a few tokens share an axis of whole powers of ten, with plain numbers on it."""
    write_plot(made(solvers=1, strategies=("cot",)), tmp_path / "t.svg")
    numbers = [text for text in svg_texts(tmp_path / "t.svg") if text.replace(",", "").isdigit()]
    assert numbers == ["100", "1,000"]
    assert not [text for text in svg_texts(tmp_path / "t.svg") if "×" in text or "10^" in text]


def test_a_png_is_one_and_mathematics_in_a_name_is_text(tmp_path: Path) -> None:
    write_plot(made(models=(r"$\frac{", "b$"), strategies=("cot", "ats:x=$")), tmp_path / "t.png")
    data = (tmp_path / "t.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1000
    assert height > 800


def test_a_picture_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadConfig, match=r"\.pdf"):
        write_plot(made(), tmp_path / "t.pdf")
    with pytest.raises(BadConfig, match="cannot be written"):
        write_plot(made(), tmp_path / "no" / "t.png")
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"pip install 'reasoner-llm\[plot\]'"):
        write_plot(made(), tmp_path / "t.png")


def test_matplotlib_is_loaded_for_a_picture_only_and_pyplot_never(tmp_path: Path) -> None:
    code = (
        "import sys, reasoner; c = reasoner.compare('number_path', strategy='cot', model='teacher', n=1, db='t.db')\n"
        "from reasoner.comparison import plot, markdown; before = 'matplotlib' in sys.modules\n"
        "from pathlib import Path; plot.write_plot(c, Path('t.png'))\n"
        "print(before, 'matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
