"""Logs of other tools with invented content, each in the shape it is published in: what to write, and what must come of it.

for sample in SAMPLES: path = sample.write(folder)
"""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One log. `rows` are its rows as JSON values; `file` is where they stand, `as_what` how."""

    name: str
    kind: str
    rows: list[Row]
    file: str = "in.jsonl"
    as_what: str = "lines"
    n: int = 2
    """Trajectories that come of it."""
    last: str = ""
    """The last reply of the first trajectory."""
    thought: str = ""
    calls: tuple[str, ...] = ()
    """Names of the tools its replies call."""
    roles: str = ""
    """Roles of the whole first conversation, by their first letters."""
    tokens: tuple[int, int] | None = None
    facts: Row = field(default_factory=dict)
    """Part of what is kept beside the first one."""
    model: str = ""
    record: str = ""
    """Kind of record, where it is no conversation."""
    columns: str = ""
    """A map, where the columns are of no known kind."""
    damage: Callable[[Row], Any] = lambda row: {"nothing": 1}
    """What is made of the second row in the damaged variant."""

    def write(self, folder: Path, *, damaged: bool = False) -> Path:
        """Write the log, or its damaged variant, and return its path."""
        rows: list[Any] = list(self.rows)
        if damaged:
            rows[1] = self.damage(json.loads(json.dumps(rows[1])))
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        made = WRITERS[self.as_what](rows)
        path.write_bytes(made)
        return folder / self.file.partition("/")[0]


def _lines(rows: list[Any]) -> bytes:
    return "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows).encode()


def _array(rows: list[Any]) -> bytes:
    return ("[\n" + ",\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n]\n").encode()


def _zip(rows: list[Any]) -> bytes:
    """Write an archive as Inspect does: one member a sample, compressed by Zstandard, which the library cannot write by itself."""
    import pyarrow as pa

    buffer = io.BytesIO()
    members = [("header.json", rows[0]), *((f"samples/{n}_epoch_1.json", row) for n, row in enumerate(rows[1:]))]
    directory = []
    for name, row in members:
        data = json.dumps(row).encode()
        packed = pa.Codec("zstd").compress(data, asbytes=True)
        crc = zlib.crc32(data)
        if row == {"nothing": 1}:
            packed = b"damaged" + packed[7:]
        head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 63, 0, 93, 0, 33, crc, len(packed), len(data), len(name), 0)
        directory.append(
            struct.pack(
                "<4s6H3I5H2I", b"PK\x01\x02", 63, 63, 0, 93, 0, 33, crc, len(packed), len(data), len(name), 0, 0, 0, 0, 0, buffer.tell()
            ) + name.encode()
        )  # fmt: skip
        buffer.write(head + name.encode() + packed)
    at = buffer.tell()
    joined = b"".join(directory)
    buffer.write(joined + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(members), len(members), len(joined), at, 0))
    assert len(zipfile.ZipFile(buffer).namelist()) == len(members)
    return buffer.getvalue()


def _llm(rows: list[Any]) -> bytes:
    """Write a database as the command llm does."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);"
        "CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT, response TEXT,"
        " response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT, input_tokens INTEGER, output_tokens INTEGER,"
        " token_details TEXT, schema_id TEXT, resolved_model TEXT, reasoning TEXT);"
        "CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT, arguments TEXT, tool_call_id TEXT);"
        "CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT, output TEXT, tool_call_id TEXT);"
    )
    for row in rows:
        table, values = row.get("table", "responses"), {k: v for k, v in row.items() if k not in {"table", "nothing"}}
        names = ", ".join(values)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", list(values.values()))
    connection.commit()
    return bytes(connection.serialize())


def _parquet(rows: list[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _csv(rows: list[Any]) -> bytes:
    import csv

    out = io.StringIO()
    names = list(rows[0])
    writer = csv.DictWriter(out, names, delimiter=";")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: row.get(name, "") for name in names})
    return b"\xef\xbb\xbf" + out.getvalue().encode()


WRITERS: dict[str, Callable[[list[Any]], bytes]] = {
    "lines": _lines,
    "array": _array,
    "object": lambda rows: json.dumps(rows[0] if len(rows) == 1 else {"data": rows}).encode(),
    "gz": lambda rows: gzip.compress(_lines(rows)),
    "utf16": lambda rows: _lines(rows).decode().encode("utf-16"),
    "zip": _zip,
    "llm": _llm,
    "parquet": _parquet,
    "csv": _csv,
}


def m(role: str, content: Any, **more: Any) -> Row:
    return {"role": role, "content": content, **more}


def talk(n: int) -> list[Row]:
    return [m("user", f"How many legs have {n} hens?"), m("assistant", f"{2 * n} legs.")]


LEGS = {"name": "legs", "description": "legs of an animal", "parameters": {"type": "object", "properties": {"of": {"type": "string"}}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "legs", "arguments": '{"of": "hen"}'}}
WITH_TOOL = [
    m("developer", "Count."), m("user", "Legs of a hen?"), m("assistant", None, tool_calls=[CALL]), m("tool", "2", tool_call_id="c1"),
    m("assistant", "Two.", weight=1),
]  # fmt: skip
DATA_URI = "data:image/png;base64,iVBORw0KGgo="


def completion(n: int, **more: Any) -> Row:
    return {
        "id": f"chatcmpl-{n}", "object": "chat.completion", "created": 1700000000 + n, "model": "gpt-x-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": f"{2 * n} legs.", "refusal": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10 + n, "completion_tokens": 3, "total_tokens": 13 + n, "completion_tokens_details": {"reasoning_tokens": 0}}, **more,
    }  # fmt: skip


def inspect_sample(n: int) -> Row:
    return {
        "id": f"q{n}", "epoch": 1, "input": "How many?", "target": str(2 * n),
        "messages": [
            {"id": "a", **m("system", "Think."), "source": "input"}, {"id": "b", **m("user", "attachment://h1"), "source": "input"},
            {
                "id": "c", **m("assistant", [{"type": "reasoning", "reasoning": "two each"}, {"type": "text", "text": "I ask."}]), "model": "mock/m",
                "source": "generate", "tool_calls": [{"id": "t1", "function": "legs", "arguments": {"of": "hen"}, "type": "function"}],
            },
            {"id": "d", **m("tool", "2"), "tool_call_id": "t1", "function": "legs"}, {"id": "e", **m("assistant", f"{2 * n}"), "model": "mock/m", "source": "generate"},
        ],
        "output": {
            "model": "mock/m", "choices": [{"message": m("assistant", f"{2 * n}"), "stop_reason": "stop"}],
            "usage": {"input_tokens": 40 + n, "output_tokens": 5, "total_tokens": 45 + n, "input_tokens_cache_read": 8}, "time": 1.5,
        },
        "scores": {"match": {"value": "C", "answer": str(2 * n)}}, "metadata": {"topic": "hens"}, "attachments": {"h1": f"Legs of {n} hens?"}, "events": [],
    }  # fmt: skip


def atif(n: int, version: str) -> Row:
    return {
        "schema_version": version, "session_id": f"s{n}", "agent": {"name": "digger", "version": "1.2", "model_name": "m-1", "tool_definitions": [{"type": "function", "function": LEGS}]},
        "steps": [
            {"step_id": 1, "timestamp": "2026-01-01T00:00:00Z", "source": "system", "message": "Count."},
            {"step_id": 2, "source": "user", "message": [{"type": "text", "text": f"Legs of {n} hens?"}, {"type": "image", "source": {"media_type": "image/png", "path": "a.png"}}]},
            {
                "step_id": 3, "source": "agent", "message": "I look.", "reasoning_content": "two each", "model_name": "m-1",
                "tool_calls": [{"tool_call_id": "c1", "function_name": "legs", "arguments": {"of": "hen"}}],
                "observation": {"results": [{"source_call_id": "c1", "content": "2"}]},
                "metrics": {"prompt_tokens": 50, "completion_tokens": 9, "cached_tokens": 4, "cost_usd": 0.01, "completion_token_ids": [5, 6]},
            },
            {"step_id": 4, "source": "agent", "message": f"{2 * n} legs.", "metrics": {"prompt_tokens": 60, "completion_tokens": 4}},
        ],
        "final_metrics": {"total_prompt_tokens": 110, "total_completion_tokens": 13}, "notes": "invented",
        **({"subagent_trajectories": []} if version.endswith("8") else {}),
    }  # fmt: skip


def otlp(value: Any) -> Row:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [otlp(one) for one in value]}}
    return {"stringValue": value}


def genai(n: int) -> Row:
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": "gpt-x-2026",
        "gen_ai.request.temperature": 0.5, "gen_ai.usage.input_tokens": 20 + n, "gen_ai.usage.output_tokens": 6, "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Count."}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"Legs of {n} hens?"}]}]),
        "gen_ai.output.messages": json.dumps([
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "two each"}, {"type": "text", "content": f"{2 * n} legs."}, {"type": "tool_call", "id": "c1", "name": "legs", "arguments": {"of": "hen"}}], "finish_reason": "stop"}
        ]),
    }  # fmt: skip


def otlp_span(n: int) -> Row:
    return {
        "traceId": f"t{n}",
        "spanId": f"s{n}",
        "name": "chat gpt-x",
        "attributes": [{"key": k, "value": otlp(v)} for k, v in genai(n).items()],
    }


def session(n: int, kind: str, content: Any, **more: Any) -> Row:
    return {
        "type": kind, "uuid": f"u{n}", "parentUuid": f"u{n - 1}" if n else None, "sessionId": "se-1", "cwd": "/p", "version": "2.1", "isSidechain": False,
        "timestamp": f"2026-01-01T00:00:{n:02}Z", "message": {"role": kind, "content": content, **more},
    }  # fmt: skip


def item(kind: str, **payload: Any) -> Row:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": kind, "payload": payload}


def _no_reply(row: Row) -> Row:
    """A conversation that nobody answered."""
    return {**row, "messages": row["messages"][:1]}


THREAD = [
    {"role": "system", "content": "Be brief.", "weight": 0}, *({**one, "weight": w} for one, w in zip([*talk(1), *talk(2)], (0, 0, 0, 1), strict=True)),
]  # fmt: skip

SAMPLES: list[Sample] = [
    Sample("openai fine-tuning", "messages", [{"messages": talk(1)}, {"messages": talk(2)}], last="2 legs.", roles="ua", damage=_no_reply),
    Sample(
        "openai fine-tuning with weights",
        "messages",
        [{"messages": THREAD, "id": "r1"}, {"messages": talk(2)}],
        last="4 legs.",
        roles="suaua",
        facts={"weights": [0, 0, 0, 0, 1], "id": "r1"},
        damage=lambda row: '{"messages": [{"role": "user", "content": "hal',
    ),
    Sample(
        "openai fine-tuning with tools",
        "messages",
        [{"messages": WITH_TOOL, "tools": [{"type": "function", "function": LEGS}], "parallel_tool_calls": False}, {"messages": talk(2)}],
        last="Two.",
        roles="suata",
        calls=("legs",),
        damage=lambda row: {"messages": [m("alien", "x"), *row["messages"]]},
    ),
    Sample(
        "chat rows with thoughts and images",
        "messages",
        [
            {
                "messages": [
                    m("user", [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": DATA_URI}}]),
                    m("assistant", "A hen.", reasoning_content="It has a comb."),
                ]
            },
            {"messages": talk(3)},
        ],
        last="A hen.",
        thought="It has a comb.",
        file="in.jsonl.gz",
        as_what="gz",
        damage=lambda row: {"messages": "none"},
    ),
    Sample(
        "thought in tags",
        "messages",
        [{"messages": [m("user", "Legs?"), m("assistant", "<think>\nAnswer: 3? No.\n</think>\n\nAnswer: 2")]}, {"messages": talk(2)}],
        last="Answer: 2",
        thought="Answer: 3? No.",
        as_what="utf16",
        damage=_no_reply,
    ),
    Sample(
        "hugging face folder with a card",
        "messages",
        [{"messages": talk(1), "source": "a"}, {"messages": talk(2), "source": "b"}],
        file="hub/data/train-00000-of-00001.parquet",
        as_what="parquet",
        last="2 legs.",
        facts={"source": "a"},
        damage=lambda row: {"messages": [], "source": "b"},
    ),
    Sample(
        "stored completions",
        "openai-completion",
        [completion(1, messages=talk(1)[:1], metadata={"topic": "hens"}), completion(2, messages=talk(2)[:1])],
        last="2 legs.",
        tokens=(11, 3),
        model="gpt-x-2026",
        facts={"metadata": {"topic": "hens"}},
        damage=lambda row: {**row, "choices": []},
    ),
    Sample(
        "stored completions as a list",
        "openai-completion",
        [{"object": "list", "data": [completion(1, messages=talk(1)[:1]), completion(2, messages=talk(2)[:1])], "has_more": False}],
        file="in.json",
        as_what="object",
        last="2 legs.",
        tokens=(11, 3),
    ),
    Sample(
        "stored responses",
        "openai-completion",
        [
            {
                "id": f"resp_{n}",
                "object": "response",
                "model": "gpt-x",
                "status": "completed",
                "instructions": "Count.",
                "input": [{"role": "user", "content": [{"type": "input_text", "text": f"Legs of {n} hens?"}]}],
                "output": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "two each"}]},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"{2 * n} legs."}]},
                ],
                "usage": {"input_tokens": 9, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 4}},
            }
            for n in (1, 2)
        ],
        last="2 legs.",
        thought="two each",
        tokens=(9, 7),
        roles="sua",
        damage=lambda row: {**row, "input": None},
    ),
    Sample(
        "batch output with its input",
        "openai-batch",
        [
            *(
                {
                    "id": f"batch_req_{n}",
                    "custom_id": f"r{n}",
                    "response": {"status_code": 200, "request_id": "x", "body": completion(n)},
                    "error": None,
                }
                for n in (1, 2)
            ),
            *(
                {
                    "custom_id": f"r{n}",
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {"model": "gpt-x", "messages": talk(n)[:1], "temperature": 0.2},
                }
                for n in (1, 2)
            ),
        ],
        last="2 legs.",
        tokens=(11, 3),
        facts={"custom_id": "r1"},
        damage=lambda row: {**row, "response": None, "error": {"message": "overloaded"}},
    ),
    Sample(
        "sharegpt",
        "sharegpt",
        [
            {
                "id": "x1",
                "conversations": [
                    {"from": "system", "value": "Be brief."},
                    {"from": "human", "value": "Hi"},
                    {"from": "gpt", "value": "Hello"},
                ],
            },
            {"conversations": [{"from": "user", "value": "a"}, {"from": "chatgpt", "value": "b"}]},
        ],
        last="Hello",
        roles="sua",
        facts={"id": "x1"},
        damage=lambda row: {"conversations": [{"from": "human", "value": "a"}]},
    ),
    Sample(
        "sharegpt with tools",
        "sharegpt",
        [
            {
                "conversations": [
                    {"from": "human", "value": "Legs of a hen?"},
                    {"from": "function_call", "value": '{"name": "legs", "arguments": {"of": "hen"}}'},
                    {"from": "observation", "value": "2"},
                    {"from": "gpt", "value": "Two."},
                ],
                "tools": json.dumps([LEGS]),
                "system": "Count.",
            },
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": ""},
        ],
        file="data/legs.json",
        as_what="array",
        last="Two.",
        roles="suata",
        calls=("legs",),
        damage=lambda row: {**row, "conversations": [{"from": "martian", "value": "a"}]},
    ),
    Sample(
        "llama-factory preferences",
        "sharegpt",
        [
            {
                "conversations": [{"from": "human", "value": f"q{n}"}],
                "chosen": {"from": "gpt", "value": "good"},
                "rejected": {"from": "gpt", "value": "bad"},
            }
            for n in (1, 2)
        ],
        file="data/pref.json",
        as_what="array",
        record="pair",
        damage=lambda row: {**row, "rejected": row["chosen"]},
    ),
    Sample(
        "llama-factory labels with images",
        "sharegpt",
        [
            {
                "conversations": [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "A hen."}],
                "kto_tag": True,
                "images": ["hens/1.jpg"],
            },
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "kto_tag": False},
        ],
        file="data/kto.json",
        as_what="array",
        record="label",
        damage=lambda row: {**row, "conversations": []},
    ),
    Sample(
        "alpaca",
        "alpaca",
        [
            {"instruction": "Count legs.", "input": "one hen", "output": "2"},
            {"instruction": "Say hi.", "input": "", "output": "hi", "system": "Be kind.", "history": [["a", "b"]]},
        ],
        file="in.json",
        as_what="array",
        last="2",
        roles="ua",
        damage=lambda row: {**row, "output": ""},
    ),
    Sample(
        "alpaca preferences",
        "alpaca",
        [{"instruction": f"q{n}", "input": "", "chosen": "good", "rejected": "bad"} for n in (1, 2)],
        record="pair",
        damage=lambda row: {**row, "chosen": 7},
    ),
    Sample(
        "trl preference",
        "preference",
        [{"prompt": [m("user", f"q{n}")], "chosen": [m("assistant", "good")], "rejected": [m("assistant", "bad")]} for n in (1, 2)],
        record="pair",
        damage=lambda row: {**row, "chosen": [m("user", "x")]},
    ),
    Sample(
        "trl preference without a prompt",
        "preference",
        [
            {
                "chosen": [m("user", f"q{n}"), m("assistant", "good")],
                "rejected": [m("user", f"q{n}"), m("assistant", "bad")],
                "score_chosen": 8.0,
                "score_rejected": 2.5,
            }
            for n in (1, 2)
        ],
        record="pair",
        file="in.parquet",
        as_what="parquet",
        damage=lambda row: {**row, "rejected": [m("user", "else"), m("assistant", "bad")]},
    ),
    Sample(
        "trl preference as text",
        "preference",
        [{"prompt": f"q{n}", "chosen": "good", "rejected": "bad"} for n in (1, 2)],
        record="pair",
        file="in.csv",
        as_what="csv",
        damage=lambda row: {**row, "prompt": ""},
    ),
    Sample(
        "trl labels",
        "preference",
        [{"prompt": [m("user", f"q{n}")], "completion": [m("assistant", "a", reasoning_content="hm")], "label": bool(n)} for n in (1, 0)],
        record="label",
        damage=lambda row: {**row, "completion": []},
    ),
    Sample(
        "prompt and completion",
        "preference",
        [{"prompt": f"q{n}", "completion": f"a{n}", "topic": "hens"} for n in (1, 2)],
        last="a1",
        facts={"topic": "hens"},
        damage=lambda row: {**row, "completion": None, "prompt": None},
    ),
    Sample(
        "openai preferences",
        "preference",
        [
            {
                "input": {"messages": [m("user", f"q{n}")], "tools": [], "parallel_tool_calls": True},
                "preferred_output": [m("assistant", "good")],
                "non_preferred_output": [m("assistant", "bad")],
            }
            for n in (1, 2)
        ],
        record="pair",
        damage=lambda row: {**row, "input": {}},
    ),
    Sample(
        "hh dialogues",
        "preference",
        [
            {
                "chosen": f"\n\nHuman: q{n}\n\nAssistant: a\n\nHuman: more\n\nAssistant: good",
                "rejected": f"\n\nHuman: q{n}\n\nAssistant: a\n\nHuman: more\n\nAssistant: bad",
            }
            for n in (1, 2)
        ],
        record="pair",
        file="hh.jsonl.gz",
        as_what="gz",
        damage=lambda row: {**row, "rejected": "\n\nHuman: other\n\nAssistant: bad"},
    ),
    Sample(
        "ultrafeedback",
        "ultrafeedback",
        [
            {
                "source": "s",
                "instruction": f"q{n}",
                "models": ["a", "b"],
                "completions": [
                    {
                        "model": one,
                        "response": f"r-{one}",
                        "custom_system_prompt": "Be kind.",
                        "overall_score": 7.5,
                        "annotations": {"honesty": {"Rating": "4"}},
                    }
                    for one in ("a", "b")
                ],
            }
            for n in (1, 2)
        ],
        n=4,
        last="r-a",
        model="a",
        facts={"ratings": {"overall_score": 7.5, "annotations": {"honesty": {"Rating": "4"}}}},
        damage=lambda row: {**row, "completions": [{"model": "a", "response": None}]},
    ),
    Sample(
        "ultrafeedback binarized",
        "preference",
        [
            {
                "prompt": f"q{n}",
                "prompt_id": "x",
                "chosen": [m("user", f"q{n}"), m("assistant", "good")],
                "rejected": [m("user", f"q{n}"), m("assistant", "bad")],
                "messages": talk(n),
                "score_chosen": 9.0,
                "score_rejected": 5.0,
            }
            for n in (1, 2)
        ],
        record="pair",
        damage=lambda row: {**row, "chosen": row["rejected"]},
    ),
    Sample(
        "helpsteer2",
        "helpsteer",
        [
            {"prompt": f"q{n}", "response": f"a{n}", "helpfulness": 4, "correctness": 3, "coherence": 4, "complexity": 1, "verbosity": 2}
            for n in (1, 2)
        ],
        last="a1",
        facts={"ratings": {"helpfulness": 4, "correctness": 3, "coherence": 4, "complexity": 1, "verbosity": 2}},
        damage=lambda row: {**row, "prompt": None},
    ),
    Sample(
        "helpsteer3",
        "helpsteer",
        [
            {
                "domain": "general",
                "language": "english",
                "context": [m("user", f"q{n}")],
                "response1": "good",
                "response2": "bad",
                "overall_preference": -2,
                "individual_preference": [],
            }
            for n in (1, 2)
        ],
        record="pair",
        damage=lambda row: {**row, "overall_preference": 0},
    ),
    Sample(
        "prm800k",
        "process-labels",
        [
            {
                "labeler": "x",
                "question": {"problem": f"Legs of {n} hens?", "ground_truth_answer": str(2 * n)},
                "label": {
                    "steps": [
                        {
                            "completions": [{"text": "Each has two.", "rating": 1, "flagged": None}],
                            "human_completion": None,
                            "chosen_completion": 0,
                        },
                        {
                            "completions": [{"text": "So three.", "rating": -1, "flagged": False}],
                            "human_completion": None,
                            "chosen_completion": None,
                        },
                    ],
                    "finish_reason": "found_error",
                },
            }
            for n in (1, 2)
        ],
        record="steps",
        damage=lambda row: {**row, "label": {"steps": []}},
    ),
    Sample(
        "math-shepherd",
        "process-labels",
        [
            {
                "input": f"Legs of {n} hens? Step 1: Each has two. ки\nStep 2: The answer is: {2 * n} ки",
                "label": f"Legs of {n} hens? Step 1: Each has two. +\nStep 2: The answer is: {2 * n} -",
                "task": "GSM8K",
            }
            for n in (1, 2)
        ],
        record="steps",
        damage=lambda row: {**row, "label": "no"},
    ),
    Sample(
        "trl stepwise supervision",
        "process-labels",
        [{"prompt": f"q{n}", "completions": ["a", "b"], "labels": [True, False]} for n in (1, 2)],
        record="steps",
        damage=lambda row: {**row, "labels": [True]},
    ),
    Sample(
        "inspect archive",
        "inspect-log",
        [{"eval": {"task": "hens", "model": "mock/m", "solver": "chain"}, "status": "success"}, inspect_sample(1), inspect_sample(2)],
        file="2026-01-01_hens.eval",
        as_what="zip",
        last="2",
        roles="suata",
        calls=("legs",),
        thought="two each",
        tokens=(41, 5),
        model="mock/m",
        facts={"target": "2", "scores": {"match": {"value": "C", "answer": "2"}}, "metadata": {"topic": "hens"}, "task": "hens"},
    ),
    Sample(
        "inspect json",
        "inspect-log",
        [
            {
                "version": 2,
                "status": "success",
                "eval": {"task": "hens", "model": "mock/m"},
                "plan": {},
                "results": {"scores": []},
                "samples": [inspect_sample(1), inspect_sample(2)],
            }
        ],
        file="2026-01-01_hens.json",
        as_what="object",
        last="2",
        calls=("legs",),
        roles="suata",
        tokens=(41, 5),
    ),
    Sample(
        "llm logs",
        "llm-logs",
        [
            {"table": "conversations", "id": "k1", "name": "hens", "model": "m-1"},
            {
                "id": "01c",
                "model": "m-2",
                "prompt": "Alone?",
                "response": "Yes.",
                "conversation_id": None,
                "duration_ms": 900,
                "input_tokens": 4,
                "output_tokens": 2,
            },
            {
                "id": "01a",
                "model": "m-1",
                "prompt": "Legs of a hen?",
                "system": "Count.",
                "response": "",
                "conversation_id": "k1",
                "duration_ms": 1200,
                "input_tokens": 12,
                "output_tokens": 5,
                "token_details": '{"completion_tokens_details": {"reasoning_tokens": 3}}',
                "options_json": '{"temperature": 0.3}',
                "reasoning": "I ask.",
            },
            {"table": "tool_calls", "response_id": "01a", "name": "legs", "arguments": '{"of": "hen"}', "tool_call_id": "c1"},
            {
                "id": "01b",
                "model": "m-1",
                "prompt": "",
                "response": "Two.",
                "conversation_id": "k1",
                "duration_ms": 700,
                "input_tokens": 20,
                "output_tokens": 3,
            },
            {"table": "tool_results", "response_id": "01b", "name": "legs", "output": "2", "tool_call_id": "c1"},
        ],
        file="logs.db",
        as_what="llm",
        last="Two.",
        roles="suata",
        thought="I ask.",
        calls=("legs",),
        tokens=(32, 8),
        facts={"name": "hens"},
        damage=lambda row: {"id": "01c", "model": "m-2", "response": "Yes."},
    ),
    Sample(
        "litellm",
        "litellm",
        [
            {
                "id": f"l{n}",
                "call_type": "acompletion",
                "status": "success",
                "model": "gpt-x",
                "messages": talk(n)[:1],
                "response": completion(n),
                "response_cost": 0.002,
                "prompt_tokens": 10 + n,
                "completion_tokens": 3,
                "total_tokens": 13 + n,
                "model_parameters": {"temperature": 0.1},
                "metadata": {"user": "u"},
                "startTime": 1.0,
                "endTime": 2.0,
            }
            for n in (1, 2)
        ],
        last="2 legs.",
        tokens=(11, 3),
        model="gpt-x",
        damage=lambda row: {**row, "status": "failure"},
    ),
    Sample(
        "litellm spend logs",
        "litellm",
        [
            {
                "request_id": f"s{n}",
                "call_type": "completion",
                "spend": 0.001,
                "model": "gpt-x",
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "messages": json.dumps(talk(n)[:1]),
                "response": json.dumps({"choices": [{"message": {"role": "assistant", "content": f"{2 * n}"}, "finish_reason": "stop"}]}),
            }
            for n in (1, 2)
        ],
        last="2",
        tokens=(7, 2),
        damage=lambda row: {**row, "messages": "{}"},
    ),
    Sample(
        "optillm",
        "optillm",
        [
            {
                "timestamp": "2026-01-01",
                "request_id": f"o{n}",
                "approach": "moa",
                "model": "gpt-x",
                "client_request": {"messages": talk(n)[:1], "temperature": 0.6},
                "provider_calls": [{"call_number": 1, "request": {}, "response": {}}],
                "final_response": completion(n),
                "total_duration_ms": 10,
                "error": None,
            }
            for n in (1, 2)
        ],
        last="2 legs.",
        tokens=(11, 3),
        facts={"request_id": "o1"},
        damage=lambda row: {**row, "error": "timeout", "final_response": None},
    ),
    Sample(
        "langfuse observations",
        "langfuse",
        [
            {
                "id": f"g{n}",
                "traceId": "t",
                "type": "GENERATION",
                "name": "count",
                "model": "gpt-x",
                "modelParameters": {"temperature": 1},
                "input": {"messages": talk(n)[:1], "tools": [{"type": "function", "function": LEGS}]},
                "output": m("assistant", f"{2 * n}"),
                "usageDetails": {"input": 9, "output": 2, "total": 11},
                "calculatedTotalCost": 0.01,
                "metadata": {"k": "v"},
            }
            for n in (1, 2)
        ],
        last="2",
        tokens=(9, 2),
        model="gpt-x",
        facts={"metadata": {"k": "v"}},
        damage=lambda row: {**row, "output": None},
    ),
    Sample(
        "langfuse traces",
        "langfuse",
        [
            {
                "id": f"t{n}",
                "name": "trace",
                "input": "q",
                "output": "a",
                "scores": [],
                "observations": [
                    {"id": "s", "type": "SPAN", "traceId": f"t{n}"},
                    {
                        "id": "g",
                        "type": "GENERATION",
                        "traceId": f"t{n}",
                        "model": "m-1",
                        "input": f"Legs of {n} hens?",
                        "output": f"{2 * n}",
                        "usage": {"input": 5, "output": 1, "unit": "TOKENS"},
                    },
                ],
            }
            for n in (1, 2)
        ],
        file="traces.json",
        as_what="array",
        last="2",
        tokens=(5, 1),
        damage=lambda row: {**row, "observations": [{"type": "GENERATION", "traceId": "x", "input": None, "output": "a"}]},
    ),
    Sample(
        "langsmith runs",
        "langsmith",
        [
            {
                "id": f"r{n}",
                "name": "ChatX",
                "run_type": "llm",
                "trace_id": "t",
                "inputs": {
                    "messages": [
                        [
                            {
                                "lc": 1,
                                "type": "constructor",
                                "id": ["langchain", "schema", "messages", "SystemMessage"],
                                "kwargs": {"content": "Count."},
                            },
                            {
                                "lc": 1,
                                "type": "constructor",
                                "id": ["langchain", "schema", "messages", "HumanMessage"],
                                "kwargs": {"content": f"Legs of {n} hens?"},
                            },
                        ]
                    ]
                },
                "outputs": {
                    "generations": [
                        [
                            {
                                "text": "",
                                "message": {
                                    "lc": 1,
                                    "type": "constructor",
                                    "id": ["langchain", "schema", "messages", "AIMessage"],
                                    "kwargs": {
                                        "content": "I ask.",
                                        "tool_calls": [{"name": "legs", "args": {"of": "hen"}, "id": "c1", "type": "tool_call"}],
                                    },
                                },
                            }
                        ]
                    ],
                    "llm_output": {"token_usage": {"prompt_tokens": 8, "completion_tokens": 2}, "model_name": "gpt-x"},
                },
                "extra": {"invocation_params": {"model": "gpt-x"}},
                "error": None,
                "feedback_stats": {"score": 1},
            }
            for n in (1, 2)
        ],
        last="I ask.",
        roles="sua",
        calls=("legs",),
        tokens=(8, 2),
        model="gpt-x",
        facts={"feedback_stats": {"score": 1}},
        damage=lambda row: {**row, "error": "boom"},
    ),
    Sample(
        "langsmith examples",
        "langsmith",
        [{"inputs": {"question": f"Legs of {n} hens?"}, "outputs": {"answer": f"{2 * n}"}, "metadata": {"split": "base"}} for n in (1, 2)],
        last="2",
        facts={"metadata": {"split": "base"}},
        damage=lambda row: {**row, "outputs": {"else": 1}},
    ),
    Sample(
        "otlp spans",
        "opentelemetry",
        [
            {
                "resourceSpans": [
                    {
                        "resource": {"attributes": []},
                        "scopeSpans": [
                            {
                                "scope": {"name": "x"},
                                "spans": [otlp_span(1), otlp_span(2), {"traceId": "t", "spanId": "z", "name": "GET /"}],
                            }
                        ],
                    }
                ]
            }
        ],
        file="spans.json",
        as_what="object",
        last="2 legs.",
        thought="two each",
        roles="sua",
        calls=("legs",),
        tokens=(21, 6),
        model="gpt-x-2026",
        facts={"trace_id": "t1"},
    ),
    Sample(
        "genai spans by line",
        "opentelemetry",
        [{"name": "chat", "context": {"trace_id": f"t{n}", "span_id": "s"}, "attributes": genai(n)} for n in (1, 2)],
        last="2 legs.",
        thought="two each",
        calls=("legs",),
        tokens=(21, 6),
        damage=lambda row: {**row, "attributes": {"gen_ai.operation.name": "chat"}},
    ),
    Sample(
        "openinference spans",
        "opentelemetry",
        [
            {
                "name": "ChatCompletion",
                "attributes": {
                    "llm.model_name": "gpt-x",
                    "llm.input_messages.0.message.role": "user",
                    "llm.input_messages.0.message.content": f"Legs of {n} hens?",
                    "llm.output_messages.0.message.role": "assistant",
                    "llm.output_messages.0.message.content": f"{2 * n}",
                    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "legs",
                    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{}",
                    "llm.token_count.prompt": 5,
                    "llm.token_count.completion": 1,
                },
            }
            for n in (1, 2)
        ],
        last="2",
        calls=("legs",),
        tokens=(5, 1),
        damage=lambda row: {"attributes": {"llm.model_name": "gpt-x"}},
    ),
    Sample(
        "span events",
        "opentelemetry",
        [
            {
                "name": "chat",
                "attributes": {"gen_ai.request.model": "gpt-x"},
                "events": [
                    {"name": "gen_ai.user.message", "attributes": {"content": f"q{n}"}},
                    {
                        "name": "gen_ai.choice",
                        "attributes": {"message": json.dumps({"role": "assistant", "content": f"a{n}"}), "finish_reason": "length"},
                    },
                ],
            }
            for n in (1, 2)
        ],
        last="a1",
        damage=lambda row: {**row, "events": []},
    ),
    Sample(
        "atif 1.7",
        "atif",
        [atif(1, "ATIF-v1.7"), atif(2, "ATIF-v1.7")],
        last="2 legs.",
        roles="suata",
        thought="two each",
        calls=("legs",),
        tokens=(110, 13),
        model="m-1",
        facts={"notes": "invented", "tokens": {"2": {"completion_token_ids": [5, 6]}}},
        damage=lambda row: {**row, "steps": row["steps"][:2]},
    ),
    Sample(
        "atif 1.8",
        "atif",
        [atif(1, "ATIF-v1.8"), atif(2, "ATIF-v1.8")],
        file="agent/trajectory.json",
        as_what="array",
        last="2 legs.",
        calls=("legs",),
        roles="suata",
        tokens=(110, 13),
        damage=lambda row: {**row, "agent": None},
    ),
    Sample(
        "coding agent session",
        "agent-session",
        [
            {"type": "summary", "summary": "Counting", "leafUuid": "u5"},
            session(0, "user", "Legs of a hen?"),
            session(
                1,
                "assistant",
                [{"type": "thinking", "thinking": "look it up", "signature": "sig"}],
                id="m1",
                model="claude-x",
                usage={"input_tokens": 30, "output_tokens": 8},
            ),
            session(
                2,
                "assistant",
                [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": "c1", "name": "Bash", "input": {"command": "legs hen"}}],
                id="m1",
                model="claude-x",
                stop_reason="tool_use",
                usage={"input_tokens": 30, "output_tokens": 8},
            ),
            session(3, "user", [{"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "2"}]}]),
            session(
                4,
                "assistant",
                [{"type": "text", "text": "Two."}],
                id="m2",
                model="claude-x",
                stop_reason="end_turn",
                usage={"input_tokens": 40, "output_tokens": 2, "cache_read_input_tokens": 30},
            ),
        ],
        file="session.jsonl",
        n=1,
        last="Two.",
        roles="uata",
        thought="look it up",
        calls=("Bash",),
        tokens=(70, 10),
        model="claude-x",
        facts={"summary": "Counting", "sessionId": "se-1"},
        damage=lambda row: "{half a line",
    ),
    Sample(
        "coding agent items",
        "agent-session",
        [
            item("session_meta", id="s1", originator="codex_x", cwd="/p", cli_version="0.9"),
            item("event_msg", type="task_started"),
            item("turn_context", model="gpt-x", cwd="/p"),
            item("response_item", type="message", role="user", content=[{"type": "input_text", "text": "Legs of a hen?"}]),
            item("response_item", type="reasoning", summary=[{"type": "summary_text", "text": "look it up"}], encrypted_content="zzz"),
            item("response_item", type="function_call", name="shell", arguments='{"command": ["legs"]}', call_id="c1"),
            item("response_item", type="function_call_output", call_id="c1", output="2"),
            item("response_item", type="message", role="assistant", content=[{"type": "output_text", "text": "Two."}]),
        ],
        file="rollout.jsonl",
        n=1,
        last="Two.",
        roles="uata",
        thought="look it up",
        calls=("shell",),
        model="gpt-x",
        facts={"cli_version": "0.9"},
        damage=lambda row: "{",
    ),
    Sample(
        "swe-agent trajectories",
        "agent-session",
        [
            {
                "info": {"submission": "diff", "model_stats": {"instance_cost": 0.2}, "config": {"model": {"model_name": "m-1"}}},
                "messages": [
                    m("system", "Fix."),
                    m("user", "The bug"),
                    m("assistant", "THOUGHT: look\n```bash\nls\n```"),
                    m("user", "a.py"),
                    m("assistant", "done"),
                ],
                "trajectory_format": "mini-swe-agent-1",
            }
        ],
        file="t.traj.json",
        as_what="object",
        n=1,
        last="done",
        roles="suaua",
        model="m-1",
        facts={"submission": "diff"},
    ),
    Sample(
        "unknown columns with a map",
        "mapped",
        [{"question": f"Legs of {n} hens?", "out": {"text": f"{2 * n}", "model": "m-9"}, "topic": "hens"} for n in (1, 2)],
        columns="prompt=question,reply=out.text,model=out.model",
        last="2",
        model="m-9",
        facts={"topic": "hens"},
        damage=lambda row: {**row, "out": {}},
    ),
]
