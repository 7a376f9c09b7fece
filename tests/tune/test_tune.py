"""What a training refuses, and what it is made of: rows, batches, memory, checkpoints, the adapter file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny_gguf import text, write_tiny

from reasoner.budget import Limits
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp.adapter import read_card
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.prompts import Prompts
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_line
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.tune import Options, tune
from reasoner.tune.adapter import permute, unpermute, write_adapter
from reasoner.tune.base import read_base, require_compiler
from reasoner.tune.batches import batches
from reasoner.tune.checkpoint import Checkpoint
from reasoner.tune.memory import needed
from reasoner.tune.rows import read_rows
from reasoner.types import Sampling

np = pytest.importorskip("numpy")

ROW = {"prompt": [{"role": "user", "content": "number_path 1 1 2"}], "completion": [{"role": "assistant", "content": "Answer: 1 -> 2"}]}


def dataset(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_of_both_shapes_are_read_alike(tmp_path: Path) -> None:
    messages = {"messages": [*ROW["prompt"], *ROW["completion"]], "lineage": {}}
    (a,), checksum = read_rows(dataset(tmp_path / "d.jsonl", ROW))
    (b,), _ = read_rows(dataset(tmp_path / "e.jsonl", messages))
    assert a == b
    assert (a.prompt, a.completion) == ((("user", "number_path 1 1 2"),), "Answer: 1 -> 2")
    assert len(checksum) == 64


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"chosen": [], "rejected": []},
            r"line 2: it has neither the columns prompt and completion nor messages \(it has: chosen, rejected\)",
        ),
        ({"prompt": [], "completion": ROW["completion"]}, "at least one message"),
        ({"prompt": "a", "completion": [{"role": "user", "content": "b"}]}, "one reply of the assistant"),
        ({"messages": [{"role": "tool", "content": "b"}]}, "at least one message"),
        ([1], "no object"),
    ],
)
def test_rows_without_what_is_needed_are_refused_with_their_line(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(CorruptRecord, match=says):
        tune(dataset(tmp_path / "d.jsonl", ROW, row), tmp_path / "a.gguf")


def test_a_mix_of_shapes_and_rows_with_wrong_replies_are_refused(tmp_path: Path) -> None:
    messages = {"messages": [*ROW["prompt"], *ROW["completion"]]}
    with pytest.raises(CorruptRecord, match=r"line 3.*mixes shapes: line 1 has prompt and completion, this one messages"):
        read_rows(dataset(tmp_path / "d.jsonl", ROW, ROW, messages))
    with pytest.raises(CorruptRecord, match="line 2: it has a label"):
        read_rows(dataset(tmp_path / "k.jsonl", ROW, {**ROW, "label": False}))


def test_it_says_at_once_what_it_is_doing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    path = tmp_path / "d.jsonl"
    path.write_text("no row\n", encoding="utf-8")
    with pytest.raises(DataError):
        tune(path, tmp_path / "a.gguf", on_note=said.append)
    assert said == [], "of a small file the fault is all that is said"
    monkeypatch.setattr("reasoner.tune.run.LARGE_BYTES", 5)
    with pytest.raises(DataError):
        tune(path, tmp_path / "a.gguf", on_note=said.append)
    assert said == [f"reading {path}"]


def test_an_empty_or_missing_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no row"):
        tune(dataset(tmp_path / "d.jsonl"), tmp_path / "a.gguf")
    with pytest.raises(DataError, match="cannot be read"):
        tune(tmp_path / "none.jsonl", tmp_path / "a.gguf")


def test_a_base_that_cannot_be_mapped_is_refused(tmp_path: Path) -> None:
    tiny = write_tiny(tmp_path / "tiny.gguf")
    assert read_base(tiny).architecture == "llama"
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(tiny.read_bytes().replace(text("llama"), text("mamba"), 1))
    with pytest.raises(BadConfig, match="architecture 'mamba', which cannot be mapped; one of: llama, qwen2"):
        tune(dataset(tmp_path / "d.jsonl", ROW), tmp_path / "a.gguf", Options(model=str(strange)))


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadConfig, match=r"C\+\+ compiler"):
        require_compiler()
    monkeypatch.setenv("CXX", sys.executable)
    require_compiler()


def test_too_little_memory_is_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("reasoner.tune.run.available", lambda: 100 << 20)
    tiny = write_tiny(tmp_path / "tiny.gguf")
    with pytest.raises(BadConfig, match=r"needs about [0-9.]+ GB of memory and 0.1 GB are free; lower `batch` or `n_ctx`"):
        tune(dataset(tmp_path / "d.jsonl", ROW), tmp_path / "a.gguf", Options(model=str(tiny)))


def test_memory_grows_with_batch_and_length(tmp_path: Path) -> None:
    header = read_header(write_tiny(tmp_path / "tiny.gguf"))
    one, more, longer = (needed(header, rank=16, batch=b, longest=n, weight_bytes=2) for b, n in ((64, 500), (128, 500), (64, 900)))
    assert one < more
    assert one < longer


def test_every_row_comes_once_an_epoch_and_neighbours_are_alike() -> None:
    lengths = [(n * 7919) % 400 for n in range(1000)]
    made = batches(lengths, size=8, seed=1, epoch=0)
    assert sorted(index for batch in made for index in batch) == list(range(1000))
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in made)
    assert padded < 1.15 * sum(lengths)
    assert made == batches(lengths, size=8, seed=1, epoch=0)
    assert made != batches(lengths, size=8, seed=1, epoch=1)
    assert made != batches(lengths, size=8, seed=2, epoch=0)


def test_queries_and_keys_are_reordered_from_halves_to_pairs() -> None:
    rows = np.arange(8).reshape(8, 1)  # two heads of four rows: halves 0 1 | 2 3
    assert permute(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    wide = np.arange(48).reshape(24, 2)  # three heads: no order that undoes itself
    assert (unpermute(permute(wide, 3), 3) == wide).all()
    assert (permute(permute(wide, 3), 3) != wide).any()


def written_adapter(path: Path, base: Path, *, sha256: str) -> Path:
    header = read_header(base)
    down, up = np.ones((2, 32), dtype=np.float32), np.zeros((32, 2), dtype=np.float32)
    matrices = {f"model.layers.0.self_attn.{name}": (down, up) for name in ("q_proj", "k_proj", "v_proj")}
    write_adapter(path, header, matrices, alpha=4, base_name="Tiny", base_sha256=sha256, card={"data": {"rows": 3}})
    return path


def test_an_adapter_says_what_it_was_made_of_and_loads_only_over_its_base(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    from reasoner.clients.llamacpp.file_hash import file_sha256

    base = write_tiny(tmp_path / "tiny.gguf")
    adapter = written_adapter(tmp_path / "mine.gguf", base, sha256=file_sha256(base))
    header = read_header(adapter)
    assert (header.kind, header.n_tensors, read_card(header)) == ("adapter", 6, {"data": {"rows": 3}})
    client = open_client(str(base), ClientOptions(adapter=adapter))
    assert client.name == "tiny.gguf+mine"
    assert client.provenance["sha256"] == file_sha256(adapter)  # type: ignore[attr-defined]
    assert client.provenance["card"] == {"data": {"rows": 3}}  # type: ignore[attr-defined]
    assert client.fingerprint != open_client(str(base)).fingerprint
    plan = Plan([problem_from_line("number_path", "1 1 2")], parse_strategies("direct"), 0, 1, Sampling(), Limits())
    recorded = plan.manifest([client], Prompts())
    assert recorded["adapters"]["tiny.gguf+mine"]["base_sha256"] == file_sha256(base)
    assert "adapters" not in plan.manifest([open_client(str(base))], Prompts())
    other = tmp_path / "other.gguf"
    other.write_bytes(base.read_bytes()[:-1] + bytes([base.read_bytes()[-1] ^ 1]))
    with pytest.raises(BadConfig, match=r"mine.gguf was trained on 'Tiny' \(sha256 '[0-9a-f]{12}'…\), and .*other.gguf is 'other'"):
        open_client(str(other), ClientOptions(adapter=adapter))
    assert not list(tmp_path.glob(".*"))  # nothing half-written is left


def test_a_module_without_a_name_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    base = write_tiny(tmp_path / "tiny.gguf")
    with pytest.raises(BadConfig, match=r"has no name in llama\.cpp"):
        write_adapter(
            tmp_path / "a.gguf", read_header(base), {"model.what": (np.ones((1, 1)),) * 2}, alpha=1, base_name="", base_sha256="", card={}
        )
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    mine = Checkpoint(tmp_path / "a.gguf", "one")
    assert mine.load() is None
    mine.save({"place": {"step": 3}})
    found = mine.load()
    assert found is not None
    assert found["place"] == {"step": 3}
    with pytest.raises(BadConfig, match="belongs to a training with other data, options or base; start over with `fresh`"):
        Checkpoint(tmp_path / "a.gguf", "two").load()
    (tmp_path / "a.gguf.checkpoint" / "state.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(BadConfig, match="cannot be read"):
        mine.load()
    mine.clear()
    assert mine.load() is None
