"""The environment package of `reasoner export verifiers`: its form, and what `verifiers` itself makes of it.

`REASONER_VERIFIERS` names the Python of an environment with verifiers (`scripts/test` makes it).
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters, Tally
from reasoner.errors import BadConfig, DataError
from reasoner.store import Store

PYTHON = os.environ.get("REASONER_VERIFIERS")
"""Read once, since tests run without settings of the environment."""
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "outside_trainers" / "with_verifiers.py"
LINES = {
    "2 9 20": "Answer: 9 -> 10 -> 20",
    "2 4 10": "Answer: 4 -> 5 -> 10",
    "2 9 19": "Answer: 9 -> 18 -> 19",
    "2 5 12": "Answer: 5 -> 6 -> 12",
}
WITHIN_S = 300


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verifiers") / "t.db"
    for line, reply in LINES.items():
        reasoner.solve("number_path", line, strategy="direct", model=ScriptedClient(lambda _, said=reply: said, name="m"), db=path)  # type: ignore[misc]
    return path


def written(db: Path, out: Path, **options: Any) -> Tally:
    with Store.open(db) as store:
        return export(store, "verifiers", out, Filters(), Options(**options))


def tasks(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_folder_is_a_package(db: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "Number-Paths"
    assert written(db, folder).taken == len(LINES)
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "number-paths"
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["number_paths"]
    assert any(one.startswith("verifiers>=0.4") for one in project["project"]["dependencies"])
    exported = ast.literal_eval((folder / "number_paths" / "__init__.py").read_text().partition("__all__ = ")[2])
    defined = {node.name for node in ast.parse((folder / "number_paths" / "taskset.py").read_text()).body if isinstance(node, ast.ClassDef)}
    assert set(exported) <= defined
    assert sum(name.endswith("Taskset") for name in exported) == 1
    rows = tasks(folder / "number_paths" / "tasks.jsonl")
    assert sorted(row["instance"] for row in rows) == sorted(LINES)
    assert {(row["solver"], row["prompt"][-1]["role"]) for row in rows} == {("number_path", "user")}
    assert all(row["id"] == row["lineage"]["problem"] for row in rows)


def test_the_same_bytes_again_and_nothing_but_its_own(db: Path, tmp_path: Path) -> None:
    folder = tmp_path / "paths"
    written(db, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written(db, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_split_has_a_part_that_is_loaded_without_a_choice(db: Path, tmp_path: Path) -> None:
    written(db, tmp_path / "paths", split="train=0.5,test=0.5")
    assert 'split: str = "train"' in (tmp_path / "paths" / "paths" / "taskset.py").read_text()
    assert sorted(path.name for path in (tmp_path / "paths" / "paths").glob("*.jsonl")) == ["tasks.test.jsonl", "tasks.train.jsonl"]


def test_a_first_part_without_a_row_is_not_the_one_that_is_loaded(db: Path, tmp_path: Path) -> None:
    """Of few rows a part may get none: what is not there could not be loaded."""
    for seed in range(100):
        folder = tmp_path / str(seed) / "paths" / "paths"
        written(db, folder.parent, split="train=0.1,test=0.9", seed=seed)
        if not (folder / "tasks.train.jsonl").exists():
            break
    assert [path.name for path in folder.glob("*.jsonl")] == ["tasks.test.jsonl"]
    assert 'split: str = "test"' in (folder / "taskset.py").read_text()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rows.jsonl", "the name of a file"),
        ("7", "cannot be the name of a package"),
        ("reasoner", "the environment needs"),
        ("httpx", "the environment needs"),
        ("Class", "a name that Python"),
        ("json", "a name that Python"),
        ("...", "cannot be"),
    ],
)
def test_names_that_no_package_can_have(db: Path, tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        written(db, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_somebody_elses_folder_is_left_alone(db: Path, tmp_path: Path) -> None:
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths" / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    with pytest.raises(BadConfig, match="no export wrote it"):
        written(db, tmp_path / "paths")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        written(db, tmp_path / "file" / "paths")
    with pytest.raises(DataError, match="cannot write"):
        written(db, tmp_path / "new" / ("x" * 300))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("options", [{"pass_rate": "0:0"}, {"dry_run": True}])
def test_without_a_row_no_folder(db: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    written(db, tmp_path / "deep" / "paths", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_verifiers_installs_loads_and_scores(db: Path, tmp_path: Path) -> None:
    if not PYTHON:
        pytest.skip("no environment with verifiers; scripts/test makes one, or REASONER_VERIFIERS names the Python of yours")
    written(db, tmp_path / "paths-env", split="train=0.5,test=0.5")
    parts = {part: tasks(tmp_path / "paths-env" / "paths_env" / f"tasks.{part}.jsonl") for part in ("train", "test")}
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1",
        "PYTHONPATH": os.pathsep.join((str(tmp_path / "site"), str(ROOT))),
    }  # fmt: skip

    def ran(*command: str) -> str:
        done = subprocess.run(
            [str(PYTHON), *command], capture_output=True, text=True, timeout=WITHIN_S, env=environment, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    install = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", "site", "./paths-env")
    ran(*install)
    for part, rows in parts.items():
        lines = [row["instance"] for row in rows]
        replies = {lines[0]: LINES[lines[0]], **dict.fromkeys(lines[1:-1], "Answer: 1 -> 2")}
        if len(lines) == 1:
            replies = {lines[0]: "So.\n" + LINES[lines[0]]}
        said = json.loads(
            ran("-W", "ignore", str(SCRIPT), "paths-env", "" if part == "train" else part, json.dumps(replies)).splitlines()[-1]
        )
        assert (said["env"], said["taskset"]) == ("ReasonerEnv", "ReasonerTaskset")
        assert list(said["found"]) == lines
        for line, one in said["found"].items():
            right = replies.get(line, "").endswith(LINES[line])
            assert (one["ok"], one["reward"]) == (line in replies, float(right)), one
            if line in replies:
                assert (one["reply"], one["roles"], one["turns"]) == (replies[line], ["user", "assistant"], 1)
            else:
                assert "out of order" in one["error"]
