"""From a constraint to a grammar that llama.cpp can be given: schemas converted, grammars checked, both in bounds.

Knows JSON schemas and GBNF. Does not compile anything: `reasoner.clients.llamacpp.worker.sampler` does, and has the last word.

    grammar_of(["json_schema", '{"type": "boolean"}']) -> 'root ::= ("true" | "false") space ...'
"""

from __future__ import annotations

import json
import re
from typing import Any

from llama_cpp.llama_grammar import json_schema_to_gbnf

from reasoner.clients.llamacpp.worker.bounds import Overrun, bounded
from reasoner.clients.llamacpp.worker.grammar import MAX_DEPTH, check_grammar
from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 250
"""Parentheses in a grammar that comes from a schema: `maxItems` and `maxLength` nest once per item."""
CONSTRAINT_CPU_S = 2.0
CONSTRAINT_MEMORY_BYTES = 256 << 20
# What llama-cpp-python's converter raises on schemas it cannot take. RecursionError is a RuntimeError.
_SCHEMA_FAULTS = (AssertionError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)

# The converter lets a string hold raw line ends, which is not JSON.
_LOOSE_CHAR = r'char ::= [^"\\] |'
_CHAR = r'char ::= [^"\\\x7F\x00-\x1F] |'
_UNBOUNDED_PATTERN = re.compile(r'(?<!\\)\.|\[\^|["/]|\\[\\DSWdsw]')
"""What a `pattern` may not hold: it would match quotes and line ends, or is a class the converter does not know."""


def grammar_of(constraint: list[str] | None) -> str | None:
    """Return the checked grammar of a constraint (`[kind, value]`), None where there is none.

    Raises:
        BadConfig: it cannot be used. There is no falling back to an answer without it.
    """
    if constraint is None:
        return None
    kind, value = constraint
    if kind == "grammar":
        _check(value, MAX_DEPTH)
        return value
    grammar = schema_to_grammar(value)
    try:
        _check(grammar, MAX_SCHEMA_DEPTH)
    except BadConfig as error:
        raise BadConfig(f"the JSON schema cannot be used as a grammar: {error.message}", hint="lower its maxItems and maxLength") from error
    return grammar


def schema_to_grammar(schema: str) -> str:
    """Return the grammar of a JSON schema, as llama-cpp-python's converter writes it.

    Raises:
        BadConfig: it cannot be compiled. There is no falling back to "any JSON".
    """
    if len(schema) > MAX_SCHEMA_BYTES:
        raise BadConfig(f"the JSON schema has {len(schema)} characters, at most {MAX_SCHEMA_BYTES} are accepted", hint="make it smaller")
    try:
        with bounded(cpu_s=CONSTRAINT_CPU_S, memory_bytes=CONSTRAINT_MEMORY_BYTES):
            _check_schema(json.loads(schema))
            grammar: str = json_schema_to_gbnf(schema).replace(_LOOSE_CHAR, _CHAR)
    except Overrun as error:
        raise BadConfig(f"the JSON schema takes more than {CONSTRAINT_CPU_S:g} s to compile", hint="make it simpler") from error
    except _SCHEMA_FAULTS as error:
        reason = shorten(clean(str(error)), 200) or type(error).__name__
        raise BadConfig(
            f"the JSON schema cannot be compiled to a grammar: {reason}", hint="use only what docs/local-models.md lists"
        ) from error
    return grammar


def _check(grammar: str, max_depth: int) -> None:
    try:
        with bounded(cpu_s=CONSTRAINT_CPU_S, memory_bytes=CONSTRAINT_MEMORY_BYTES):
            check_grammar(grammar, max_depth=max_depth)
    except (Overrun, MemoryError) as error:
        raise BadConfig("the grammar is too involved to be checked", hint="make it simpler") from error


def _check_schema(value: Any) -> None:
    # The converter guards its fetching of remote schemas by an assert alone, which `python -O` drops.
    if isinstance(value, dict):
        ref = value.get("$ref")
        if isinstance(ref, str) and not ref.startswith("#/"):
            raise ValueError(f"the $ref {shorten(ref, 80)!r} points outside of the schema")
        pattern = value.get("pattern")
        if isinstance(pattern, str) and _UNBOUNDED_PATTERN.search(pattern):
            raise ValueError(f"the pattern {shorten(pattern, 80)!r} may match what a JSON string cannot hold")
        for inner in value.values():
            _check_schema(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_schema(inner)
