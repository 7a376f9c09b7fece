"""What a peer does with the questions of `faults_peers` and `scale_peers`, in a process of its own; imports the standard library and the one package it is about.

    python _faults_peers.py ray-data FOLDER URL                     asks what stands in FOLDER/questions, writes FOLDER/out
    python _faults_peers.py ray-data FOLDER URL FOLDER/checkpoint   the same with Ray Data's checkpoints
    PEER_WORKERS=8 PEER_CALLS=1 python _faults_peers.py ...         with other numbers of workers and of calls of each
    RAY_ADDRESS=HOST:PORT python _faults_peers.py ray-data ...      on a cluster that is there
    python _faults_peers.py inspect-log FOLDER                      prints the ids that the newest whole log answers, as JSON

Everything is used as its documentation shows it: four workers of two calls each if nothing else is said, batches of ten, retries as they come.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

WORKERS, CALLS_EACH, BATCH = int(os.environ.get("PEER_WORKERS", "4")), int(os.environ.get("PEER_CALLS", "2")), 10


def ray_data(folder: Path, url: str, checkpoint: str = "") -> None:
    """Ask all questions by `map_batches` and write the answers."""
    import ray
    from ray.data.checkpoint import CheckpointConfig

    if os.environ.get("RAY_ADDRESS"):
        ray.init()
    else:
        ray.init(num_cpus=WORKERS, include_dashboard=False, object_store_memory=200 << 20)
    if checkpoint:
        context = ray.data.DataContext.get_current()
        context.checkpoint_config = CheckpointConfig(id_column="id", checkpoint_path=checkpoint)

    def ask(batch: dict[str, Any]) -> dict[str, Any]:
        from concurrent.futures import ThreadPoolExecutor

        import openai

        client = openai.OpenAI(base_url=url, api_key="x")

        def one(question: str) -> str:
            made = client.chat.completions.create(model="m", messages=[{"role": "user", "content": str(question)}])
            return made.choices[0].message.content or ""

        with ThreadPoolExecutor(CALLS_EACH) as pool:
            batch["answer"] = list(pool.map(one, batch["question"]))
        return batch

    files = sorted(str(path) for path in (folder / "questions").glob("*.jsonl"))
    made = ray.data.read_json(files, override_num_blocks=len(files)).map_batches(ask, batch_size=BATCH, concurrency=WORKERS)
    made.write_json(str(folder / "out"))


def inspect_log(folder: Path) -> None:
    """Print what the newest log says: how it ended, and the ids it has an answer to."""
    from inspect_ai.log import list_eval_logs, read_eval_log

    log = read_eval_log(list_eval_logs(str(folder / "logs"))[0])
    ids = [sample.id for sample in log.samples or [] if sample.error is None and sample.output.completion]
    print(json.dumps({"status": log.status, "ids": ids}))


if __name__ == "__main__":
    if sys.argv[1] == "ray-data":
        ray_data(Path(sys.argv[2]), *sys.argv[3:])
    else:
        inspect_log(Path(sys.argv[2]))
