"""verifiers: a folder that `pip install` takes, with an environment over the exported prompts; their families' verifiers reward.

    reasoner export verifiers environments/paths    environments/paths/pyproject.toml, README.md, paths/__init__.py, taskset.py, tasks.jsonl
    pip install environments/paths; vf-eval paths --model NAME

A row of `tasks.jsonl` is `{"id": str, "prompt": [messages], "solver": str, "instance": str, "pass_rate": float}`.
Source: verifiers 0.4, `vf-init` and the docstrings of `verifiers.v1.taskset`, `task` and `harness`.
"""

from __future__ import annotations

import keyword
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Kind, Prompt, asked
from reasoner.errors import BadConfig
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

TAKEN = frozenset({"hatchling", "httpx", "pip", "reasoner", "setuptools", "solvers", "verifiers"})
"""Packages that the environment needs, or that install it."""
MARK = "written by reasoner export verifiers"
ROWS = "tasks.jsonl"
_PYPROJECT = """\
# {mark}
[project]
name = "{name}"
version = "0.1.0"
description = "Prompts of reasoner, rewarded by exact verifiers."
requires-python = ">=3.11"
dependencies = ["httpx>=0.28", "reasoner-llm[tasks]>={version}", "verifiers>=0.4,<0.5"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""
_README = """\
# {name}

An environment for `verifiers`, {mark}. The reward is 1.0 where an answer is right, judged by the verifier that `solver` names in `{module}/tasks*.jsonl`.

    pip install .
    vf-eval {name} --model NAME --client.base-url http://127.0.0.1:8000/v1 --no-push

By default each task is one call of the model, made in this process (`OneReply`); `--env.agent.harness.id` chooses another harness.
"""
_INIT = '"""{name}: {mark}."""\n\nfrom {module}.taskset import OneReply, ReasonerEnv, ReasonerTaskset\n\n__all__ = ["OneReply", "ReasonerEnv", "ReasonerTaskset"]\n'


class Verifiers(Format):
    """Reinforcement learning and evaluation with verifiers."""

    name: ClassVar[str] = "verifiers"
    summary: ClassVar[str] = "a package that pip installs: an environment of verifiers over the prompts; OUT is a folder"
    kinds: ClassVar[tuple[Kind, ...]] = ("prompt",)
    packaged: ClassVar[bool] = True

    def row(self, record: Prompt) -> dict[str, Any]:
        """Return the prompt and the verifier's reference."""
        return {
            "id": str(record.lineage.get("problem", "")), "prompt": asked(record.messages), "solver": record.solver, "instance": record.instance,
            "pass_rate": record.pass_rate,
        }  # fmt: skip

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"id": "", "prompt": [_shape.message(())], "solver": "", "instance": "", "pass_rate": 0.5}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {
            "messages": _turns.messages(row["prompt"]), "solver": str(row["solver"]), "instance": str(row["instance"]),
            "pass_rate": float(row["pass_rate"]),
        }  # fmt: skip

    def rows_at(self, path: Path) -> Path:
        """Return where the tasks stand in the package.

        Raises:
            BadConfig: the folder's name is no package's, or something else stands there.
        """
        if path.suffix in {".jsonl", ".parquet"}:
            raise BadConfig(f"{path} is the name of a file, and verifiers takes a package", hint=f"name a folder: {path.with_suffix('')}")
        module = _module(path)
        if os.path.isdir(path) and any(path.iterdir()) and MARK not in _text_of(path / "pyproject.toml"):  # noqa: PTH112 - as in `writable`
            raise BadConfig(f"{path} is there already, and no export wrote it", hint="name another folder")
        return path / module / ROWS

    def package(self, path: Path, written: Sequence[Path]) -> dict[Path, str]:
        """Return the files that make a package of the tasks; without a choice it has those of the first part that has any."""
        module = _module(path)
        said = {"name": module.replace("_", "-"), "module": module, "mark": MARK, "version": __version__}
        taskset = Path(__file__).with_name("_verifiers_taskset.txt").read_text(encoding="utf-8")
        return {
            path / "pyproject.toml": _PYPROJECT.format(**said),
            path / "README.md": _README.format(**said),
            path / module / "__init__.py": _INIT.format(**said),
            path / module / "taskset.py": taskset.replace("@SPLIT@", written[0].stem.partition(".")[2]),
        }


def _module(path: Path) -> str:
    """Return the name of the package: that of the folder, as Python can import it."""
    module = re.sub(r"[-. ]+", "_", path.name.strip()).lower()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module):
        raise BadConfig(f"{path.name!r} cannot be the name of a package", hint="name a folder of letters, digits and hyphens")
    if module in TAKEN | sys.stdlib_module_names or keyword.iskeyword(module):
        raise BadConfig(f"{path.name!r} is a name that Python or a package the environment needs has already", hint=f"name it {module}-env")
    return module


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
