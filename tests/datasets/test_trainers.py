"""Every trainer's own code accepts our files: one real training step each, on a tiny model with random weights, on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.runs.results import Result
from reasoner.session import Session
from reasoner.store import Store
from reasoner.types import Answer

pytestmark = [
    pytest.mark.slow,  # loading torch takes most of it
    pytest.mark.filterwarnings("ignore"),  # what torch, transformers and trl warn of is theirs
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Load an export the way a trainer's user does."""
    import datasets

    folder = tmp_path_factory.mktemp("trainers")
    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path", "game24"], strategy="cot,ats", model="teacher", n=4, db=folder / "t.db", sampling=sampling)
    datasets.disable_progress_bars()

    def load(name: str, **options: Any) -> Any:
        path = folder / f"{name}.jsonl"
        with Store.open(folder / "t.db") as store:
            tally = export(store, name, path, options=Options(**options))
        loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))
        assert len(loaded) == tally.taken > 4
        return loaded

    return load


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer made here: no download, no merges worth the name."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<pad>", "<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(["Answer: 9 -> 10"], trainer)
    template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", chat_template=template)


def tiny(kind: str, tokenizer: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=2048, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None, num_labels=2,
    )  # fmt: skip
    return LlamaForTokenClassification(config) if kind == "tokens" else LlamaForCausalLM(config)


def settings(config: Any, folder: Path, **more: Any) -> Any:
    return config(
        output_dir=str(folder), max_steps=1, per_device_train_batch_size=2, report_to="none", use_cpu=True, save_strategy="no", logging_steps=1,
        disable_tqdm=True, gradient_checkpointing=False, bf16=False, learning_rate=0.1, lr_scheduler_type="constant", **more,
    )  # fmt: skip


def train(trainer: Any) -> float:
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    result = trainer.train()
    assert result.global_step == 1
    moved = [name for name, p in trainer.model.named_parameters() if not p.equal(before[name])]
    assert moved, "a step that moves no weight has trained on nothing"
    loss = float(result.training_loss)
    assert loss == loss  # noqa: PLR0124 - not NaN
    return loss


@pytest.mark.parametrize("name", ["sft", "prompt-completion", "openai-sft"])
def test_sft(data: Callable[..., Any], tokenizer: Any, tmp_path: Path, name: str) -> None:
    from trl import SFTConfig, SFTTrainer
    from trl.data_utils import is_conversational

    rows = data(name)
    assert all(map(is_conversational, rows))
    config = settings(SFTConfig, tmp_path, max_length=512)
    assert train(SFTTrainer(model=tiny("lm", tokenizer), args=config, train_dataset=rows, processing_class=tokenizer)) > 1


def test_dpo(data: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer
    from trl.data_utils import is_conversational, unpair_preference_dataset

    rows = data("dpo", labels_from="tree")
    assert all(map(is_conversational, rows))
    assert all(row["chosen"] != row["rejected"] for row in rows)
    assert len(unpair_preference_dataset(rows.remove_columns("lineage"))) == 2 * len(rows)
    config = settings(DPOConfig, tmp_path, max_length=512)
    trainer = DPOTrainer(
        model=tiny("lm", tokenizer), ref_model=tiny("lm", tokenizer), args=config, train_dataset=rows, processing_class=tokenizer
    )
    assert train(trainer) > 0


def test_kto(data: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    rows = data("kto", labels_from="tree")
    assert set(rows["label"]) == {True, False}
    config = settings(KTOConfig, tmp_path, max_length=512)
    trainer = KTOTrainer(
        model=tiny("lm", tokenizer), ref_model=tiny("lm", tokenizer), args=config, train_dataset=rows, processing_class=tokenizer
    )
    assert train(trainer) > 0


def test_prm(data: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl.experimental.prm import PRMConfig, PRMTrainer

    rows = data("prm", labels_from="tree")
    assert all(len(row["completions"]) == len(row["labels"]) == len(row["scores"]) > 0 for row in rows)
    assert {label for row in rows for label in row["labels"]} == {True, False}
    config = settings(PRMConfig, tmp_path, max_length=512)
    assert train(PRMTrainer(model=tiny("tokens", tokenizer), args=config, train_dataset=rows, processing_class=tokenizer)) > 0


def test_grpo_rewards_come_from_the_verifier(data: Callable[..., Any]) -> None:
    from trl.data_utils import is_conversational

    from reasoner import registry
    from reasoner.datasets.reward import verified

    rows = data("grpo")
    assert all(map(is_conversational, rows))
    for row in rows:
        solver = registry.solver(row["solver"])
        right = solver.right_answer(solver.parse(row["instance"]))
        said = [[{"role": "assistant", "content": text}] for text in (right, "Answer: 1", "")]
        columns = {name: [row[name]] * 3 for name in ("solver", "instance", "prompt")}
        assert verified(said, **columns) == [1.0, 0.0, 0.0]
        assert verified([right], [row["solver"]], [row["instance"]]) == [1.0]


def test_search_to_text_trains_like_any_other(search: Callable[..., Result], tokenizer: Any, tmp_path: Path) -> None:
    import datasets
    from trl import SFTConfig, SFTTrainer

    async def rounds(session: Session) -> Answer:
        first = await session.ask("cot/answer")
        second = await session.ask("cot/answer", parent=first)
        session.mark(second, status="final")
        return session.offer(second.text, second)

    for line in ("2 9 20", "2 4 10"):
        first, last = line.split()[1:]
        middle = int(first) + 1
        search(
            rounds,
            [f"1: {first} -> {2 * int(first)}", f"1: {first} -> {middle}\n2: {middle} -> {last}\nAnswer: {first} -> {middle} -> {last}"],
            line=line,
        )
    with Store.open(tmp_path / "t.db") as store:
        assert export(store, "sft", tmp_path / "out.jsonl", options=Options(search_to_text="bfs")).taken == 2
    rows = datasets.load_dataset("json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    assert all("Goal: " in row["messages"][-1]["content"] for row in rows)
    train(
        SFTTrainer(
            model=tiny("lm", tokenizer), args=settings(SFTConfig, tmp_path, max_length=512), train_dataset=rows, processing_class=tokenizer
        )
    )
