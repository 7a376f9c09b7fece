"""Whether llama.cpp computes with an adapter what PyTorch does: logits of both on the same tokens, against the noise of the base alone.

    scripts/bench adapter [--json]           the adapter that ships, on 50 prompts (REASONER_BENCH_ADAPTER names another file)

The tokens are a problem of the adapter's solvers and a piece of the reply that the teacher gives, cut anywhere; what is compared are the
logits behind the last of them. The adapter's matrices are read back from the file and put under PyTorch's names by this program, with the
rows of Q and K in PyTorch's order.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import torch
from _report import report

from reasoner.api.solve import bench
from reasoner.clients.llamacpp import bundled_model
from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.runs.shipped_adapters import shipped
from reasoner.store import Store
from reasoner.tune.base import load_base, read_base
from reasoner.tune.batches import encode
from reasoner.tune.rows import read_rows

PROMPTS = 50


def matrices(adapter: Path, n_heads: dict[str, int]) -> tuple[dict[str, tuple[Any, Any]], float]:
    """Read an adapter: llama.cpp's tensor name -> (down, up) with `up` in PyTorch's order of rows; and alpha over rank."""
    reader = gguf.GGUFReader(str(adapter))
    read = {tensor.name: np.asarray(tensor.data, dtype=np.float32).reshape(tensor.shape[::-1]) for tensor in reader.tensors}
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    found = {}
    for name, down in read.items():
        if not name.endswith(".lora_a"):
            continue
        up = read[name.removesuffix("a") + "b"]
        for part, heads in n_heads.items():
            if f".{part}.weight" in name:
                half = up.shape[0] // heads // 2
                up = up.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(up.shape)  # neighbouring pairs to halves
        found[name.removesuffix(".weight.lora_a")] = (down, up)
    return found, alpha / next(iter(found.values()))[0].shape[0]


def add(model: Any, found: dict[str, tuple[Any, Any]], scale: float, blocks: int) -> None:
    """Add the adapter to the weights of a model in 32 bits."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, blocks)
    used = 0
    with torch.no_grad():
        for module, layer in model.named_modules():
            if (name := names.get_name(module)) in found and isinstance(layer, torch.nn.Linear):
                down, up = found[name]
                layer.weight += scale * torch.from_numpy(up @ down)
                used += 1
    if used != len(found):
        raise SystemExit(f"{used} of {len(found)} matrices of the adapter have a place in the model")


def sequences(base: Any, solvers: tuple[str, ...], strategy: str) -> list[list[int]]:
    """Return the tokens to compare on: problems, and replies of the teacher that are cut anywhere."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        db, file = Path(folder) / "t.db", Path(folder) / "rows.jsonl"
        bench(solvers, strategy=strategy, model="teacher", n=-(-PROMPTS // len(solvers)), seed=1, db=db)
        with Store.open(db) as store:
            export(store, "prompt-completion", file, Filters())
        rows = [encode(base.tokenizer, row) for row in read_rows(file)[0]]
    return [list(row.tokens[: rng.randint(row.n_prompt, len(row.tokens) - 1)]) for row in rng.sample(rows, PROMPTS)]


def by_pytorch(model: Any, asked: list[list[int]]) -> Any:
    """Return the last logits of each sequence."""
    with torch.no_grad():
        return np.array([model(torch.tensor([tokens])).logits[0, -1].numpy() for tokens in asked])


def by_llama_cpp(path: Path, adapter: Path | None, asked: list[list[int]]) -> Any:
    """Return the last logits of each sequence."""
    llm = llama_cpp.Llama(str(path), lora_path=str(adapter) if adapter else None, n_ctx=2048, verbose=False)
    found = []
    for tokens in asked:
        llm.reset()
        llm.eval(tokens)
        logits = llama_cpp.llama_get_logits_ith(llm._ctx.ctx, -1)  # noqa: SLF001 - the one way to these logits
        found.append(np.ctypeslib.as_array(logits, shape=(llm.n_vocab(),)).copy())
    return np.array(found)


def row(what: str, one: Any, other: Any) -> dict[str, Any]:
    """Compare two tables of logits."""
    gap = np.abs(one - other)
    same = int((one.argmax(1) == other.argmax(1)).sum())
    rms = float(np.sqrt((gap**2).mean()))
    return {"what": what, "prompts": len(one), "max": round(float(gap.max()), 3), "rms": round(rms, 3), "same_first_token": same}


def main() -> None:
    """Measure and report."""
    base_path, ours = bundled_model(), shipped()[0]
    adapter = Path(os.environ.get("REASONER_BENCH_ADAPTER", ours.path))
    header = read_base(base_path)
    values, arch = header.values, header.architecture
    n_heads = {"attn_q": int(values[f"{arch}.attention.head_count"]), "attn_k": int(values[f"{arch}.attention.head_count_kv"])}
    base = load_base(base_path, header, dtype="float32")
    asked = sequences(base, ours.card.solvers, ours.card.strategies[0])
    plain_torch, plain_cpp = by_pytorch(base.model, asked), by_llama_cpp(base_path, None, asked)
    add(base.model, *matrices(adapter, n_heads), int(values[f"{arch}.block_count"]))
    tuned_torch, tuned_cpp = by_pytorch(base.model, asked), by_llama_cpp(base_path, adapter, asked)
    rows = [
        row("base: PyTorch against llama.cpp (the noise of quantized arithmetic)", plain_torch, plain_cpp),
        row("with adapter: PyTorch against llama.cpp", tuned_torch, tuned_cpp),
        row("what the adapter changes (PyTorch)", tuned_torch, plain_torch),
    ]
    bars = {"rms_with_adapter_over_base": round(rows[1]["rms"] / rows[0]["rms"], 3)}
    report("adapter", rows=rows, bars=bars, packages=("torch", "transformers", "llama-cpp-python", "gguf"))


if __name__ == "__main__":
    main()
