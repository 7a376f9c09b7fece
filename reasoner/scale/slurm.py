"""The shards of a run as a Slurm array: one task a shard, requeued where its node is lost.

    script(run, "/mnt/team/run-7")        the text of a file for sbatch

A task that is started again goes on from its segments. Source: Slurm, sbatch(1), job arrays.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasoner.scale.manifest import ShardedRun

_SCRIPT = """#!/bin/bash
#SBATCH --job-name=reasoner-{run}
#SBATCH --array=0-{last}{limit}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60
#SBATCH --output=reasoner-{run}-%a.log
# Cores, memory, time and partition are yours to add: sbatch --cpus-per-task=4 --mem=8G --time=12:00:00 THIS_FILE
set -eu
shard=${{1:-${{SLURM_ARRAY_TASK_ID:?give the number of a shard, or submit with sbatch}}}}
exec {command} run-shard "$shard" --out {place} --local "${{SLURM_TMPDIR:-${{TMPDIR:-/tmp}}}}"
"""


def script(run: ShardedRun, place: str, *, command: str = "reasoner") -> str:
    """Return the job's script; run with a number it works on that shard, without Slurm. `command` starts this program on the nodes."""
    limit = f"%{run.at_once}" if run.at_once < run.of else ""
    return _SCRIPT.format(run=run.run, last=run.of - 1, limit=limit, command=command, place=shlex.quote(place))
