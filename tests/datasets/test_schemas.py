"""Every format is exactly what its documentation says, written down here a second time, and loads with `datasets`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

import reasoner
from reasoner import registry
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.store import Store
from reasoner.tools.calculator import Calculator


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Ours(Strict):
    """A row that may carry our column."""

    lineage: dict[str, Any]


class Message(Strict):
    role: Literal["system", "user", "assistant"]
    content: str


class Reply(Strict):
    role: Literal["assistant"]
    content: str


class Thinking(Reply):
    reasoning_content: str


class Thought(Message):
    reasoning_content: str | None = None


One = Field(min_length=1, max_length=1)


class OpenAiSft(Strict):
    messages: list[Message] = Field(min_length=2)

    @model_validator(mode="after")
    def _ends(self) -> OpenAiSft:
        assert self.messages[-1].role == "assistant"
        return self


class Input(Strict):
    messages: list[Message] = Field(min_length=1)
    tools: list[Any] = Field(max_length=0)
    parallel_tool_calls: bool


class OpenAiDpo(Strict):
    input: Input
    preferred_output: list[Reply] = One
    non_preferred_output: list[Reply] = One


class Turn(Strict):
    from_: Literal["human", "gpt"] = Field(alias="from")
    value: str


class Gpt(Strict):
    from_: Literal["gpt"] = Field(alias="from")
    value: str


def places(turns: list[Turn]) -> None:
    """Human stands on odd places, gpt on even ones."""
    assert all(turn.from_ == ("human" if n % 2 == 0 else "gpt") for n, turn in enumerate(turns))


class ShareGpt(Ours):
    conversations: list[Turn] = Field(min_length=2)
    system: str

    @model_validator(mode="after")
    def _places(self) -> ShareGpt:
        places(self.conversations)
        assert self.conversations[-1].from_ == "gpt"
        return self


class FactoryPair(Ours):
    conversations: list[Turn] = Field(min_length=1)
    system: str
    chosen: Gpt
    rejected: Gpt

    @model_validator(mode="after")
    def _places(self) -> FactoryPair:
        places(self.conversations)
        assert self.conversations[-1].from_ == "human"
        return self


class FactoryLabel(ShareGpt):
    kto_tag: bool


class Alpaca(Ours):
    instruction: str
    input: str
    output: str
    system: str
    history: list[tuple[str, str]]


class Sft(Ours):
    messages: list[Thought] = Field(min_length=2)

    @model_validator(mode="after")
    def _ends(self) -> Sft:
        assert self.messages[-1].role == "assistant"
        assert self.messages[-1].reasoning_content is not None
        return self


class PromptCompletion(Ours):
    prompt: list[Message] = Field(min_length=1)
    completion: list[Thinking] = One


class Dpo(Ours):
    prompt: list[Message] = Field(min_length=1)
    chosen: list[Thinking] = One
    rejected: list[Thinking] = One


class Kto(PromptCompletion):
    label: bool


class AxolotlSft(Ours, OpenAiSft):
    pass


class AxolotlPair(Ours):
    messages: list[Message]
    chosen: Reply
    rejected: Reply


class AxolotlSteps(Ours):
    prompt: str
    completions: list[str] = Field(min_length=1)
    labels: list[bool]
    scores: list[float]

    @model_validator(mode="after")
    def _equal(self) -> AxolotlSteps:
        assert len(self.completions) == len(self.labels) == len(self.scores)
        return self


class Rate(Strict):
    pass_rate: float = Field(ge=0, le=1)


class Grpo(Ours, Rate):
    prompt: list[Message]
    solver: str
    instance: str


class VerifiersTask(Grpo):
    id: str = Field(pattern="[0-9a-f]{16}")


class RewardModel(Strict):
    style: Literal["rule"]
    ground_truth: str


class ExtraInfo(Rate):
    solver: str
    instance: str
    samples: int = Field(ge=1)


class Verl(Ours):
    data_source: str
    prompt: list[Message]
    ability: str
    reward_model: RewardModel
    extra_info: ExtraInfo


class Grouped(Ours, Rate):
    prompt: list[Message]
    completions: list[list[Thinking]] = Field(min_length=1)
    rewards: list[float]
    solver: str
    instance: str

    @model_validator(mode="after")
    def _equal(self) -> Grouped:
        assert len(self.completions) == len(self.rewards)
        assert all(len(one) == 1 for one in self.completions)
        return self


class Rft(Strict):
    messages: list[Message] = Field(min_length=1)
    reference_answer: str
    solver: str
    instance: str


class RewardBench(Ours):
    prompt: str
    chosen: str
    chosen_model: str
    rejected: str
    rejected_model: str
    subset: str
    id: str


class HelpSteerPair(Ours):
    prompt: str
    response_1: str
    response_2: str
    preference_strength: Literal[-3, 3]
    preference_statement: str
    preference_elaboration: str


class HelpSteerLabel(Ours):
    prompt: str
    response: str
    correctness: Literal[0, 4]


class RatedStep(Strict):
    text: str
    rating: Literal[-1, 0, 1]
    flagged: bool


class PrmStep(Strict):
    completions: list[RatedStep] = One
    human_completion: None
    chosen_completion: int


class PrmLabel(Strict):
    steps: list[PrmStep] = Field(min_length=1)
    total_time: int
    finish_reason: Literal["solution", "found_error"]

    @model_validator(mode="after")
    def _ends(self) -> PrmLabel:
        ratings = [step.completions[0].rating for step in self.steps]
        assert -1 not in ratings[:-1]
        assert (ratings[-1] == -1) == (self.finish_reason == "found_error")
        return self


class PrmQuestion(Strict):
    problem: str
    ground_truth_answer: str


class Prm800k(Ours):
    labeler: str
    question: PrmQuestion
    label: PrmLabel
    scores: list[float]


class MathShepherd(Ours):
    input: str
    label: str
    task: str
    scores: list[float]

    @model_validator(mode="after")
    def _marks(self) -> MathShepherd:
        n = len(self.scores)
        assert self.input.count(" ки") == n
        assert self.input.startswith(self.label.split("Step 1: ", maxsplit=1)[0])
        assert self.label.count(" +\n") + self.label.count(" -\n") + self.label.endswith((" +", " -")) >= n
        return self


class AtifMetrics(Strict):
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: float | None = None


class AtifStep(Strict):
    step_id: int
    source: Literal["system", "user", "agent"]
    message: str
    timestamp: str | None = None
    model_name: str | None = None
    metrics: AtifMetrics | None = None
    extra: dict[str, Any] | None = None


class AtifAgent(Strict):
    name: str
    version: str
    model_name: str
    extra: dict[str, Any]


class AtifTotals(Strict):
    total_prompt_tokens: int
    total_completion_tokens: int
    total_cached_tokens: int
    total_steps: int
    total_cost_usd: float | None = None


class Atif(Strict):
    schema_version: Literal["ATIF-v1.8"]
    session_id: str
    trajectory_id: str
    agent: AtifAgent
    steps: list[AtifStep] = Field(min_length=1)
    final_metrics: AtifTotals
    extra: dict[str, Any]

    @model_validator(mode="after")
    def _rules(self) -> Atif:
        assert [step.step_id for step in self.steps] == list(range(1, len(self.steps) + 1))
        assert self.final_metrics.total_steps == len(self.steps)
        for step in self.steps:
            assert step.source == "agent" or step.metrics is None, "metrics are an agent's"
        return self


class ClaudeBlock(Strict):
    """The blocks of Anthropic's messages that a session may hold."""

    type: Literal["text", "thinking", "tool_use", "tool_result"]
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: str | None = None
    is_error: bool | None = None


class ClaudeUsage(Strict):
    input_tokens: int = Field(ge=0)
    cache_read_input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)


class ClaudeMessage(Strict):
    role: Literal["user", "assistant"]
    content: str | list[ClaudeBlock]
    id: str | None = None
    type: Literal["message"] | None = None
    model: str | None = None
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal"] | None = None
    stop_sequence: None = None
    usage: ClaudeUsage | None = None


class Camel(Strict):
    model_config = ConfigDict(alias_generator=to_camel)


class ClaudeCode(Camel):
    parent_uuid: str | None
    is_sidechain: bool
    user_type: Literal["external"]
    cwd: str
    session_id: str = Field(min_length=1)
    version: str
    git_branch: str
    type: Literal["user", "assistant", "system"]
    message: ClaudeMessage | None = None
    subtype: Literal["system_prompt"] | None = None
    content: str | None = None
    request_id: str | None = None
    uuid: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    timestamp: str = Field(pattern=r"Z$")
    extra: dict[str, Any] | None = None


class CodexLine(Strict):
    timestamp: str = Field(pattern=r"Z$")
    type: Literal["session_meta", "turn_context", "response_item", "event_msg"]
    payload: dict[str, Any]
    extra: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _holds(self) -> CodexLine:
        keys = {
            "session_meta": {"id", "timestamp", "cwd", "originator", "cli_version", "instructions"},
            "turn_context": {"cwd", "model"},
            "event_msg": {"type", "info"},
        }
        items = {
            "message": {"role", "content"},
            "reasoning": {"summary", "content", "encrypted_content"},
            "function_call": {"name", "arguments", "call_id"},
            "function_call_output": {"call_id", "output"},
        }
        expected = keys[self.type] if self.type != "response_item" else items[self.payload["type"]] | {"type", "id"}
        assert set(self.payload) == expected
        return self


class Harmony(Ours):
    text: str = Field(
        pattern=r"^<\|start\|>system<\|message\|>(.|\n)*<\|start\|>assistant<\|channel\|>final<\|message\|>(.|\n)*<\|return\|>$"
    )


class Otlp(Camel):
    resource_spans: list[dict[str, Any]]

    @model_validator(mode="after")
    def _parses(self) -> Otlp:
        """The official message reads it, and every name is one of the conventions', or says whose it is."""
        from otlp import read, told

        request = read({"resourceSpans": self.resource_spans})
        assert request.resource_spans[0].scope_spans[0].spans
        told(request)
        return self


SCHEMAS: dict[tuple[str, str], type[BaseModel]] = {
    ("sft", "conversation"): Sft,
    ("prompt-completion", "conversation"): PromptCompletion,
    ("dpo", "pair"): Dpo,
    ("kto", "label"): Kto,
    ("prm", "steps"): AxolotlSteps,
    ("grpo", "prompt"): Grpo,
    ("verifiers", "prompt"): VerifiersTask,
    ("verl", "prompt"): Verl,
    ("grouped", "group"): Grouped,
    ("rft", "prompt"): Rft,
    ("rewardbench", "pair"): RewardBench,
    ("helpsteer", "pair"): HelpSteerPair,
    ("helpsteer", "label"): HelpSteerLabel,
    ("prm800k", "steps"): Prm800k,
    ("math-shepherd", "steps"): MathShepherd,
    ("mlx", "conversation"): Sft,
    ("openai-sft", "conversation"): OpenAiSft,
    ("openai-dpo", "pair"): OpenAiDpo,
    ("sharegpt", "conversation"): ShareGpt,
    ("alpaca", "conversation"): Alpaca,
    ("llama-factory", "conversation"): ShareGpt,
    ("llama-factory", "pair"): FactoryPair,
    ("llama-factory", "label"): FactoryLabel,
    ("axolotl", "conversation"): AxolotlSft,
    ("axolotl", "pair"): AxolotlPair,
    ("axolotl", "steps"): AxolotlSteps,
    ("atif", "document"): Atif,
    ("claude-code", "document"): ClaudeCode,
    ("codex", "document"): CodexLine,
    ("harmony", "conversation"): Harmony,
    ("opentelemetry", "document"): Otlp,
}


SESSIONS = {"claude-code", "codex"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    db = tmp_path_factory.mktemp("schemas") / "t.db"
    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path", "minimal_grass"], strategy="cot,ats,cot:shots=2", model="teacher", n=3, db=db, sampling=sampling)
    with Store.open(db) as opened:
        yield opened


def test_every_format_has_a_schema() -> None:
    assert set(SCHEMAS) == {(name, kind) for name in registry.names("format") for kind in registry.find("format", name).kinds}


@pytest.mark.parametrize(("name", "kind"), sorted(SCHEMAS))
def test_rows_are_exactly_what_the_format_says_and_load(store: Store, tmp_path: Path, name: str, kind: str) -> None:
    import datasets

    made = registry.find("format", name)
    out = tmp_path / ("out" if made.packaged else "out.jsonl")
    tally = export(store, name, out, options=Options(records=kind, labels_from="tree" if kind == "pair" else "replies"))
    path = made().rows_at(out)
    lines = path.read_text(encoding="ascii").splitlines()
    assert tally.taken > 3
    for line in lines:
        SCHEMAS[name, kind].model_validate_json(line)
    if name in SESSIONS:
        assert len(lines) > 2 * tally.taken, "a line an event, of several shapes"
        return
    assert len(lines) == tally.taken
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == tally.taken
    assert set(loaded.column_names) == set(json.loads(lines[0]))


@pytest.mark.parametrize("kind", ["conversation", "pair", "label"])
def test_llama_factory_finds_its_data(store: Store, tmp_path: Path, kind: str) -> None:
    """The entry names every column and tag a row has, and entries of other exports in the folder stay."""
    (tmp_path / "dataset_info.json").write_text('{"theirs": {"file_name": "x.json"}}')
    export(
        store,
        "llama-factory",
        tmp_path / "mine.jsonl",
        options=Options(records=kind, split="train=0.5,test=0.5", labels_from="tree" if kind == "pair" else "replies"),
    )
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(info) == {"theirs", "mine_train", "mine_test"}
    for name in ("mine_train", "mine_test"):
        entry = info[name]
        row = json.loads((tmp_path / entry["file_name"]).read_text().splitlines()[0])
        assert entry["formatting"] == "sharegpt"
        assert entry.get("ranking", False) == (kind == "pair")
        assert set(entry["columns"].values()) <= set(row)
        assert {"pair": {"chosen", "rejected"}, "label": {"kto_tag"}}.get(kind, set()) <= set(entry["columns"])
        tags = entry["tags"]
        turn = row["conversations"][0]
        assert turn[tags["role_tag"]] == tags["user_tag"]
        assert turn[tags["content_tag"]]


def test_a_file_of_that_name_that_is_something_else_is_not_overwritten(store: Store, tmp_path: Path) -> None:
    from reasoner.errors import BadConfig

    (tmp_path / "dataset_info.json").write_text("not json")
    with pytest.raises(BadConfig, match="is no JSON"):
        export(store, "llama-factory", tmp_path / "mine.jsonl")
    assert (tmp_path / "dataset_info.json").read_text() == "not json"
    assert [path.name for path in tmp_path.iterdir()] == ["dataset_info.json"], "nothing else is left behind"


def test_messages_that_do_not_alternate_are_left_out_of_formats_that_need_it(tmp_path: Path) -> None:
    from reasoner.datasets.imports import read_path
    from reasoner.datasets.select import Filters

    messages = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]
    (tmp_path / "in.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    with Store.open(tmp_path / "t.db") as opened:
        read_path(opened, tmp_path / "in.jsonl")
        for name in ("sharegpt", "alpaca", "llama-factory"):
            tally = export(opened, name, tmp_path / "out.jsonl", Filters(verdict="any"))
            assert tally.left_out == {f"its messages cannot be written as {name}": 1}
        assert export(opened, "sft", tmp_path / "out.jsonl", Filters(verdict="any")).taken == 1


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_the_example_files_are_of_every_format_and_small() -> None:
    found = {}
    for (name, kind), schema in SCHEMAS.items():
        folder = EXAMPLES / (name if kind == registry.find("format", name).kinds[0] else f"{name}-{kind}")
        found[folder.name] = folder
        rows = folder / "train.jsonl"
        if registry.find("format", name).packaged:
            (rows,) = folder.rglob("tasks.jsonl")
        lines = rows.read_text(encoding="ascii").splitlines()
        assert len(lines) >= 15, "one of each solver and strategy"
        for line in lines:
            row = json.loads(line)
            if kind == "pair":
                row = {
                    key: value for key, value in row.items() if not key.endswith(("_rating", "_reason"))
                }  # ratings, which were asked for
            schema.model_validate(row)
        assert "were written by the exact solver" in (rows.parent / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"pipelines"} == set(found)
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 1_600_000


def test_the_tools_of_the_example_files_are_those_of_this_version() -> None:
    """Where a description was changed, `scripts/make_examples --only FORMAT` makes the files of a format anew."""
    tool = Calculator()
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    found = []
    for line in (EXAMPLES / "opentelemetry" / "train.jsonl").read_text(encoding="ascii").splitlines():
        for attribute in re.findall(r'"gen_ai\.tool\.definitions",\s*"value":\s*\{"stringValue":\s*("(?:[^"\\]|\\.)*")', line):
            found += [each["function"] for each in json.loads(json.loads(attribute)) if each["function"]["name"] == "calculator"]
    assert len(found) >= 10
    assert [each for each in found if each != function] == []
