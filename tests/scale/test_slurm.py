"""The array job, as Slurm would run it: each number of the array in a shell of its own, one of them killed and started again."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

from forks import Forks
from shards import contents, single, small_plan

from reasoner.scale.merging import merge
from reasoner.scale.shared import shared

PLAN = ["bench", "number_path", "-n", "6", "--strategy", "cot", "--model", "teacher"]


def test_the_array_job_does_what_its_numbers_say(tmp_path: Path, forks: Forks) -> None:
    done = forks.run(["shard", "--shards", "3", "--at-once", "2", "--slurm", "job.sh", "--out", "my run", *PLAN], cwd=tmp_path)
    assert done.code == 0, done.err
    text = (tmp_path / "job.sh").read_text()
    (last, limit) = re.findall(r"^#SBATCH --array=0-(\d+)%(\d+)$", text, re.MULTILINE)[0]
    assert (last, limit) == ("2", "2")
    assert "#SBATCH --requeue" in text
    command = tmp_path / "bin" / "reasoner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m reasoner "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    env = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "REASONER_LEASE_S": "0.5"}
    for task, crash in (("0", ""), ("1", "in_seal"), ("1", ""), ("2", "")):
        told = env | {"SLURM_ARRAY_TASK_ID": task, "REASONER_CRASH_AT": crash}
        ended = subprocess.run(["/bin/bash", "job.sh"], cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
        assert (ended.returncode == 0) != bool(crash), ended.stderr
    assert merge(shared(tmp_path / "my run"), tmp_path / "many.db").is_complete
    plan = small_plan(6, strategies="cot")
    single(tmp_path / "one.db", type(plan)(plan.problems[:6], plan.strategies))
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")
