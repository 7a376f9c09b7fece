"""What a training needs and what there is: bytes of memory, estimated before anything is loaded.

    needed(parameters=134_515_008, layers=30, hidden=576, feed_forward=1536, vocabulary=49152, ...) -> 2.1e9

The formula counts weights, adapter with optimizer, the activations kept for the backward pass, and the logits of one batch; it is held
against measured peaks in docs/guides/tune.md. Knows numbers; knows no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasoner.clients.llamacpp.gguf_header import GgufHeader

FIXED_BYTES = 900 << 20
"""torch, transformers and what they allocate for themselves."""


def needed(header: GgufHeader, *, rank: int, batch: int, longest: int, weight_bytes: float) -> int:
    """Estimate the peak of a training, in bytes."""
    a = header.architecture
    hidden, layers, wide = (_number(header, f"{a}.{key}") for key in ("embedding_length", "block_count", "feed_forward_length"))
    vocabulary = header.n_vocab or _number(header, f"{a}.vocab_size")
    parameters = vocabulary * hidden + layers * (4 * hidden * hidden + 3 * hidden * wide)
    adapter = rank * layers * (8 * hidden + 3 * (hidden + wide))
    tokens = batch * longest
    kept = tokens * layers * (18 * hidden + 7 * wide) * 2
    logits = tokens * vocabulary * 10
    # transformers reads the whole file in 32 bits before it converts; the peak is whichever is greater.
    loading = parameters * 4 * 1.5
    return int(FIXED_BYTES + max(loading, parameters * weight_bytes + adapter * 16 + kept + logits))


def _number(header: GgufHeader, key: str) -> int:
    found = header.values.get(key, 0)
    return int(found) if isinstance(found, int | float) else 0
