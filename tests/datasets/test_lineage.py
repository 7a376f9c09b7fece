"""The lineage of a row as text is that of the row as it stands, however much of it was written for another row before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reasoner.datasets.lineage import SHAPES, LineageTexts, complete
from reasoner.datasets.records import Kind
from reasoner.datasets.write import JsonLines, Parquet, encode

NAMES = sorted(
    {name for shape in SHAPES.values() for name in shape} | {"thought", "thoughts", "chosen_thought", "rejected", "annotation", "other"}
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.text(max_size=3), st.sampled_from(["", 'a"b', "\u2028", "tree", "\ud800"]),
    st.lists(st.text(max_size=3), max_size=3), st.lists(st.integers(0, 3), max_size=2), st.fixed_dictionaries({"label": st.text(max_size=2)}),
)  # fmt: skip
FULL = {
    "run": "r",
    "trajectory": "t",
    "calls": ["a", "b"],
    "problem": "p",
    "solver": "s",
    "instance": "i",
    "level": 1,
    "strategy": "cot",
    "model": "m",
}
ODD: list[dict[str, Any]] = [
    {**FULL, "level": True}, FULL, {**FULL, "level": None}, {**FULL, "reasoning": 1}, {**FULL, "reasoning": True}, {**FULL, "calls": []},
]  # fmt: skip
LINEAGES = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12),
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3).map(lambda some: {**FULL, **some}),
        st.text(max_size=4).map(lambda text: {**FULL, "trajectory": text, "calls": [text], "problem": text, "instance": text}),
    ),
    min_size=1,
    max_size=6,
)


def expected(kind: Kind, lineage: dict[str, Any], *, annotated: bool) -> str:
    """As a plain reading of the rules: the keys of the kind in their order, each of its type."""
    return encode(complete(kind, lineage, annotated=annotated))


@given(st.sampled_from(get_args(Kind)), st.booleans(), LINEAGES)
@example("conversation", False, ODD)
def test_texts_of_lineages_are_those_of_each_by_itself(kind: Kind, annotated: bool, lineages: list[dict[str, Any]]) -> None:
    texts = LineageTexts(kind, annotated=annotated)
    for lineage in [*lineages, *lineages]:
        assert texts.text(lineage) == expected(kind, lineage, annotated=annotated)


def test_what_is_kept_of_lineages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineageTexts, "MAX_KEPT", 3)
    texts = LineageTexts("conversation", annotated=False)
    for n in [*range(10), *range(10)]:
        assert json.loads(texts.text({**FULL, "model": str(n)}))["model"] == str(n)
        assert 0 < len(texts.kept) <= 3


@given(LINEAGES)
def test_every_key_has_the_type_of_its_kind(lineages: list[dict[str, Any]]) -> None:
    for kind, shape in SHAPES.items():
        for lineage in lineages:
            made = complete(kind, lineage)
            for name, default in shape.items():
                assert type(made[name]) is type(default), (kind, name)
                if name not in {"calls", "labels_from"}:
                    assert made[name] == (lineage[name] if type(lineage.get(name)) is type(default) else default)
            assert made["calls"] == (list(map(str, calls)) if isinstance(calls := lineage.get("calls"), list) and calls else [""])


@pytest.mark.parametrize("kind", [JsonLines, Parquet])
def test_a_last_column_given_as_text_is_a_column(tmp_path: Path, kind: type[JsonLines]) -> None:
    row, last = {"messages": [{"role": "user", "content": "}\u2028é"}]}, {"run": "r", "calls": ["a"]}
    with kind(tmp_path / "o") as file:
        file.add_ending(row, "lineage", encode(last))
        file.commit()
    if kind is Parquet:
        from pyarrow import parquet

        assert parquet.read_table(tmp_path / "o").to_pylist() == [{**row, "lineage": last}]
    else:
        assert (tmp_path / "o").read_text() == encode({**row, "lineage": last}) + "\n"
