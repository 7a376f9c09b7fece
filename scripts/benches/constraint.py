"""Constraints of the local engine: what masks cost beside a decode step, and which schemas are served as they are meant.

`mask_share` is the time spent on masks (computing, unpacking, following the token) of the time of all steps, while sixteen answers are written at once
under a JSON schema at temperature 1 by the embedded model; other kinds of constraints stand beside it. `schemas_served` is the share of 500 generated schemas
(`tests/helpers/schemas.py`) that are served: compiled, every instance let through, everything written by chance valid under `jsonschema`. The rest holds
a keyword that cannot be kept, and is counted as refused only if the refusal names its place.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
from _report import report

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient
from reasoner.errors import BadConfig
from reasoner.types import Constraint, Message, Request, Sampling

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "helpers"))
from schemas import Case, cases
from vocabulary_player import Player

WIDTH = 16
MAX_TOKENS = 96
N_SCHEMAS = 500
N_WALKS = 2

RECORD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "born": {"type": "string", "format": "date"},
        "interests": {"type": "array", "items": {"type": "string", "maxLength": 30}, "minItems": 2, "maxItems": 5},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string", "maxLength": 40}, "city": {"enum": ["Rome", "Paris", "Oslo"]}},
            "required": ["street", "city"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "born", "interests", "address"],
    "additionalProperties": False,
}
JSON_GBNF = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""
CONSTRAINTS = {
    "json_schema": Constraint.schema(RECORD),
    "regex": Constraint.regex(r"([A-Z][a-z]{2,9} ){8,30}[a-z]+\."),
    "lark": Constraint.lark("start: LINE+\nLINE: /[a-zA-Z]{2,12}: [a-zA-Z0-9 ,.]{5,60}\\n/"),
    "grammar": Constraint("grammar", JSON_GBNF),
}


async def measure() -> list[dict[str, Any]]:
    """Let sixteen answers be written at once under each constraint, after one round that warms up."""
    client = open_client("local", ClientOptions(n_ctx=1024, adapter="none"))
    assert isinstance(client, LlamaCppClient)
    rows = []
    for kind, constraint in CONSTRAINTS.items():
        await write(client, constraint, first_seed=0, max_tokens=8)
        before = await client.info()
        await write(client, constraint, first_seed=100, max_tokens=MAX_TOKENS)
        after = await client.info()
        spent = {name: after[name] - before[name] for name in ("mask_s", "step_s", "steps", "drawn_tokens", "forced_tokens")}
        rows.append(
            {
                "constraint": kind,
                "share": round(spent["mask_s"] / spent["step_s"], 4),
                "mask_us_per_token": round(1e6 * spent["mask_s"] / max(1, spent["drawn_tokens"])),
                "step_ms": round(1e3 * spent["step_s"] / spent["steps"], 1),
                "drawn": spent["drawn_tokens"],
                "forced": spent["forced_tokens"],
                "threads": after["threads"],
            }
        )
    await client.aclose()
    return rows


async def write(client: LlamaCppClient, constraint: Constraint, *, first_seed: int, max_tokens: int) -> None:
    """Ask for sixteen answers at once."""
    sampling = Sampling(temperature=1.0, max_tokens=max_tokens)
    messages = [(Message("user", f"Invent person number {number} and describe it."),) for number in range(WIDTH)]
    await asyncio.gather(*(client.complete(Request(m, sampling, first_seed + i, constraint)) for i, m in enumerate(messages)))


def serve(player: Player) -> dict[str, Any]:
    """Try every schema of the corpus, and count."""
    counts = dict.fromkeys(("served", "refused_with_place", "instances", "written", "unfinished", "faults"), 0)
    started = time.perf_counter()
    for case in cases(N_SCHEMAS):
        if case.served:
            counts["served"] += is_served(player, case, counts)
        else:
            counts["refused_with_place"] += is_refused(player, case)
    return {"schemas": N_SCHEMAS, **counts, "seconds": round(time.perf_counter() - started, 1)}


def is_served(player: Player, case: Case, counts: dict[str, int]) -> bool:
    """Tell whether a schema lets through its instances and nothing that is not valid."""
    text = json.dumps(case.schema)
    check = jsonschema.Draft202012Validator(case.schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    is_right = True
    for instance in case.texts():
        counts["instances"] += 1
        is_right = player.accepts("json_schema", text, instance) and is_right
    for walk in range(N_WALKS):
        written = player.walk("json_schema", text, random.Random(f"walk {case.number} {walk}"))
        if written is None:
            counts["unfinished"] += 1
            continue
        counts["written"] += 1
        is_right = check.is_valid(json.loads(written)) and is_right
    counts["faults"] += not is_right
    return is_right


def is_refused(player: Player, case: Case) -> bool:
    """Tell whether a schema is refused at the place of what cannot be kept."""
    try:
        player.masks.matcher("json_schema", json.dumps(case.schema))
    except BadConfig as error:
        return "at #/properties/bad" in error.message
    return False


def main() -> None:
    """Print both measures."""
    rows = asyncio.run(measure())
    corpus = serve(Player())
    bars = {"mask_share": rows[0]["share"], "schemas_served": corpus["served"] / N_SCHEMAS}
    report("constraint", rows=[*rows, corpus], bars=bars, packages=("llguidance", "llama-cpp-python", "jsonschema"))


if __name__ == "__main__":
    main()
