"""What can be seen of a sharded run from its folder: shards, nodes, epochs, lag; and a store that grows while it is looked at."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from forks import Forks
from shards import cut, small_plan

from reasoner.budget import Limits
from reasoner.runs.options import RunOptions
from reasoner.scale.growing import growing
from reasoner.scale.leases import Beat, beat, grant
from reasoner.scale.merging import merge
from reasoner.scale.status import granted, status
from reasoner.store import Store


def test_status_tells_state_node_epoch_and_how_far(tmp_path: Path) -> None:
    made = cut(tmp_path, small_plan(5), n=4, options=RunOptions(run_limits=Limits(calls=100)))
    made.run(0)
    made.run(1)
    lease = grant(made.place, 2, node="node-7")
    beat(made.place, lease, Beat("running", 1, closed=1, total=4))
    merge(made.place, tmp_path / "t.db")
    assert made.place.names("done") == ["00000.json", "00001.json"]
    shards = status(made.place)
    assert [each.state for each in shards] == ["complete", "complete", "running", "waiting"]
    assert (shards[0].closed, shards[0].total, shards[0].epoch, shards[0].node) == (4, 4, 1, socket.gethostname())
    assert (shards[2].node, shards[2].closed) == ("node-7", 1)
    assert shards[2].lag_s is not None
    assert shards[2].lag_s < 60
    assert shards[3].lag_s is None
    given, cap = granted(made.place)["calls"]
    assert (given, cap) == (8, 100)


def test_runs_and_doctor_tell_of_shards(tmp_path: Path, forks: Forks) -> None:
    made = cut(tmp_path, small_plan(5), n=2)
    made.run(0)
    beat(made.place, grant(made.place, 1, node="node-7"), Beat("running", 1))
    path = tmp_path / "shared" / "leases" / "00001" / "e0001.beat"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"at": "2020-01-01T00:00:00.000+00:00"}))
    shown = forks.run(["runs", "shared"], cwd=tmp_path)
    assert shown.code == 0, shown.err
    assert "finished" in shown.out
    assert "node-7" in shown.out
    told = json.loads(forks.run(["runs", "shared", "--json"], cwd=tmp_path).out)
    assert [each["state"] for each in told["shards"]] == ["finished", "running"]
    wrong = forks.run(["runs", "nowhere"], cwd=tmp_path)
    assert wrong.code == 5 or "holds no run.json" in wrong.err
    from reasoner.cli.shards_table import shard_facts

    facts, advice = shard_facts(str(tmp_path / "shared"))
    assert facts["nodes"] == ["node-7"]
    assert facts["states"] == {"finished": 1, "running": 1}
    assert any("run-shard 1" in line for line in advice)


def test_a_store_grows_while_it_is_looked_at_and_nothing_is_declared(tmp_path: Path) -> None:
    made = cut(tmp_path, small_plan(5), n=2)
    made.run(0)
    with growing(made.place, again_s=0.05) as db, Store.read(db) as store:
        n = "SELECT count(*) FROM trajectories WHERE status = 'closed'"
        first = store.tuples(n)[0][0]
        made.run(1)
        end = time.monotonic() + 60
        while store.tuples(n)[0][0] == first and time.monotonic() < end:
            time.sleep(0.02)
        assert store.tuples(n)[0][0] > first > 0
    assert made.place.names("done") == []
    assert not db.exists()
