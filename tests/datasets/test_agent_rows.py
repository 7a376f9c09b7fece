"""What agents did, as training rows and as documents: random trajectories go out, come in and go out again the same, to the last byte.

`REASONER_AGENT_ROWS` sets how many (60), `REASONER_CHAOS_SEED` repeats the printed seed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atif
import otlp
import pytest
import trl
from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template
from typer.testing import CliRunner

import reasoner
from reasoner.cli.app import app
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import NOT_IN_REPLY
from reasoner.datasets.source import BY_TOOL
from reasoner.datasets.trace import origins
from reasoner.store import Store
from reasoner.tools import Tool
from reasoner.types import Completion, Request, ToolCall

N = int(os.environ.get("REASONER_AGENT_ROWS", "60"))
TEMPLATES = Path(trl.__file__).parent / "chat_templates"
SHOWN = (
    "diffusion_gemma", "gemma4", "glm4moe", "gptoss", "lfm2_2_5", "lfm2_2_5_vl", "llama3_1", "llama3_2", "muse_glimmer",
    "nemotron_3_5_lightning", "nemotron_3_nano", "nemotron_3_super", "nemotron_3_ultra", "qwen2_5", "qwen3", "qwen3_5_nothink", "qwen3_5_think",
    "qwen3_6", "qwen3_8", "qwen3_instruct_2507", "qwen3_vl",
)  # fmt: skip
"""The templates that show the tools, the calls and what the tools gave."""
PICKY: dict[str, Callable[[dict[str, Any]], bool]] = {
    "gemma4": lambda message: message["role"] == "tool" and not message.get("tool_call_id"),
    "llama3_1": lambda message: len(message.get("tool_calls", ())) > 1,
    "llama3_2": lambda message: len(message.get("tool_calls", ())) > 1,
    "gptoss": lambda message: bool(message.get("tool_calls") and message["content"] and message.get("reasoning_content")),
}
"""What a template refuses in a message: a result without an id; several calls in one turn; a text and a thought beside a call."""
ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"
TEXTS = ("", "I look.", "ünï → code 🙂", 'a\nb\t"c" \\ {{ x }} {% y %}', "x" * 500, "</tool_call><|im_end|>", "\u2028\x00")
HOSTILE = (
    '{"text": NaN}', '{"text": "a", "times": 1e999}', '{"text": "a", "text": "b"}', "[1]", "null", '"{}"', "7", '{"text": "\\ud800"}', "{",
    '{"text": ' + "[" * 3000 + "]" * 3000 + "}", '{"text": ' + "9" * 5000 + "}", '{"text": "\u2028\\u0000<|end|>"}', '{"text": "\\"\\\\\\""}',
)  # fmt: skip
"""Arguments as a model may write them: no numbers of JSON, the wrong type, without end; ids stand twice, or are missing."""


@reasoner.tool
def echo(text: str, times: int = 1) -> str:
    """Give a text back."""
    return text * times


@reasoner.tool(effect="once")
def fail(why: str) -> str:
    """Fail."""
    if not why:
        raise SystemExit(7)
    raise ValueError(why)


def answering(seed: int, *, code: bool) -> Any:
    """Return a model that acts at random, the same way for the same conversation."""

    def reply(request: Request) -> Completion | str:
        done = sum(message.role == "assistant" for message in request.messages)
        rng = random.Random(f"{seed} {request.seed} {done}")
        last = done >= rng.randint(1, 4) or rng.random() < 0.2
        if code:
            body = (
                f"submit({ANSWER!r})"
                if last
                else rng.choice([f"print(echo({rng.choice(TEXTS[:3])!r}, 2))", "x = 1\nx + 1", "fail('no')", "1 / 0"])
            )
            return f"{rng.choice(TEXTS[:3])}\n```python\n{body}\n```"
        if last:
            made = [ToolCall("s", "submit", json.dumps({"answer": ANSWER}))]
        else:
            made = [
                rng.choice(
                    [
                        ToolCall(f"c{n}", "echo", json.dumps({"text": rng.choice(TEXTS), "times": rng.randint(0, 3)})),
                        ToolCall(f"c{n}", "calculator", json.dumps({"expression": rng.choice(["1/3", "2*(3+4)", "1/0", ""])})),
                        ToolCall(f"c{n}", "fail", json.dumps({"why": rng.choice(TEXTS)})),
                        ToolCall(f"c{n}", "echo", rng.choice(['{"text": 1}', '{"times": 2}'])),
                        ToolCall(rng.choice(["c0", "", f"c{n}"]), "echo", rng.choice(HOSTILE)),
                    ]
                )
                for n in range(rng.randint(1, 3))
            ]
        thought = rng.choice(["", "Hm."])
        return Completion(rng.choice(TEXTS), tool_calls=tuple(made), finish_reason="tool_calls", reasoning=thought)

    return reply


def run(*args: str) -> None:
    ended = CliRunner().invoke(app, args)
    assert ended.exit_code == 0, ended.output


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("agents") / "a.db"
    seed = int(os.environ.get("REASONER_CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when a test fails
    for strategy, samples in (("code_act", N // 3), ("react", N - N // 3)):
        client = ScriptedClient(answering(seed, code=strategy == "code_act"), name=f"random-{strategy}")
        tools: list[str | Tool] = ["calculator", echo, fail]
        result = reasoner.solve("arithmetic", "3 4 6 18", strategy=strategy, model=client, tools=tools, db=db, samples=samples)
        assert result.status == "closed", result.error
    with Store.open(db) as store:
        assert store.tuples("SELECT count(*) FROM trajectories WHERE status = 'closed'", ()) == [(N,)]
    return db


@pytest.mark.parametrize("name", ["atif", "claude-code", "codex", "opentelemetry"])
def test_documents_come_back_to_the_last_byte(recorded: Path, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    run("export", name, str(first), "--db", str(recorded), "--verdict", "any", "--special-tokens", "keep")
    run("import", str(first), "--db", str(tmp_path / "b.db"))
    run("export", name, str(second), "--db", str(tmp_path / "b.db"), "--verdict", "any", "--special-tokens", "keep")
    assert first.read_bytes() == second.read_bytes()
    lines = first.read_text(encoding="utf-8").splitlines()
    traced = {origins(first, line)[0]["trajectory"] for line in range(1, min(len(lines), 200))}
    with Store.open(tmp_path / "b.db") as store:
        assert traced <= {row["id"] for row in store.rows("SELECT id FROM trajectories")}
        assert len(traced) > 1


def test_documents_are_what_the_models_of_atif_take(recorded: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    run("export", "atif", str(first), "--db", str(recorded), "--verdict", "any", "--special-tokens", "keep")
    lines = first.read_text(encoding="utf-8").splitlines()
    assert N * 0.4 <= len(lines) <= N, "the same conversation twice is one row"
    n_observed = 0
    for line in lines:
        document = atif.Trajectory.model_validate_json(line)
        assert document.schema_version == "ATIF-v1.8"
        n_observed += sum(step.observation is not None for step in document.steps)
    assert n_observed >= N


def test_spans_are_what_the_official_packages_take(recorded: Path, tmp_path: Path) -> None:
    """One span for the agent, one for every call and one for every action, each under the one that asked for it."""
    path = tmp_path / "spans.jsonl"
    run("export", "opentelemetry", str(path), "--db", str(recorded), "--verdict", "any", "--special-tokens", "keep")
    n_tools = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        request = otlp.read(json.loads(line))
        spans = request.resource_spans[0].scope_spans[0].spans
        said = otlp.told(request)
        assert said[0]["gen_ai.operation.name"].string_value == "invoke_agent"
        assert len({span.span_id for span in spans}) == len(spans)
        assert all(span.parent_span_id in {one.span_id for one in spans} for span in spans[1:])
        n_tools += sum(one["gen_ai.operation.name"].string_value == "execute_tool" for one in said)
        for one in said:
            if one["gen_ai.operation.name"].string_value == "chat":
                (reply,) = json.loads(one["gen_ai.output.messages"].string_value)
                assert reply["role"] == "assistant"
                assert one["gen_ai.usage.output_tokens"].int_value >= 0
    assert n_tools >= N


def test_rows_hold_tools_and_render_in_chat_templates(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "sft.jsonl"
    run("export", "sft", str(out), "--db", str(recorded))
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    with_tools = [row for row in rows if json.loads(row["tools"])]
    assert with_tools
    n_rendered = 0
    for row in with_tools:
        assert {"calculator", "echo", "fail", "submit"} == {tool["function"]["name"] for tool in json.loads(row["tools"])}
        last = row["messages"][-1]
        assert last["role"] == "assistant"
        assert last["tool_calls"][0]["function"]["name"] == "submit"
        called = [call["id"] for message in row["messages"][:-1] for call in message.get("tool_calls", ())]
        answered = [message.get("tool_call_id", "") for message in row["messages"] if message["role"] == "tool"]
        assert answered == called, "every call is answered, in its order"
        rendered = {}
        for name in SHOWN:
            messages = [_objects(message) for message in row["messages"]]
            if any(map(PICKY.get(name, lambda _: False), messages)):
                continue
            template = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
            ((rendered[name],), _) = render_jinja_template([messages], tools=json.loads(row["tools"]), chat_template=template)
            assert "calculator" in rendered[name]
            assert "submit" in rendered[name]
        assert len(rendered) >= len(SHOWN) - len(PICKY)
        assert "<tool_call>" in rendered["qwen3"]
        n_rendered += len(rendered)
    assert n_rendered >= len(with_tools) * (len(SHOWN) - len(PICKY))


def test_the_table_of_templates_in_the_docs_is_what_they_show() -> None:
    """Every template of TRL is asked with one conversation; the guide says which of them show tools, calls and results."""
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "agents.md").read_text(encoding="utf-8")
    told = {name for line in guide.splitlines() if line.startswith("| `") and "TCR" in line for name in _quoted(line)}
    call = {"id": "c", "type": "function", "function": {"name": "calc", "arguments": {"expression": "17*31"}}}
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "RESULT", "tool_call_id": "c"},
        {"role": "assistant", "content": "F"},
    ]
    parameters = {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}
    tools = [{"type": "function", "function": {"name": "calc", "description": "Adds exactly.", "parameters": parameters}}]
    shown = set()
    for path in TEMPLATES.glob("*.jinja"):
        if path.stem.endswith("_training"):
            continue
        try:
            ((text,), _) = render_jinja_template([messages], tools=tools, chat_template=path.read_text(encoding="utf-8"))
        except (TemplateError, TypeError):
            continue
        if all(part in text for part in ("Adds exactly", "17*31", "RESULT")):
            shown.add(path.stem)
    assert shown == told == set(SHOWN)


def _quoted(line: str) -> list[str]:
    return line.split("|")[1].replace("`", "").replace(" ", "").split(",")


def _objects(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with arguments as objects, as trainers hand them to templates."""
    calls = [
        {**call, "function": {**call["function"], "arguments": _object(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, **({"tool_calls": calls} if calls else {})}


def _object(arguments: str) -> dict[str, Any]:
    """Return arguments as an object; what a model wrote may be none that JSON can say."""
    try:
        value = json.loads(arguments)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": arguments}


@pytest.mark.parametrize("name", ["sft", "openai-sft", "axolotl", "prompt-completion", "harmony", "prm"])
def test_rows_come_back_to_the_last_byte(recorded: Path, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "out" / "rows.jsonl", tmp_path / "again" / "rows.jsonl"
    for path in (first, second):
        path.parent.mkdir()
    how = ["--special-tokens", "keep", *(["--labels-from", "tree"] if name == "prm" else [])]
    run("export", name, str(first), "--db", str(recorded), *how)
    run("import", str(first.parent if name == "openai-sft" else first), "--db", str(tmp_path / "b.db"))
    run("export", name, str(second), "--db", str(tmp_path / "b.db"), *how)
    assert first.read_bytes() == second.read_bytes()
    rows = list(map(json.loads, first.read_text(encoding="utf-8").splitlines()))
    assert rows
    assert name == "prm" or any(row.get("tools") not in {None, "[]"} if name != "openai-sft" else row.get("tools") for row in rows)


def test_agents_are_taken_in_unless_they_are_not_wanted(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "sft.jsonl"
    with Store.open(recorded) as store:
        assert export(store, "sft", out).taken
        without = export(store, "sft", out, options=Options(submissions=False))
        assert not without.taken
        assert NOT_IN_REPLY in without.left_out
        for name in ("dpo", "kto"):
            told = export(store, name, out, options=Options(labels_from="replies"))
            assert not told.taken, "half of a reply would be no reply"
            assert told.left_out == {BY_TOOL: told.seen}
