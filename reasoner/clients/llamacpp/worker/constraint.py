"""From a constraint to the grammar that llguidance is given, or to a refusal that says why it cannot be kept.

Knows the four kinds of constraints; knows no tokens and no requests. `reasoner.clients.llamacpp.worker.masks` makes masks of the grammar.

    grammar_of("json_schema", '{"type": "boolean"}') -> '{"grammars":[{"name":"json_schema","json_schema":{"type":"boolean",...}...}]...}'
    grammar_of("json_schema", '{"properties": {"a": {"not": {}}}}') -> BadConfig: ... at #/properties/a: 'not' cannot be kept ...
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from llguidance import LLMatcher, LLParserLimits, regex_to_lark

from reasoner.clients.llamacpp.worker.bounds import Overrun, bounded
from reasoner.clients.llamacpp.worker.gbnf import gbnf_to_lark
from reasoner.clients.llamacpp.worker.json_schema import Unserved, first_fault, needs_unicode_escapes, plain_schema
from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

MAX_BYTES = 256 * 1024
CPU_S = 2.0
MEMORY_BYTES = 256 << 20
MAX_BLANKS = 64
"""Blanks and line ends in a row outside of strings; a model that is stuck would write them until its limit."""
LIMITS = LLParserLimits(max_lexer_states=50_000, step_max_items=1_000_000, verbose_errors=False)
"""How much a mask may take before its request is refused: about 100 MB and 50 ms. Grammars of single characters need many items."""

MAX_FORCED = 10_000
"""Repetitions in the patterns of a schema, all multiplied, up to which tokens without a choice are looked for."""

_REPEATS = re.compile(r"\{(\d+)")
_ESCAPES = 'nrbtf\\"'
_NAMES = {"json_schema": "JSON schema", "regex": "regular expression", "lark": "Lark grammar", "grammar": "grammar"}
_HINT = "see docs/reference/local-models.md for what a constraint may hold"
_SCHEMA_HINT = "leave this part out of the schema and check it afterwards, or say it by what docs/reference/local-models.md lists"


def grammar_of(kind: str, value: str) -> str:
    """Return the grammar of a constraint.

    Raises:
        BadConfig: it cannot be kept; the message names the place.
    """
    name = _NAMES[kind]
    if (n_bytes := len(value.encode("utf-8", "replace"))) > MAX_BYTES:
        raise BadConfig(f"the {name} has {n_bytes} bytes, at most {MAX_BYTES} are accepted", hint="make it smaller")
    try:
        with bounded(cpu_s=CPU_S, memory_bytes=MEMORY_BYTES):
            return _written(kind, value)
    except (Overrun, MemoryError, RecursionError) as error:
        raise BadConfig(f"the {name} is too involved to be read", hint="make it simpler") from error


def check_grammar(grammar: str, tokenizer: Any, *, kind: str, value: str) -> None:
    """Refuse a grammar that llguidance does not take, or would take in part.

    Raises:
        BadConfig: the message names the place in the schema, or what llguidance says.
    """
    is_error, messages = LLMatcher.validate_grammar_with_warnings(grammar, tokenizer, limits=LIMITS)
    if not is_error and not messages:
        return
    if kind != "json_schema":
        raise refusal(kind, messages[0])
    fault = first_fault(plain_schema(value), lambda schema: _fault_of(schema, tokenizer))
    raise BadConfig(f"the JSON schema cannot be kept as a constraint {fault}", hint=_SCHEMA_HINT)


def forces_in_bounds(kind: str, value: str) -> bool:
    """Tell whether what a constraint leaves no choice about is short: llguidance follows it to its end, in memory, and a loop for ever."""
    if kind != "json_schema":
        return False
    return math.prod(max(1, int(number[:9])) for number in _REPEATS.findall(value)) <= MAX_FORCED


def without_forcing(grammar: str) -> str:
    """Return the grammar in a form in which llguidance forces no tokens."""
    lark = grammar
    if grammar.lstrip().startswith("{"):
        first, *others = json.loads(grammar)["grammars"]
        if others:
            return grammar
        lark = first.get("lark_grammar") or f"start: %json {json.dumps(first['json_schema'])}"
    return LLMatcher.grammar_from_lark('%llguidance {"no_forcing": true}\n' + lark)


def refusal(kind: str, reason: str) -> BadConfig:
    """Return the error that says why a constraint cannot be kept, in one line."""
    told = shorten(" ".join(clean(reason.partition("\n<")[0]).split()), 200)
    where = " at #" if kind == "json_schema" else ""
    return BadConfig(f"the {_NAMES[kind]} cannot be kept as a constraint{where}: {told}", hint=_SCHEMA_HINT if where else _HINT)


def _written(kind: str, value: str) -> str:
    writers: dict[str, Callable[[str], str]] = {
        "json_schema": _schema_grammar,
        "regex": lambda pattern: LLMatcher.grammar_from_regex(regex_to_lark(pattern, use_ascii="")),
        "lark": LLMatcher.grammar_from_lark,
        "grammar": lambda text: LLMatcher.grammar_from_lark(gbnf_to_lark(text)),
    }
    return writers[kind](value)


def _schema_grammar(text: str) -> str:
    try:
        return _compiled(plain_schema(text))
    except Unserved as fault:
        raise BadConfig(f"the JSON schema cannot be kept as a constraint {fault}", hint=_SCHEMA_HINT) from fault
    except ValueError as error:
        raise refusal("json_schema", str(error)) from error


def _compiled(schema: dict[str, Any]) -> str:
    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema, allow_nan=False),
        overrides={
            "lenient": False,
            "coerce_one_of": False,
            "item_separator": ",",
            "key_separator": ":",
            "whitespace_pattern": rf"[\x20\x0A\x0D\x09]{{1,{MAX_BLANKS}}}",
            "json_allowed_escapes": _ESCAPES + ("u" if needs_unicode_escapes(schema) else ""),
        },
    )


def _fault_of(schema: dict[str, Any], tokenizer: Any) -> str:
    try:
        is_error, messages = LLMatcher.validate_grammar_with_warnings(_compiled(schema), tokenizer, limits=LIMITS)
    except ValueError as error:
        return str(error)
    return messages[0] if is_error or messages else ""
