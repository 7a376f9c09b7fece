"""A whole training, on a model of a few kilobytes with random weights: loss, resume, and the adapter in llama.cpp against PyTorch."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import write_tiny

from reasoner.clients.llamacpp.adapter import read_card
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import BadConfig, DataError
from reasoner.tune import Options, Progress, tune

np = pytest.importorskip("numpy")
gguf = pytest.importorskip("gguf")
for name in ("torch", "transformers", "peft", "gguf"):
    pytest.importorskip(name)


def dataset(path: Path, n: int = 40, seed: int = 0) -> Path:
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        start = rng.randint(1, 9)
        said = f"1/1 {start}: {2 * start} {start + 1}!"
        rows.append({"prompt": [{"role": "user", "content": f"p {start}"}], "completion": [{"role": "assistant", "content": said}]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def options(tiny: Path, **more: Any) -> Options:
    return Options(model=str(tiny), threads=1, learning_rate=0.02, rank=8, alpha=16, **more)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.gguf")


def test_the_loss_falls_and_the_adapter_says_how(tmp_path: Path, tiny: Path) -> None:
    seen: list[Progress] = []
    estimates: list[Any] = []
    made = tune(
        dataset(tmp_path / "d.jsonl"), tmp_path / "a.gguf", options(tiny, epochs=6, held_out=dataset(tmp_path / "t.jsonl", 8, seed=1)),
        on_progress=seen.append, on_estimate=estimates.append,
    )  # fmt: skip
    assert made.last_loss < 0.6 * made.first_loss
    assert made.held_out_before is not None
    assert made.held_out_after is not None
    assert made.held_out_after < 0.6 * made.held_out_before
    assert (made.steps, made.stopped_by, made.resumed) == (30, "epochs", False)
    assert seen[-1].step == 30
    assert seen[-1].tokens == made.tokens > made.completion_tokens > 0
    assert estimates[0].rows == 40
    assert estimates[0].seconds > 0
    card = read_card(read_header(tmp_path / "a.gguf"))
    assert card is not None
    assert card["data"]["rows"] == 40
    assert card["training"]["steps"] == 30
    assert not (tmp_path / "a.gguf.checkpoint").exists()


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path, tiny: Path) -> None:
    data = dataset(tmp_path / "d.jsonl")
    chosen = options(tiny, epochs=2, checkpoint_s=0)
    whole = tune(data, tmp_path / "whole.gguf", chosen)

    class Killed(BaseException):
        pass

    saves = 0

    def kill(*_: object) -> None:
        nonlocal saves
        saves += 1
        if saves == 2:
            raise Killed

    # The last step of an epoch and the first report: killed within step 10 of 10, after nine were saved.
    with pytest.raises(Killed):
        tune(data, tmp_path / "cut.gguf", chosen, on_progress=kill)
    assert (tmp_path / "cut.gguf.checkpoint").is_dir()
    assert not (tmp_path / "cut.gguf").exists()
    cut = tune(data, tmp_path / "cut.gguf", chosen)
    assert cut.resumed
    assert cut.steps == whole.steps == 10

    def tensors(path: Path) -> dict[str, bytes]:
        return {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(path).tensors}

    assert tensors(tmp_path / "whole.gguf")
    assert tensors(tmp_path / "cut.gguf") == tensors(tmp_path / "whole.gguf")


MEMORY = """
import os, torch
from reasoner.tune.train import give_back_freed_memory, keep_freed_memory
def resident(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
keep_freed_memory()
held = [torch.ones(1 << 18) for _ in range(200)]  # 200 MiB
held = held[-1:]                                   # the last stays: the top of the heap cannot just be lowered
kept = resident()
give_back_freed_memory()
print(kept, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that keeps memory")
def test_memory_that_is_kept_for_speed_can_be_handed_back() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    kept, after = map(int, done.stdout.split())
    assert kept - after > 150 << 20, "what is freed is kept until it is given back, and then it is gone"


def test_a_budget_of_tokens_ends_it_with_the_rate_fallen_to_zero(tmp_path: Path, tiny: Path) -> None:
    estimates: list[Any] = []
    budget = options(tiny, epochs=50, max_tokens=2000)
    made = tune(dataset(tmp_path / "d.jsonl"), tmp_path / "a.gguf", budget, on_estimate=estimates.append)
    assert made.stopped_by == "tokens"
    assert abs(estimates[0].steps - made.steps) <= 2, "the estimate knows of the budget"
    assert 2000 <= made.tokens < 2600


def test_a_training_goes_on_from_another_adapter(tmp_path: Path, tiny: Path) -> None:
    data, first, second = dataset(tmp_path / "d.jsonl"), tmp_path / "a.gguf", tmp_path / "b.gguf"
    made = tune(data, first, options(tiny, epochs=2, held_out=data))
    gentle = options(tiny, epochs=2, held_out=data, start=first).model_copy(update={"learning_rate": 0.005})
    more = tune(data, second, gentle, on_estimate=lambda _: first.unlink())  # read by then, and not looked at again
    assert made.held_out_after is not None
    assert more.held_out_before == pytest.approx(made.held_out_after, rel=0.02)  # the file holds 16 bits
    assert more.held_out_after is not None
    assert more.held_out_after < made.held_out_after
    card = read_card(read_header(second))
    assert card is not None
    assert card["options"]["start"] == made.sha256


def test_an_adapter_that_cannot_be_gone_on_from_is_refused(tmp_path: Path, tiny: Path) -> None:
    data, first = dataset(tmp_path / "d.jsonl", 8), tmp_path / "a.gguf"
    tune(data, first, options(tiny, epochs=1))
    for other, says in (({"rank": 4}, "rank 8, not 4"), ({"alpha": 8}, "alpha 16, not 8")):
        with pytest.raises(BadConfig, match=says):
            tune(data, tmp_path / "b.gguf", Options(**(options(tiny, epochs=1, start=first).model_dump() | other)))
    another = tmp_path / "other.gguf"
    another.write_bytes(tiny.read_bytes()[:-1] + bytes([tiny.read_bytes()[-1] ^ 1]))
    with pytest.raises(BadConfig, match="was trained on"):
        tune(data, tmp_path / "b.gguf", options(another, epochs=1, start=first))
    first.write_bytes(first.read_bytes()[:-1000])
    with pytest.raises((BadConfig, DataError)):
        tune(data, tmp_path / "b.gguf", options(tiny, epochs=1, start=first))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::UserWarning:torch", "ignore::FutureWarning:torch")
def test_a_compiled_training_learns_alike(tmp_path: Path, tiny: Path) -> None:
    from torch._dynamo.utils import counters

    data = dataset(tmp_path / "d.jsonl", 16)
    plain = tune(data, tmp_path / "plain.gguf", options(tiny, epochs=2))
    counters.clear()
    made = tune(data, tmp_path / "compiled.gguf", options(tiny, epochs=2, compiled=True))
    assert counters["frames"]["ok"] > 0, "nothing was compiled"
    assert (made.steps, made.tokens) == (plain.steps, plain.tokens)
    assert made.first_loss == pytest.approx(plain.first_loss, rel=1e-2)
    assert made.last_loss == pytest.approx(plain.last_loss, rel=0.1)


def test_rows_over_the_context_are_refused(tmp_path: Path, tiny: Path) -> None:
    row = {"prompt": "p", "completion": "1 " * 100}
    data = dataset(tmp_path / "d.jsonl", 3)
    data.write_text(data.read_text() + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"1 of 4 rows of .*d.jsonl are over the context of 128 tokens \(row 4 has \d{3}\); raise `n_ctx`"):
        tune(data, tmp_path / "a.gguf", options(tiny, n_ctx=128))


@pytest.mark.model
def test_llama_cpp_with_the_adapter_computes_what_pytorch_does(tmp_path: Path, tiny: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    import torch

    from reasoner.tune.adapter import write_adapter
    from reasoner.tune.base import load_base, read_base
    from reasoner.tune.train import Trainer

    header = read_base(tiny)
    trainer = Trainer(load_base(tiny, header, dtype="float32").model, options(tiny), pad=0, device="cpu")
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in trainer.parameters:
            parameter.copy_((torch.randn_like(parameter) * 0.3).half())
    adapter = tmp_path / "a.gguf"
    write_adapter(adapter, header, trainer.matrices(), alpha=16, base_name="tiny", base_sha256="", card={})
    rng = random.Random(0)
    prompts = [[rng.randrange(3, 259) for _ in range(rng.randint(2, 20))] for _ in range(50)]

    def native(lora: str | None) -> Any:
        model = llama_cpp.Llama(str(tiny), lora_path=lora, n_ctx=512, n_threads=1, verbose=False)
        found = []
        for tokens in prompts:
            model.reset()
            model.eval(tokens)
            found.append(np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), shape=(259,)).copy())
        model.close()
        return np.array(found)

    with torch.no_grad():
        ours = np.array([trainer.model(input_ids=torch.tensor([tokens])).logits[0, -1].numpy() for tokens in prompts])
        with trainer.model.disable_adapter():
            base = np.array([trainer.model(input_ids=torch.tensor([tokens])).logits[0, -1].numpy() for tokens in prompts])
    noise = np.abs(native(None) - base).max()
    difference = np.abs(native(str(adapter)) - ours).max()
    assert np.abs(ours - base).max() > 1  # the adapter matters
    assert noise < 0.02
    assert difference < 0.05, (difference, noise)


def judged(path: Path, objective: str, n: int = 16) -> Path:
    """Rows of a preference or of labels: what doubles is liked, what adds one is not."""
    rows: list[dict[str, Any]] = []
    for start in range(n):
        prompt = [{"role": "user", "content": f"p {start % 9}"}]
        said = [[{"role": "assistant", "content": text, "reasoning_content": ""}] for text in (f"{2 * start}!", f"{start + 1}?")]
        if objective == "dpo":
            rows.append({"prompt": prompt, "chosen": said[0], "rejected": said[1]})
        else:
            rows += [{"prompt": prompt, "completion": reply, "label": good} for reply, good in zip(said, (True, False), strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("objective", "first"), [("dpo", 0.693147), ("kto", 0.5)])
def test_preferences_and_labels_are_learned_from_the_base_on(tmp_path: Path, tiny: Path, objective: Any, first: float) -> None:
    data = judged(tmp_path / "d.jsonl", objective)
    chosen = options(tiny, objective=objective, epochs=6, beta=0.5, held_out=data)
    made = tune(data, tmp_path / "a.gguf", chosen)
    assert made.first_loss == pytest.approx(first, abs=1e-3), "an adapter that says nothing yet is the reference"
    assert made.held_out_before == pytest.approx(first, abs=1e-3)
    assert made.held_out_after is not None
    assert made.held_out_after < 0.6 * first
    card = read_card(read_header(tmp_path / "a.gguf"))
    assert card is not None
    assert (card["options"]["objective"], card["options"]["beta"]) == (objective, 0.5)
    with pytest.raises(DataError, match=f"learns from rows of 'reasoner export {objective}'"):
        tune(dataset(tmp_path / "s.jsonl"), tmp_path / "b.gguf", chosen)


def test_the_losses_are_those_of_the_papers() -> None:
    """Against the formulas written down a second time, a row at a time."""
    import torch

    from reasoner.tune.batches import Encoded
    from reasoner.tune.preference import dpo_loss, kto_loss, mismatched

    rng = random.Random(3)
    policy, before, other, other_before = ([rng.uniform(-9, 0) for _ in range(5)] for _ in range(4))
    good = [True, False, True, True, False]
    beta, divergence = 0.3, 0.7

    def sigmoid(x: float) -> float:
        return float(1 / (1 + np.exp(-x)))

    pairs = [-float(np.log(sigmoid(beta * ((a - b) - (c - d))))) for a, b, c, d in zip(policy, before, other, other_before, strict=True)]
    found = dpo_loss(*map(torch.tensor, (policy, other, before, other_before)), beta=beta)
    assert float(found) == pytest.approx(sum(pairs), rel=1e-5)
    labels = [1 - sigmoid(beta * ((a - b) - divergence) * (1 if liked else -1)) for a, b, liked in zip(policy, before, good, strict=True)]
    found = kto_loss(torch.tensor(policy), torch.tensor(before), torch.tensor(good), torch.tensor(divergence), beta=beta)
    assert float(found) == pytest.approx(sum(labels), rel=1e-5)
    rows = [Encoded((1, 2, 3), 2), Encoded((4, 5, 6), 1), Encoded((7, 8), 1)]
    assert mismatched(rows) == [Encoded((1, 2, 5, 6), 2), Encoded((4, 8), 1), Encoded((7, 3), 1)]
