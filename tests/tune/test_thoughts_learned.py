"""A thought travels from a server into what a model learns: kept, exported, rendered by the chat templates of the TRL package, and trained on."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from fault_server import Fault, FaultServer, chat

import reasoner
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options, Thinking
from reasoner.errors import DataError
from reasoner.store import Store
from reasoner.tune.batches import encode, encode_all
from reasoner.tune.rows import Row, read_rows

THOUGHT = "Double nine?\n9 -> 18 -> 36 is too much, so add one first."
RIGHT = "Answer: 9 -> 10 -> 20"
FIELDS: dict[Thinking, str] = {"reasoning_content": "reasoning_content", "thinking": "thinking", "both": "thinking", "tags": ""}
TEMPLATES = {  # template: the field it reads itself, and how it ends a turn; transformers gives it the thought under each of the names
    "qwen3": ("reasoning_content", "<|im_end|>"), "qwen3_training": ("reasoning_content", "<|im_end|>"),
    "qwen3_5_think": ("reasoning_content", "<|im_end|>"), "qwen3_6": ("reasoning_content", "<|im_end|>"),
    "qwen3_8": ("reasoning_content", "<|im_end|>"), "glm4moe": ("reasoning_content", ""), "glm4moe_training": ("reasoning_content", "<|user|>"),
    "gptoss": ("thinking", "<|return|>"), "gptoss_training": ("thinking", "<|return|>"), "lfm2": ("", "<|im_end|>"),
    "lfm2_training": ("", "<|im_end|>"), "lfm2_2_5": ("thinking", "<|im_end|>"),
}  # fmt: skip
SPECIAL = [
    "<|im_end|>", "<|im_start|>", "<think>", "</think>", "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "[gMASK]", "<sop>",
    "<|user|>", "<|assistant|>", "<|system|>", "<|startoftext|>", "<s>", "<|eot_id|>", "<|eom_id|>",
]  # fmt: skip


def template(name: str) -> str:
    spec = importlib.util.find_spec("trl")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs trl, whose chat templates these are")
    return (Path(spec.submodule_search_locations[0]) / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A tokenizer of bytes, and of the control tokens that the templates write."""
    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    plain = tokenizers.Tokenizer(tokenizers.models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|im_end|>", bos_token="<s>", additional_special_tokens=SPECIAL[1:]
    )


@pytest.fixture
def exported(tmp_path: Path, fault_server: FaultServer) -> Path:
    """A run over a server whose model thinks, exported once for each place where a thought may stand."""
    message = {"role": "assistant", "content": RIGHT, "reasoning_content": THOUGHT}
    fault_server.script(Fault(chat(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])))
    solved = reasoner.solve(
        "number_path",
        "2 9 20",
        strategy="direct",
        model="openai:thinker",
        base_url=fault_server.url,
        db=tmp_path / "t.db",
    )
    assert solved.correct
    with Store.open(tmp_path / "t.db") as store:
        for how in FIELDS:
            assert export(store, "sft", tmp_path / f"{how}.jsonl", options=Options(thinking=how)).taken == 1
    return tmp_path


def test_a_servers_thought_is_exported_where_it_is_asked_for_and_comes_back_byte_equal(exported: Path) -> None:
    (exported / "again").mkdir()
    for how, field in FIELDS.items():
        path = exported / f"{how}.jsonl"
        last = json.loads(path.read_text())["messages"][-1]
        assert last.get(field) == THOUGHT if field else last["content"] == f"<think>\n{THOUGHT}\n</think>\n\n{RIGHT}"
        with Store.open(exported / f"{how}.db") as other:
            assert read_path(other, path).taken == 1
            export(other, "sft", exported / "again" / path.name, options=Options(thinking=how))
        assert (exported / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_chat_templates_of_trl_render_the_thought(exported: Path, tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = template(name)
    field = TEMPLATES[name][0]
    assert [each for each in ("reasoning_content", "thinking") if f".{each}" in tokenizer.chat_template] == ([field] if field else [])
    held = set()
    for how in FIELDS:
        messages = json.loads((exported / f"{how}.jsonl").read_text())["messages"]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert RIGHT in text
        held |= {how} if THOUGHT in text and text.index(THOUGHT) < text.rindex(RIGHT) else set()
    assert held == (set(FIELDS) if field else {"tags"})


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_thought_and_the_end_of_the_turn_are_learned(exported: Path, tokenizer: Any, name: str) -> None:
    tokenizer.chat_template = template(name)
    for how in FIELDS:
        (row,), _ = read_rows(exported / f"{how}.jsonl")
        made = encode(tokenizer, row)
        learned = tokenizer.decode(made.tokens[made.n_prompt :])
        assert THOUGHT not in tokenizer.decode(made.tokens[: made.n_prompt])
        assert learned.index(THOUGHT) < learned.index(RIGHT), how
        assert learned.endswith(TEMPLATES[name][1] or tokenizer.eos_token), (how, learned)
        assert learned.count(THOUGHT) == learned.count(RIGHT) == 1


TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}BEHIND{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\nOPEN{% endif %}"


@pytest.mark.parametrize(
    ("behind", "learned_end"),
    [("<|im_end|>\n", "<|im_end|>"), ("\n<|im_end|>\n", "\n<|im_end|>"), ("\n\n", "<|im_end|>"), ("", "<|im_end|>")],
    ids=["at once", "behind a blank", "blanks only", "nothing"],
)
def test_the_end_token_is_learned_whatever_the_template_writes_behind_the_reply(tokenizer: Any, behind: str, learned_end: str) -> None:
    tokenizer.chat_template = TURNS.replace("BEHIND", "{{ '" + behind.replace("\n", "\\n") + "' }}").replace("OPEN", "")
    made = encode(tokenizer, Row((("user", "q"),), "24"))
    assert tokenizer.decode(made.tokens[made.n_prompt :]) == f"24{learned_end}"


def test_a_thought_that_the_prompt_has_opened_is_not_opened_again(tokenizer: Any) -> None:
    tokenizer.chat_template = TURNS.replace("BEHIND", "<|im_end|>\n").replace("OPEN", "<think>\n")
    made = encode(tokenizer, Row((("user", "q"),), "24", "9 + 1"))
    assert tokenizer.decode(made.tokens[made.n_prompt :]) == "9 + 1\n</think>\n\n24<|im_end|>"


CALLS = [{"id": "c1", "type": "function", "function": {"name": "legs", "arguments": '{"of": "hen"}'}}]
TOOL = {"type": "function", "function": {"name": "legs", "description": "of an animal", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("name", ["qwen3", "qwen3_instruct_2507", "qwen2_5", "llama3_1", "glm4moe", "lfm2_2_5"])
@pytest.mark.parametrize("as_text", [True, False])
def test_rows_with_tools_are_learned_with_their_calls(tokenizer: Any, tmp_path: Path, name: str, as_text: bool) -> None:
    """A reply that calls a tool, and one that answers after the tool's result: both under the tools that were offered."""
    tokenizer.chat_template = template(name)
    asked = [{"role": "user", "content": "How many legs has a hen?"}]
    calling = [*asked, {"role": "assistant", "content": "", "tool_calls": CALLS}]
    answered = [*calling, {"role": "tool", "content": "TWO", "tool_call_id": "c1"}, {"role": "assistant", "content": "It has two legs."}]
    tools: Any = json.dumps([TOOL]) if as_text else [TOOL]
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps({"messages": messages, "tools": tools}) + "\n" for messages in (calling, answered)))
    rows, _ = read_rows(path)
    for row, learned, shown in zip(rows, ("legs", "It has two legs."), ("of an animal", "TWO"), strict=True):
        made = encode(tokenizer, row)
        prompt, said = (tokenizer.decode(part) for part in (made.tokens[: made.n_prompt], made.tokens[made.n_prompt :]))
        assert shown in prompt
        assert learned in said
        assert said.count(learned) == 1
        assert made.tokens[-1] in tokenizer.all_special_ids


def test_a_template_that_shows_no_calls_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.chat_template = TURNS.replace("BEHIND", "<|im_end|>").replace("OPEN", "")
    path = tmp_path / "d.jsonl"
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": CALLS}]
    path.write_text(json.dumps({"messages": messages, "tools": [TOOL]}) + "\n")
    rows, _ = read_rows(path)
    with pytest.raises(DataError, match=r"row 1 of .*does not show calls of tools"):
        encode_all(tokenizer, rows, path, n_ctx=2048)
