"""How far two forms of one model are from each other: over a text, token by token, the distributions of what comes next.

    reference = next_tokens(model, tokens)                 # float16 (n_tokens, n_vocab): natural logarithms of probabilities
    distance(reference, next_tokens(converted, tokens))    # Quality(mean_kl=0.0044, top1=0.953, tokens=512)

The text is read as it stands, without a chat template. Knows models that decode; converts nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from reasoner.clients.llamacpp.forms import Quality
from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.model import Model
from reasoner.clients.llamacpp.worker.sampler import logits_of
from reasoner.errors import BadConfig

MAX_TOKENS = 512
CHUNK = 64


def text_tokens(model: Model, text: Path) -> list[int]:
    """Return the first tokens of a text: so many as are compared, and fit in the context.

    Raises:
        BadConfig: the model's vocabulary makes nothing of it.
    """
    data = text.read_bytes()
    vocabulary = llama_cpp.llama_model_get_vocab(model.handle)
    # A vocabulary without the text's characters spells them byte by byte, some of them as several.
    buffer = (llama_cpp.llama_token * (4 * len(data) + 8))()
    n_tokens = llama_cpp.llama_tokenize(vocabulary, data, len(data), buffer, len(buffer), True, False)  # noqa: FBT003 - a C function
    if n_tokens < 1:
        raise BadConfig(f"the text {text} is nothing to this model", hint="use `form=as-is`")
    return list(buffer[: min(n_tokens, MAX_TOKENS, model.n_ctx)])


def next_tokens(model: Model, tokens: list[int]) -> Any:
    """Return for each token the natural logarithms of the probabilities of what follows, as 16-bit floats; leaves an empty cache."""
    n_vocab: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model.handle))
    found = np.empty((len(tokens), n_vocab), dtype=np.float16)
    model.clear()
    for at in range(0, len(tokens), CHUNK):
        # One slice for each token: a slice has the logits of its last one.
        chunk = tokens[at : at + CHUNK]
        rows = model.decode([Slice(0, at + i, [token], wants_logits=True) for i, token in enumerate(chunk)])
        for i, row in enumerate(rows):
            assert row is not None
            logits = logits_of(model.context, row, n_vocab)
            shifted = logits - logits.max()
            found[at + i] = shifted - np.log(np.exp(shifted).sum())
    model.clear()
    return found


def distance(reference: Any, other: Any) -> Quality:
    """Return how far the distributions of `other` are from those of the reference, both as `next_tokens` returns them."""
    total = 0.0
    for ours, theirs in zip(reference, other, strict=True):
        expected = ours.astype(np.float32)
        likely = expected > -np.inf
        # What 16 bits cannot hold is less likely than any token that is ever drawn.
        gap = expected[likely] - np.maximum(theirs.astype(np.float32)[likely], -60.0)
        total += float(np.sum(np.exp(expected[likely]) * gap))
    agree = float(np.mean(reference.argmax(axis=1) == other.argmax(axis=1)))
    return Quality(mean_kl=round(max(0.0, total / len(reference)), 6), top1=round(agree, 4), tokens=len(reference))
