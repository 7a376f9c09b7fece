r"""From a GBNF grammar (llama.cpp's notation) to a Lark grammar with the very same strings.

llguidance splits a text into lexemes before it parses them, and takes the longest one each time: `item "a"` with `item ::= [a-z]+` would
never match. So a grammar without recursion becomes one lexeme as a whole, and in one with recursion every lexeme is one character.
(The converter that comes with llguidance makes lexemes of rules, and escapes what Lark does not read.) Knows no tokens.

    gbnf_to_lark("root ::= [a-z]") -> 'start: T0\nT0: /[\\x{61}-\\x{7A}]/\n'
    gbnf_to_lark("root ::= nothing") -> BadConfig: ... line 1: the rule 'nothing' is not defined

Source: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from reasoner.errors import BadConfig
from reasoner.text import shorten

MAX_RULES = 1000
MAX_DEPTH = 25
"""Parentheses within parentheses; llguidance reads a little over thirty."""
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
_CHARACTER = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|.", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "[": "[", "]": "]", "n": "\n", "r": "\r", "t": "\t"}
_ANY = r"[\x{0}-\x{10FFFF}]"
_HINT = "see docs/reference/local-models.md for what a grammar may hold"


@dataclass(slots=True)
class _Symbol:
    """One item of an alternative: a rule's name, a group of alternatives, or characters in a row, each as a class in regex notation."""

    rule: str | None = None
    group: list[list[_Symbol]] | None = None
    classes: tuple[str, ...] = ()
    repeats: list[tuple[int, int | None]] = field(default_factory=list)
    """How often it stands there, at least and at most; each applies to what those before it made."""


_Alternatives = list[list[_Symbol]]


@dataclass(slots=True)
class _Reader:
    """The tokens of a grammar, and how far they are read."""

    tokens: list[tuple[str, str, int]]
    rules: dict[str, _Alternatives] = field(default_factory=dict)
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


def gbnf_to_lark(text: str) -> str:
    """Return the grammar in Lark's notation.

    Raises:
        BadConfig: it is no GBNF, or too large; the message names the line or the rule.
    """
    rules = _read(text)
    names = {name: f"{number}" for number, name in enumerate(_reachable(rules))}
    recursive = _is_recursive(rules)
    prefix = "r" if recursive else "T"
    lines = ["start: " + prefix + names["root"]]
    lines += [f"{prefix}{number}: {_lark(rules[name], prefix, names)}" for name, number in names.items()]
    return "\n".join(lines) + "\n"


def _read(text: str) -> dict[str, _Alternatives]:
    if "\0" in text:
        raise _refusal("it holds a NUL character")
    reader = _Reader(_tokenize(text))
    reader.skip_newlines()
    while reader.kind() != "end":
        _read_rule(reader)
        reader.skip_newlines()
    if "root" not in reader.rules:
        raise _refusal("it has no rule named root")
    for name, line in reader.used.items():
        if name not in reader.rules:
            raise _refusal(f"line {line}: the rule {shorten(name, 60)!r} is not defined")
    _check_size(reader.rules)
    return reader.rules


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
        if kind in {"literal", "class"} and any(c not in _ESCAPES and c not in "xuU" for c in re.findall(r"\\(.)", token)):
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


def _read_alternatives(reader: _Reader, depth: int) -> _Alternatives:
    if depth > MAX_DEPTH:
        reader.fail(f"parentheses more than {MAX_DEPTH} deep")
    alternatives: _Alternatives = [[]]
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
            alternatives[-1][-1].repeats.append(_bounds(reader, token))
        elif kind in {"literal", "class", "any"}:
            alternatives[-1].append(_Symbol(classes=_classes(reader, kind, token)))
        else:
            reader.fail(f"{token} is out of place")
    return alternatives


def _bounds(reader: _Reader, token: str) -> tuple[int, int | None]:
    if len(token) == 1:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[token]
    least_text, comma, most_text = (part.strip() for part in token[1:-1].partition(","))
    if max(len(least_text), len(most_text)) > len(str(MAX_REPEAT)):
        reader.fail(f"the repetition {shorten(token, 40)} is over {MAX_REPEAT}")
    least = int(least_text)
    most = int(most_text) if most_text else None if comma else least
    if max(least, most or 0) > MAX_REPEAT:
        reader.fail(f"the repetition {token} is over {MAX_REPEAT}")
    if most is not None and most < least:
        reader.fail(f"the repetition {token} has its bounds the wrong way round")
    return least, most


def _classes(reader: _Reader, kind: str, token: str) -> tuple[str, ...]:
    """Return the characters of a token one after the other, each as a class in the notation of Rust's regular expressions."""
    if kind == "any":
        return (_ANY,)
    found = [_code(match.group()) for match in _CHARACTER.finditer(token[1:-1])]
    if kind == "literal":
        return tuple(f"[{_shown(code)}]" for code in found)
    body = _CHARACTER.findall(token[1:-1])
    negated = body[:1] == ["^"]
    codes = found[negated:]
    marks = [text == "-" for text in body[negated:]]
    if not codes:
        # Nothing but something; what is in no class cannot be written at all.
        if negated:
            return (_ANY,)
        reader.fail("an empty class [] matches nothing")
    ranges: list[str] = []
    at = 0
    while at < len(codes):
        if at + 2 < len(codes) and marks[at + 1]:
            if codes[at + 2] < codes[at]:
                reader.fail(f"a range in {shorten(token, 40)} has its ends the wrong way round")
            ranges.append(f"{_shown(codes[at])}-{_shown(codes[at + 2])}")
            at += 3
        else:
            ranges.append(_shown(codes[at]))
            at += 1
    return ("[" + "^" * negated + "".join(ranges) + "]",)


def _code(character: str) -> int:
    if len(character) == 1:
        return ord(character)
    digits = character[2:]
    return int(digits, 16) if digits else ord(_ESCAPES[character[1]])


def _shown(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise _refusal(f"there is no character U+{code:04X}")
    return f"\\x{{{code:X}}}"


def _lark(alternatives: _Alternatives, prefix: str, names: dict[str, str]) -> str:
    return " | ".join(" ".join(_lark_symbol(symbol, prefix, names) for symbol in alternative) or '""' for alternative in alternatives)


def _lark_symbol(symbol: _Symbol, prefix: str, names: dict[str, str]) -> str:
    if symbol.rule is not None:
        text = prefix + names[symbol.rule]
    elif symbol.group is not None:
        text = f"({_lark(symbol.group, prefix, names)})"
    elif not symbol.classes:
        return '""'
    else:
        # One lexeme for each character where there is recursion; one for all of them in a terminal.
        pieces = [f"/{one}/" for one in symbol.classes]
        text = pieces[0] if len(pieces) == 1 else f"({' '.join(pieces)})"
    for index, (least, most) in enumerate(symbol.repeats):
        text = f"({text})" if index else text
        text += f"{{{least},{'' if most is None else most}}}"
    return text


def _check_size(rules: dict[str, _Alternatives]) -> None:
    def size(alternatives: _Alternatives) -> int:
        return sum(_times(s) * (size(s.group) if s.group else max(1, len(s.classes))) for a in alternatives for s in a)

    if (n_symbols := sum(size(alternatives) for alternatives in rules.values())) > MAX_EXPANDED:
        raise _refusal(f"its repetitions come to {n_symbols} symbols, at most {MAX_EXPANDED} are accepted")


def _times(symbol: _Symbol) -> int:
    n_times = 1
    for least, most in symbol.repeats:
        n_times *= max(1, least if most is None else most)
    return n_times


def _rules_in(alternatives: _Alternatives) -> Iterator[str]:
    for alternative in alternatives:
        for symbol in alternative:
            if symbol.rule is not None:
                yield symbol.rule
            elif symbol.group is not None:
                yield from _rules_in(symbol.group)


def _reachable(rules: dict[str, _Alternatives]) -> list[str]:
    found = ["root"]
    for name in found:
        found += [other for other in dict.fromkeys(_rules_in(rules[name])) if other not in found]
    return found


def _is_recursive(rules: dict[str, _Alternatives]) -> bool:
    """Tell whether a rule that `root` reaches leads back to itself."""
    left = {name: set(_rules_in(rules[name])) for name in _reachable(rules)}
    # Take away what leads nowhere, again and again; what is left goes round.
    while ends := [name for name, others in left.items() if not others & left.keys()]:
        for name in ends:
            del left[name]
    return bool(left)
