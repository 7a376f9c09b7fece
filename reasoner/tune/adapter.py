"""The adapter file: LoRA matrices under llama.cpp's names, with the base they belong to and what they were trained on.

    write_adapter(Path("adapter.gguf"), header, matrices, ...)               # matrices: {"model.layers.0.self_attn.q_proj": (a, b)}
    read_adapter(Path("adapter.gguf"), header, modules, base=base_path)      -> (matrices, alpha)

llama.cpp keeps the rows of Q and K of the llama family in another order than transformers (it turns pairs of neighbouring rows where
transformers turns halves), so what is added to their output is reordered alike; other architectures keep theirs. Knows both
conventions; knows no training.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.clients.llamacpp.adapter import BASE_NAME, BASE_SHA256, CARD, check_base
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import BadConfig, DataError
from reasoner.files.signatures import MODEL
from reasoner.files.target import Target
from reasoner.tune.base import PERMUTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from reasoner.clients.llamacpp.gguf_header import GgufHeader


def permute(rows: Any, n_heads: int) -> Any:
    """Reorder the output rows of a matrix from halves to neighbouring pairs, head by head."""
    out = rows.shape[0]
    return rows.reshape(n_heads, 2, out // n_heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def unpermute(rows: Any, n_heads: int) -> Any:
    """Undo `permute`."""
    out = rows.shape[0]
    return rows.reshape(n_heads, out // n_heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def write_adapter(
    path: Path,
    header: GgufHeader,
    matrices: Mapping[str, tuple[Any, Any]],
    *,
    alpha: float,
    base_name: str,
    base_sha256: str,
    card: Mapping[str, Any],
) -> None:
    """Write LoRA matrices (`a`: rank x in, `b`: out x rank, as numpy arrays) as one GGUF file, whole or not at all.

    Raises:
        BadConfig: a module has no name in llama.cpp.
        DataError: the file cannot be written.
    """
    import gguf  # noqa: PLC0415 - the extra, loaded when it is used
    import numpy as np  # noqa: PLC0415

    layout = _Layout(header)
    target = Target(path, over=(MODEL,))
    try:
        temporary = path.with_name(f".{path.name}.building")
        writer = gguf.GGUFWriter(str(temporary), header.architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        writer.add_string("general.name", f"{base_name} adapter")
        writer.add_uint32("general.base_model.count", 1)
        writer.add_string(BASE_NAME, base_name)
        writer.add_string(BASE_SHA256, base_sha256)
        writer.add_string(CARD, json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=True))
        for module, (down, up) in sorted(matrices.items()):
            name, n_heads = layout.name(module), layout.reordered_heads(module)
            there = permute(up, n_heads) if n_heads else up
            writer.add_tensor(f"{name}a", np.ascontiguousarray(down, dtype=np.float16))
            writer.add_tensor(f"{name}b", np.ascontiguousarray(there, dtype=np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        target.file.write(temporary.read_bytes())
        target.commit()
    finally:
        target.close()
        temporary.unlink(missing_ok=True)


def read_adapter(path: Path, header: GgufHeader, modules: Iterable[str], *, base: Path) -> tuple[dict[str, tuple[Any, Any]], float]:
    """Read the matrices of an adapter over the base with this header, for these modules, and its alpha.

    Raises:
        BadConfig: it was trained on another base, or has no matrices for a module.
        DataError: the file cannot be read.
    """
    import gguf  # noqa: PLC0415 - the extra, loaded when it is used
    import numpy as np  # noqa: PLC0415

    own, layout = read_header(path), _Layout(header)
    check_base(header, own, base, path)
    try:
        there = {tensor.name: np.array(tensor.data, dtype=np.float32) for tensor in gguf.GGUFReader(str(path)).tensors}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"the adapter {path} cannot be read: {error}", hint="name an adapter that 'reasoner tune' wrote") from error
    found = {}
    for module in modules:
        name, n_heads = layout.name(module), layout.reordered_heads(module)
        if f"{name}a" not in there or f"{name}b" not in there:
            raise BadConfig(f"the adapter {path} has no matrices for {module}", hint="continue from one that 'reasoner tune' wrote")
        up = there[f"{name}b"]
        found[module] = (there[f"{name}a"], unpermute(up, n_heads) if n_heads else up)
    return found, float(own.values.get("adapter.lora.alpha", 0.0))


class _Layout:
    """What llama.cpp calls a module's matrices over a base, and which it keeps in another order.

    Raises:
        BadConfig: the gguf package does not know the architecture.
    """

    def __init__(self, header: GgufHeader) -> None:
        import gguf  # noqa: PLC0415 - the extra, loaded when it is used

        a = self._architecture = header.architecture
        known = next((arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == a), None)
        if known is None:
            raise BadConfig(f"the architecture {a!r} is unknown to the gguf package", hint="update it")
        n_heads = int(header.values[f"{a}.attention.head_count"])
        self._heads = {"q_proj": n_heads, "k_proj": int(header.values.get(f"{a}.attention.head_count_kv", n_heads))}
        self._names = gguf.get_tensor_name_map(known, int(header.values[f"{a}.block_count"]))

    def name(self, module: str) -> str:
        """Return what both matrices of a module begin with; `a` and `b` follow.

        Raises:
            BadConfig: it has no name.
        """
        name = self._names.get_name(module)
        if name is None:
            raise BadConfig(
                f"the module {module} has no name in llama.cpp's {self._architecture}", hint="train fewer modules, or report this"
            )
        return f"{name}.weight.lora_"

    def reordered_heads(self, module: str) -> int:
        """Return over how many heads a module's output rows are reordered, 0 where they are not."""
        return self._heads.get(module.rpartition(".")[2], 0) if self._architecture in PERMUTED else 0
