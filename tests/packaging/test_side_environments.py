"""The environments beside that of the tests are made side by side, once; one that cannot be made is told, and is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("LITELLM", "CLIENTS", "VERIFIERS")
PYTHON = """\
#!/usr/bin/env bash
# A Python whose venv copies it, and whose pip waits until the others install as well.
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/litellm"; exit; fi
name="$(basename "$(dirname "$(dirname "$0")")")"
touch "$BEGUN/$name"
for _ in $(seq 600); do
  if [ "$(ls "$BEGUN" | wc -l)" -ge "$WANTED" ]; then
    if [ "$name" = "$FAILS" ]; then echo "no such package" >&2; exit 1; fi
    exit
  fi
  sleep 0.05
done
exit 1
"""
SCRIPT = 'set -euo pipefail; venv="$1"; source scripts/_side_envs; side_envs; env | grep -E "^REASONER_(LITELLM|CLIENTS|VERIFIERS)=" | sort || true'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "begun").mkdir()
    return tmp_path


def begun(place: Path, *, wanted: int = 3, fails: str = "", **more: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if name.removeprefix("REASONER_") not in NAMES}
    env |= {"PYTHON": str(place / "python"), "BEGUN": str(place / "begun"), "WANTED": str(wanted), "FAILS": fails, **more}
    # Tests that run in the background have Ctrl-C ignored, and so would their children.
    command = ["env", "--default-signal=INT", "bash", "-c", SCRIPT, "bash", str(place / "v")]
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def made(place: Path, *, wanted: int = 3, fails: str = "", **more: str) -> tuple[dict[str, str], str]:
    child = begun(place, wanted=wanted, fails=fails, **more)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    return dict(line.removeprefix("REASONER_").split("=") for line in out.splitlines()), err


def test_all_are_made_at_once_and_only_once(place: Path) -> None:
    wanted = {name: f"{place}/v-{name.lower()}/bin/{'litellm' if name == 'LITELLM' else 'python'}" for name in NAMES}
    found, err = made(place)
    assert found == wanted
    assert err.count("installing ") == 3
    assert made(place, wanted=9) == (wanted, "")


def test_one_that_cannot_be_installed_is_told_and_left_out(place: Path) -> None:
    found, err = made(place, fails="v-clients")
    assert found.keys() == {"LITELLM", "VERIFIERS"}
    (told,) = [line for line in err.splitlines() if "cannot be installed" in line]
    assert told.startswith(f"{place}/v-clients")
    assert told.endswith("no such package")
    assert made(place, wanted=1)[0].keys() == set(NAMES)  # tried again the next time


def test_what_the_environment_names_is_taken_as_it_is(place: Path) -> None:
    found, err = made(place, wanted=1, REASONER_LITELLM="", REASONER_VERIFIERS="/my/python")
    assert (found["LITELLM"], found["VERIFIERS"]) == ("", "/my/python")
    assert err.count("installing ") == 1


def test_ctrl_c_ends_them_too(place: Path) -> None:
    child = begun(place, wanted=9)
    deadline = time.monotonic() + 60
    while len(list((place / "begun").iterdir())) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)
    child.communicate(timeout=20)  # the pipes close when the last of them has ended
    assert child.returncode != 0
    assert not list(place.glob("v-*/.reasoner-*"))
