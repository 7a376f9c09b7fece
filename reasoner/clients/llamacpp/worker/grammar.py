r"""The check of a GBNF grammar before native code sees it: what crashes llama.cpp's parser or sampler is refused here, in one line.

Refused are: grammars too large, too deep or with too many rules, no `root`, undefined rules, left recursion, repetition without a
sensible bound, and whatever is not GBNF. Knows GBNF; knows no llama.cpp, whose own parser has the last word afterwards.

    check_grammar('root ::= "yes" | "no"') -> None
    check_grammar("root ::= root") -> BadConfig: ... the rule 'root' begins with itself ...

Source: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from reasoner.errors import BadConfig
from reasoner.text import shorten

MAX_GRAMMAR_BYTES = 64 * 1024
MAX_RULES = 1000
MAX_DEPTH = 100
MAX_REPEAT = 1000
MAX_EXPANDED = 50_000
"""How many symbols a grammar may have once its repetitions are written out."""

_TOKEN = re.compile(
    r"""(?P<skip>[ \t]+|\#[^\n\r]*)
    |(?P<newline>\r\n|\r|\n)
    |(?P<define>::=)
    |(?P<name>[a-zA-Z0-9_-]+)
    |(?P<literal>"(?:[^"\\\n\r]|\\(?:[^xuU\n\r]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))*")
    |(?P<class>\[(?:[^\]\\\n\r]|\\(?:[^xuU\n\r]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))*\])
    |(?P<any>\.)
    |(?P<open>\()|(?P<close>\))|(?P<or>\|)
    |(?P<repeat>[*+?]|\{[ ]*\d+[ ]*(?:,[ ]*\d*[ ]*)?\})""",
    re.VERBOSE | re.ASCII,
)
_ESCAPES = set('"\\[]nrtxuU')
_HINT = "see docs/local-models.md for what a grammar may hold"


@dataclass(slots=True)
class _Symbol:
    """One item of an alternative: a rule's name, a group of alternatives, or something that takes at least one character."""

    rule: str | None = None
    group: list[list[_Symbol]] | None = None
    optional: bool = False
    n_times: int = 1


@dataclass(slots=True)
class _Reader:
    """The tokens of a grammar, and how far they are read."""

    tokens: list[tuple[str, str, int]]
    max_depth: int
    rules: dict[str, list[list[_Symbol]]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    at: int = 0

    def kind(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead][0] if self.at + ahead < len(self.tokens) else "end"

    def skip_newlines(self) -> None:
        while self.kind() == "newline":
            self.at += 1

    def fail(self, what: str) -> NoReturn:
        line = self.tokens[min(self.at, len(self.tokens) - 1)][2] if self.tokens else 1
        raise _refusal(f"line {line}: {what}")


def check_grammar(text: str, *, max_depth: int = MAX_DEPTH) -> None:
    """Check that a grammar can be given to llama.cpp.

    Raises:
        BadConfig: it cannot; the message names the line or the rule.
    """
    if len(text.encode("utf-8", "replace")) > MAX_GRAMMAR_BYTES:
        raise _refusal(f"it is larger than {MAX_GRAMMAR_BYTES} bytes")
    if "\0" in text:
        raise _refusal("it holds a NUL character")
    reader = _Reader(_tokenize(text), max_depth)
    reader.skip_newlines()
    while reader.kind() != "end":
        _read_rule(reader)
        reader.skip_newlines()
    if "root" not in reader.rules:
        raise _refusal("it has no rule named root")
    for name, line in reader.used.items():
        if name not in reader.rules:
            raise _refusal(f"line {line}: the rule {shorten(name, 60)!r} is not defined")
    _check_left_recursion(reader.rules)
    _check_repetition(reader.rules)


def _refusal(what: str) -> BadConfig:
    return BadConfig(f"the grammar cannot be used: {what}", hint=_HINT)


def _tokenize(text: str) -> list[tuple[str, str, int]]:
    tokens: list[tuple[str, str, int]] = []
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _refusal(f"line {line}: {shorten(text[at : at + 20], 20)!r} is not understood (an unclosed quote or bracket?)")
        kind, token = match.lastgroup, match.group()
        if kind in {"literal", "class"} and any(c not in _ESCAPES for c in re.findall(r"\\(.)", token)):
            raise _refusal(f"line {line}: an unknown escape in {shorten(token, 40)}")
        if kind != "skip":
            tokens.append((kind, token, line))
        line += kind == "newline"
        at = match.end()
    return tokens


def _read_rule(reader: _Reader) -> None:
    if reader.kind() != "name" or reader.kind(1) != "define":
        reader.fail("a rule starts with its name and ::=")
    name = reader.tokens[reader.at][1]
    if name in reader.rules:
        reader.fail(f"the rule {shorten(name, 60)!r} is defined twice")
    reader.at += 2
    reader.skip_newlines()
    reader.rules[name] = _read_alternatives(reader, depth=0)
    if len(reader.rules) > MAX_RULES:
        reader.fail(f"more than {MAX_RULES} rules")


def _read_alternatives(reader: _Reader, depth: int) -> list[list[_Symbol]]:
    if depth > reader.max_depth:
        reader.fail(f"parentheses more than {reader.max_depth} deep")
    alternatives: list[list[_Symbol]] = [[]]
    while (kind := reader.kind()) != "end":
        token, line = reader.tokens[reader.at][1:]
        if kind == "newline":
            # Within parentheses a line may end anywhere; outside only after `|`, which skips newlines itself.
            if depth == 0:
                break
            reader.at += 1
            continue
        if kind == "close":
            if depth == 0:
                reader.fail("a ) without its (")
            break
        reader.at += 1
        if kind == "or":
            alternatives.append([])
            reader.skip_newlines()
        elif kind == "open":
            group = _read_alternatives(reader, depth + 1)
            if reader.kind() != "close":
                reader.fail("a ( is never closed")
            reader.at += 1
            alternatives[-1].append(_Symbol(group=group))
        elif kind == "name":
            reader.used.setdefault(token, line)
            alternatives[-1].append(_Symbol(rule=token))
        elif kind == "repeat":
            if not alternatives[-1]:
                reader.fail(f"{token} repeats nothing")
            _repeat(reader, alternatives[-1][-1], token)
        elif kind in {"literal", "class", "any"}:
            alternatives[-1].append(_Symbol(optional=len(token) == len('""')))
        else:
            reader.fail(f"{token} is out of place")
    return alternatives


def _repeat(reader: _Reader, symbol: _Symbol, token: str) -> None:
    if len(token) == 1:
        symbol.optional = symbol.optional or token[0] in "*?"
        return
    least_text, _, most_text = (part.strip() for part in token[1:-1].partition(","))
    if max(len(least_text), len(most_text)) > len(str(MAX_REPEAT)):
        reader.fail(f"the repetition {shorten(token, 40)} is over {MAX_REPEAT}")
    least = int(least_text)
    most = int(most_text or least_text)
    if max(least, most) > MAX_REPEAT:
        reader.fail(f"the repetition {token} is over {MAX_REPEAT}")
    if most < least:
        reader.fail(f"the repetition {token} has its bounds the wrong way round")
    symbol.optional = symbol.optional or least == 0
    symbol.n_times *= max(most, 1)


def _check_repetition(rules: dict[str, list[list[_Symbol]]]) -> None:
    def expanded(alternatives: list[list[_Symbol]]) -> int:
        return sum(s.n_times * (expanded(s.group) if s.group else 1) for a in alternatives for s in a)

    if (n_symbols := sum(expanded(alternatives) for alternatives in rules.values())) > MAX_EXPANDED:
        raise _refusal(f"its repetitions come to {n_symbols} symbols, at most {MAX_EXPANDED} are accepted")


def _check_left_recursion(rules: dict[str, list[list[_Symbol]]]) -> None:
    nullable = _nullable_rules(rules)
    edges = {name: sorted(_first_rules(alternatives, nullable)) for name, alternatives in rules.items()}
    open_rules: set[str] = set()
    done: set[str] = set()
    for start in rules:
        # Depth first without recursion: a chain of a thousand rules must not exhaust the stack.
        stack = [(start, 0)] if start not in done else []
        while stack:
            name, index = stack.pop()
            open_rules.add(name)
            if index == len(edges[name]):
                open_rules.discard(name)
                done.add(name)
                continue
            stack.append((name, index + 1))
            following = edges[name][index]
            if following in open_rules:
                raise _refusal(f"the rule {shorten(following, 60)!r} begins with itself (left recursion)")
            if following not in done:
                stack.append((following, 0))


def _nullable_rules(rules: dict[str, list[list[_Symbol]]]) -> set[str]:
    nullable: set[str] = set()
    while True:
        found = {name for name, alternatives in rules.items() if _is_nullable(alternatives, nullable)}
        if found == nullable:
            return nullable
        nullable = found


def _is_nullable(alternatives: list[list[_Symbol]], nullable: set[str]) -> bool:
    return any(all(_may_be_empty(s, nullable) for s in alternative) for alternative in alternatives)


def _may_be_empty(symbol: _Symbol, nullable: set[str]) -> bool:
    if symbol.optional or (symbol.rule is not None and symbol.rule in nullable):
        return True
    return symbol.group is not None and _is_nullable(symbol.group, nullable)


def _first_rules(alternatives: list[list[_Symbol]], nullable: set[str]) -> set[str]:
    """Return the rules that may stand at the very beginning of these alternatives."""
    found: set[str] = set()
    for alternative in alternatives:
        for symbol in alternative:
            if symbol.rule is not None:
                found.add(symbol.rule)
            elif symbol.group is not None:
                found |= _first_rules(symbol.group, nullable)
            if not _may_be_empty(symbol, nullable):
                break
    return found
