"""What the header of a model file tells before the first call: whether it writes text at all, how long a context it knows, its other parts.

Each fact is used, or the file is refused in one line that names it; llama.cpp would abort, or write nonsense. Knows the metadata keys of GGUF;
reads no weights and loads nothing.

    header = read_header(path)
    check_writes_text(header, path)              # BadConfig: ... is an embedding model ...
    context_length(header, path, wanted=None)    # 2048: what it was trained for, at most 4096
    parts_of(path, header)                       # [model-00001-of-00003.gguf, model-00002-of-00003.gguf, ...]

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
from pathlib import Path

from reasoner.clients.llamacpp.gguf_header import GgufHeader, read_header, shown
from reasoner.errors import BadConfig

DEFAULT_N_CTX = 4096
MAX_PARTS = 1000

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_ENCODERS = {
    "bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert", "modern-bert", "eurobert", "gemma-embedding",
    "t5", "t5encoder", "wavtokenizer-dec", "clip",
}  # fmt: skip
_INVOCATION = "adapter.alora.invocation_tokens"
_VOCABULARY = "tokenizer.ggml.tokens"


def check_writes_text(header: GgufHeader, path: Path) -> None:
    """Refuse a file that is no model which writes text.

    Raises:
        BadConfig: it is an adapter, a projector, an embedding or ranking model, an encoder, or has no vocabulary.
    """
    architecture = header.architecture
    if header.kind == "adapter":
        raise BadConfig(f"{path} is a LoRA adapter, not a model", hint="name the model, and give this file as its adapter")
    if header.kind in {"mmproj", "projector"} or architecture == "clip":
        raise BadConfig(f"{path} is a projector for images or sound (mmproj), not a model", hint="name the file of the model it belongs to")
    if header.kind != "model":
        raise BadConfig(f"{path} is no model: its general.type is {shown(header.kind)}", hint="name the file of a model")
    if architecture in _ENCODERS or header.values.get(f"{architecture}.attention.causal") == 0:
        raise BadConfig(
            f"{path} is an encoder ({shown(architecture)}): it makes embeddings and writes no text", hint="name a model that chats"
        )
    if header.values.get(f"{architecture}.pooling_type", 0) != 0:
        raise BadConfig(
            f"{path} is an embedding or ranking model: its pooling_type is set, it writes no text", hint="name a model that chats"
        )
    if not header.n_vocab:
        raise BadConfig(f"{path} carries no vocabulary (tokenizer.ggml.tokens)", hint="convert it again, with its tokenizer")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if (n_items := header.array_lengths.get(key, header.n_vocab)) != header.n_vocab:
            raise BadConfig(
                f"{path} is damaged: {key} has {n_items} items, the vocabulary {header.n_vocab}", hint="download or convert it again"
            )


def context_length(header: GgufHeader, path: Path, *, wanted: int | None) -> int:
    """Return how many tokens of context to make: what is wanted, or else 4096, but no more than the model was trained for.

    Raises:
        BadConfig: more is wanted. Learned positions end there, and rotary ones are nonsense beyond.
    """
    trained = header.values.get(f"{header.architecture}.context_length")
    if not isinstance(trained, int) or trained < 1:
        return wanted or DEFAULT_N_CTX
    if wanted is not None and wanted > trained:
        raise BadConfig(
            f"n_ctx is {wanted}, but {path} was trained for a context of {trained} tokens", hint=f"use {trained} or less, or leave it out"
        )
    return wanted or min(DEFAULT_N_CTX, trained)


def parts_of(path: Path, header: GgufHeader) -> list[Path]:
    """Return the files of a model, the named one first: one, or all parts of a split model, each with a header that was checked.

    Raises:
        BadConfig: the file is not the first part, or is not named as parts are, or a part is missing or belongs elsewhere.
    """
    count = header.values.get("split.count", 1)
    if count in {0, 1}:
        return [path]
    number = header.values.get("split.no", 0)
    name = _PART.fullmatch(path.name)
    if not isinstance(count, int) or not 1 < count <= MAX_PARTS or name is None or int(name["count"]) != count:
        raise BadConfig(
            f"{path} is one of {shown(str(count))} parts of a split model, but is not named like one (NAME-00001-of-0000N.gguf)",
            hint="give the parts the names they came with, or join them with llama-gguf-split --merge",
        )
    parts = [path.with_name(f"{name['stem']}-{index:05}-of-{name['count']}{path.suffix}") for index in range(1, count + 1)]
    if number != 0 or int(name["number"]) != 1:
        raise BadConfig(f"{path} is part {int(name['number'])} of {count} of a split model", hint=f"name the first part, {parts[0].name}")
    for index, part in enumerate(parts[1:], start=1):
        values = read_header(part).values
        if (values.get("split.no"), values.get("split.count")) != (index, count):
            raise BadConfig(f"{part} does not say that it is part {index + 1} of {count}", hint="download or split the model again")
    return parts


def check_acts_at_once(adapter: GgufHeader, path: Path) -> None:
    """Refuse an activated LoRA: it is to act only after certain tokens of the prompt, and would be applied to all of it.

    Raises:
        BadConfig: it is one; the message names its invocation tokens.
    """
    if _INVOCATION in adapter.array_lengths:
        tokens = adapter.numbers.get(_INVOCATION, ())
        named = " ".join(map(str, tokens)) or f"{adapter.array_lengths[_INVOCATION]} tokens"
        raise BadConfig(
            f"the adapter {path} is an activated LoRA: it acts only after its invocation tokens ({named}), which is not supported",
            hint="use an ordinary LoRA adapter, or merge it into the model",
        )
