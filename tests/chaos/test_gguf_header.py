"""The header check under mutated files: it reads them or refuses them in one line, in little time and memory, and nothing else happens.

No native code is started here (`test_engine.py` does that with fewer): `REASONER_HEADERS` sets how many mutants; the seed is printed.
"""

from __future__ import annotations

import os
import random
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from ends import ends

from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import BadConfig

HEADERS = int(os.environ.get("REASONER_HEADERS", "500"))
CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "gguf").glob("*.gguf"))
MAX_BYTES = 64 << 20


def mutant(rng: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(min(8200, len(found)))
        how = rng.randrange(4)
        if how == 0:
            found[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            found[at : at + 4] = rng.choice((0, 8, 9, 2**31 - 1, 2**32 - 1)).to_bytes(4, "little")
        elif how == 2:
            found[at : at + 8] = rng.choice((0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)).to_bytes(8, "little")
        else:
            other = rng.randrange(8000)
            found[at : at + 24] = found[other : other + 24]
    return bytes(found[: rng.randrange(len(found))] if rng.random() < 0.1 else found)


def judged(path: Path) -> str:
    with ends(path):
        try:
            header = read_header(path)
        except BadConfig as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 600
            return "refused"
        assert header.n_tensors >= 0
        return "read"


@pytest.mark.model
def test_mutated_headers(tiny_model: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    data = tiny_model.read_bytes()
    outcomes: Counter[str] = Counter()
    path = tmp_path / "mutant.gguf"
    tracemalloc.start()
    try:
        for _ in range(HEADERS):
            path.write_bytes(mutant(rng, data))
            outcomes[judged(path)] += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(dict(outcomes), f"at most {peak >> 20} MiB")  # noqa: T201 - the measure of the full run
    assert set(outcomes) == {"read", "refused"}
    assert peak < MAX_BYTES


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_shapes_that_broke_others(path: Path) -> None:
    assert judged(path) == "refused"
