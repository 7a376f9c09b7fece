"""Every trainer's own code accepts our files: one real training step each, on a tiny model with random weights, on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
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
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaForTokenClassification

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=2048, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None, num_labels=2,
    )  # fmt: skip
    if kind == "reward":
        config.num_labels = 1
        return LlamaForSequenceClassification(config)
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


def test_grpo_takes_a_step_on_our_reward(data: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    from trl import GRPOConfig, GRPOTrainer

    from reasoner.datasets.reward import verified

    given: list[float] = []

    def reward(completions: Any, **columns: Any) -> list[float]:
        given.extend(verified(completions, **columns))
        # A model with random weights is never right: without a difference within a group there is nothing to learn.
        return [found + len(str(completion)) / 1000 for found, completion in zip(given[-len(completions) :], completions, strict=True)]

    config = settings(GRPOConfig, tmp_path, num_generations=2, max_completion_length=6)
    trainer = GRPOTrainer(
        model=tiny("lm", tokenizer), reward_funcs=[reward], args=config, train_dataset=data("grpo"), processing_class=tokenizer
    )
    assert trainer.train().global_step == 1
    assert given
    assert set(given) <= {0.0, 1.0}


def test_reward(data: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    rows = data("dpo", labels_from="tree").remove_columns("lineage")
    config = settings(RewardConfig, tmp_path, max_length=512)
    assert train(RewardTrainer(model=tiny("reward", tokenizer), args=config, train_dataset=rows, processing_class=tokenizer)) > 0


def test_sft_on_rows_with_thoughts_and_tools(tokenizer: Any, tmp_path: Path) -> None:
    """Thoughts and calls are in what the trainer's tokenizer is given, under a template that shows them."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    from reasoner.clients.scripted import ScriptedClient
    from reasoner.types import Completion, ToolCall

    turns = iter([Completion("", reasoning="I add one.", tool_calls=(ToolCall("c1", "calculator", '{"expression": "9+1"}'),), finish_reason="tool_calls"),
                  Completion("", reasoning="And double.", tool_calls=(ToolCall("c2", "submit", '{"answer": "9 -> 10 -> 20"}'),), finish_reason="tool_calls")] * 3)  # fmt: skip
    client = ScriptedClient(lambda _: next(turns), name="m")
    for line in ("2 9 20",):
        reasoner.solve("number_path", line, strategy="react", model=client, tools=["calculator"], db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as store:
        assert export(store, "sft", tmp_path / "o.jsonl").taken == 1
    rows = datasets.load_dataset("json", data_files=str(tmp_path / "o.jsonl"), split="train", cache_dir=str(tmp_path / "c"))
    template = (
        "{% for t in tools or [] %}{{ t['function']['name'] }};{% endfor %}{% for m in messages %}{{ m['role'] }}: {{ m['reasoning_content'] or '' }}{{ m['content'] }}"
        "{% for c in m['tool_calls'] or [] %}{{ c['function']['name'] }}{{ c['function']['arguments'] }}{% endfor %}{{ eos_token }}{% endfor %}"
    )
    tokenizer = deepcopy(tokenizer)
    tokenizer.chat_template = template
    trainer = SFTTrainer(
        model=tiny("lm", tokenizer), args=settings(SFTConfig, tmp_path, max_length=2048), train_dataset=rows, processing_class=tokenizer
    )
    text = tokenizer.decode(trainer.train_dataset[0]["input_ids"])
    for shown in ("calculator;", "I add one.", "And double.", "9+1", "submit"):
        assert shown in text
    assert train(trainer) > 1


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
