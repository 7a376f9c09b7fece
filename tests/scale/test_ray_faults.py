"""A run on a real Ray cluster, on this machine: a worker killed, a segment torn, the coordinator killed. `scripts/bench faults` does a hundred, of all kinds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ray_faults import campaign
from ray_nodes import ClusterEnded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray"),
]


def test_nothing_is_lost_or_paid_twice_when_workers_and_nodes_die(tmp_path: Path) -> None:
    try:
        made = campaign(tmp_path, seed=1, n_faults=3, shards=3, problems=300, nodes=2, lease_s=30, among=("worker", "torn", "coordinator"))
    except ClusterEnded as error:
        pytest.skip(f"this machine is too busy for Ray to start: {str(error)[-300:]}")
    assert sum(made.faults.values()) > 0
    assert (made.expected, made.lost, made.twice, made.paid_again) == (300, 0, 0, 0), made
    assert made.same_bytes
