"""How llama.cpp reads and writes beside conversations that share nothing, by the layout of its cache: `scripts/bench cache_layouts --model FILE`.

Bare llama.cpp, without the engine. Every layout is measured in a process of its own: conversations are read one after the other in batches of 128 tokens, then
one token of each is written in every step. `one` is the layout of the engine (one cache for all), `streams` one part of the cache for each sequence, `flash` one
cache with flash attention.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import llama_cpp
from _report import print_report

LAYOUTS = ("one", "streams", "flash")
BATCH, STEPS = 128, 6
FIRST_TOKEN, N_TOKENS = 100, 30_000


class Context:
    """A model with a cache in one of the layouts."""

    def __init__(self, layout: str, model: str, *, sequences: int, tokens: int, threads: int) -> None:
        llama_cpp.llama_backend_init()
        self._log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._log, None)
        handle = llama_cpp.llama_model_load_from_file(model.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = sequences * (-(-(tokens + 2 * STEPS) // 256) * 256)
        params.n_batch = params.n_ubatch = 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = layout != "streams"
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if layout == "flash" else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = llama_cpp.llama_init_from_model(handle, params)
        self._batch = llama_cpp.llama_batch_init(512, 0, 1)

    def decode(self, tokens: list[tuple[int, int]]) -> float:
        """Put tokens (sequence, position) through the model and return the seconds it took."""
        self._batch.n_tokens = len(tokens)
        for at, (sequence, position) in enumerate(tokens):
            self._batch.token[at] = FIRST_TOKEN + (7919 * position + sequence) % N_TOKENS
            self._batch.pos[at], self._batch.n_seq_id[at], self._batch.seq_id[at][0] = position, 1, sequence
            self._batch.logits[at] = at == len(tokens) - 1 or len(tokens) < BATCH
        started = time.perf_counter()
        status = llama_cpp.llama_decode(self._context, self._batch)
        llama_cpp.llama_synchronize(self._context)
        if status:
            raise RuntimeError(f"llama_decode returned {status}")
        return time.perf_counter() - started


def measure(layout: str, model: str, *, sequences: int, tokens: int, threads: int) -> dict[str, Any]:
    """Measure one layout."""
    context = Context(layout, model, sequences=sequences, tokens=tokens, threads=threads)
    rates = []
    for sequence in range(sequences):
        pieces = [range(first, min(tokens, first + BATCH)) for first in range(0, tokens, BATCH)]
        rates.append(tokens / sum(context.decode([(sequence, at) for at in piece]) for piece in pieces))
    steps = [context.decode([(sequence, tokens + step) for sequence in range(sequences)]) for step in range(STEPS)]
    return {
        "layout": layout, "sequences": sequences, "tokens": tokens, "reads_first": round(rates[0], 1), "reads_last": round(rates[-1], 1),
        "writes": round(sequences / statistics.median(steps), 1),
    }  # fmt: skip


def main() -> None:
    """Measure every layout at every number of sequences, and print tokens a second."""
    parser = argparse.ArgumentParser(description="bench cache_layouts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--model", required=True, help="a .gguf")
    parser.add_argument("--sequences", default="4,16", help="numbers of conversations")
    parser.add_argument("--tokens", type=int, default=600, help="tokens of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", choices=LAYOUTS, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.layout:
        print(json.dumps(measure(told.layout, told.model, sequences=int(told.sequences), tokens=told.tokens, threads=told.threads)))
        return
    rows = []
    for sequences in told.sequences.split(","):
        for layout in LAYOUTS:
            own = ["--model", told.model, "--tokens", str(told.tokens), "--threads", str(told.threads)]
            command = [sys.executable, __file__, "--layout", layout, "--sequences", sequences, *own]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(rows[-1], file=sys.stderr)
    last = {row["layout"]: row for row in rows}
    bars = {f"{what}_of_streams_over_one": last["streams"][what] / last["one"][what] for what in ("reads_last", "writes")}
    print_report("cache_layouts", rows=rows, bars=bars, as_json=told.json, packages=("llama-cpp-python",))


if __name__ == "__main__":
    main()
