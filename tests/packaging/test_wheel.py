"""The built wheel, through the sdist, is what is tested here: not the checkout, not the editable install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return (wheel, folder the wheel is installed in)."""
    made = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(ROOT)], check=True, capture_output=True, text=True
    )
    (wheel,) = made.glob("*.whl")
    assert list(made.glob("*.tar.gz"))
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, text=True)
    return wheel, target


def run(target: Path, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(target)}
    return subprocess.run([sys.executable, *args], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_contents(installed: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(installed[0]).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"reasoner", "solvers"}
    for wanted in ("reasoner/py.typed", "solvers/py.typed", "reasoner/_data/prompts/cot/answer.jinja", "reasoner/_data/corpora/README.md"):
        assert wanted in names
    shipped = {p.relative_to(ROOT / "prompts").as_posix() for p in (ROOT / "prompts").rglob("*.jinja")}
    assert shipped == {n.removeprefix("reasoner/_data/prompts/") for n in names if n.startswith("reasoner/_data/prompts/")}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_it_runs_away_from_the_checkout(installed: tuple[Path, Path], tmp_path: Path) -> None:
    _, target = installed
    where = run(
        target,
        tmp_path,
        "-c",
        "import reasoner, solvers; from reasoner.assets import asset_dir; print(reasoner.__file__, solvers.__file__, asset_dir('prompts'))",
    )
    assert where.stderr == ""
    assert all(path.startswith(str(target)) for path in where.stdout.split())
    done = run(
        target, tmp_path, "-m", "reasoner", "solve", "game24", "4 9 10 13", "--model", "teacher", "--strategy", "ats:shots=1", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["correct"]
    assert run(target, tmp_path, "-m", "reasoner", "export", "sft", "out.jsonl").returncode == 0
    listed = json.loads(run(target, tmp_path, "-m", "reasoner", "list", "--json").stdout)
    assert len(listed["solvers"]) >= 5


def test_a_stranger_s_prompts_folder_in_site_packages_is_not_ours(installed: tuple[Path, Path], tmp_path: Path) -> None:
    _, target = installed
    decoy = target / "prompts" / "cot"
    decoy.mkdir(parents=True)
    (decoy / "answer.jinja").write_text("not ours")
    done = run(target, tmp_path, "-m", "reasoner", "solve", "game24", "4 9 10 13", "--model", "teacher", "--strategy", "cot")
    assert done.returncode == 0, done.stderr


def test_the_core_declares_no_heavy_dependency(installed: tuple[Path, Path]) -> None:
    from importlib.metadata import Distribution

    (info,) = installed[1].glob("*.dist-info")
    required = Distribution.at(info).requires or []
    core = [r for r in required if "extra ==" not in r]
    assert len(core) <= 10
    for heavy in ("torch", "llama", "transformers", "numpy", "pandas", "datasets"):
        assert not [r for r in core if r.startswith(heavy)]
