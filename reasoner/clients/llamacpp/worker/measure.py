"""How fast a loaded model reads and writes on this machine, in tokens a second.

    measure(model, vocabulary_size=49152) -> {"read_per_s": 280.0, "write_per_s": {"1": 85.0, "8": 140.0}}

Knows a model that decodes; the tokens are arbitrary, since none is slower than another.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.model import Model

READ_TOKENS = 256
WRITE_STEPS = 9
WIDTHS = (1, 8)


def measure(model: Model, *, vocabulary_size: int) -> dict[str, Any]:
    """Return the rate of reading a prompt, and of writing with one and with eight sequences at once; leaves an empty cache."""
    tokens = [(7919 * i) % vocabulary_size for i in range(min(READ_TOKENS, model.n_ctx // 2))]
    model.clear()
    started = time.perf_counter()
    model.decode([Slice(0, 0, tokens, wants_logits=True)])
    read_per_s = len(tokens) / (time.perf_counter() - started)
    write_per_s = {}
    widths = [width for width in WIDTHS if width == 1 or (model.shares_prefixes and model.n_sequences > width)]
    for width in widths:
        for seq in range(1, width):
            model.copy(0, seq, len(tokens))
        seconds = []
        for step in range(WRITE_STEPS):
            started = time.perf_counter()
            model.decode([Slice(seq, len(tokens) + step, [tokens[step]], wants_logits=True) for seq in range(width)])
            seconds.append(time.perf_counter() - started)
        write_per_s[str(width)] = round(width / statistics.median(seconds), 1)
        for seq in range(width):
            model.trim(seq, len(tokens))
    model.clear()
    return {"read_per_s": round(read_per_s, 1), "write_per_s": write_per_s}
