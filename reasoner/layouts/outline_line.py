r"""One line of an outline: which label it has, and what chain, operation and marks stand behind it.

Knows the spellings of single lines; does not know what stands on other lines (`reasoner.layouts.outline` does). Every pattern here either
matches at a fixed place or has bounded repeats, so that a line costs time linear in its length.

>>> read_line("- **1.2:** 9 → 18 → 19 (18 + 1 = 19) dead end").body
Body(chain=('9', '18', '19'), operation='18 + 1 = 19', dead=True, hit=False, is_chain=True)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Label = tuple[int, ...]

MAX_DEPTH = 32

_LEAD = re.compile(r"(?:[\s>#*_`•·▪|✓✔✅]|[-–—+](?=\s))*")
_STEP = re.compile(r"(?:step|level|depth)\s{0,4}#?(\d{1,3})(?![\d/]|\.\d)[\s:.)*_`\-–—]*", re.IGNORECASE)
_BACK = re.compile(
    r"(?:(?:go|step|going|then|now|we)\s{1,4}){0,3}(?:back(?:track(?:ing)?)?|return(?:ing)?)\s{1,4}(?:up\s{1,4})?to\b", re.IGNORECASE
)
_NUMBER = r"\d{1,3}(?:\.\d{1,3}){0,31}"
_GOAL = re.compile(rf"(?:goal|success|solved|solution)\b([^\d\n]{{0,40}})({_NUMBER})(?!\d|\.\d)", re.IGNORECASE)
_GOAL_WORD = re.compile(r"reached|found|at|is|in|on|by|with|the|line|node|scenario|state|path|step|number|entry|label|branch")
_LABEL = re.compile(
    r"((?:scenario|option|branch|case|line|node|path|state|thought|candidate|attempt|possibility|step|move)\s{1,4}#?)?([(\[]?)"
    rf"({_NUMBER})(?!\d|\.\d)",
    re.IGNORECASE,
)
_DELIMITER = re.compile(r"\.?[)\]]?[*_`]{0,3}(?:\s?[:：][*_`]{0,3})?")
_DASH = re.compile(r"[-–—](?:\s+|$)")
_OPERATOR = re.compile(r"[+*/×÷=−^%<>≤≥]|x\s{0,3}\d", re.IGNORECASE)
_ARROW = re.compile(r"\\(?:long)?rightarrow|\\to\b|-{1,3}>|={1,2}>|[→⟶➔➜➝⇒⟹↦]", re.IGNORECASE)
_DEAD = re.compile(
    r"[✗✘❌✖]|\bdead[\s-]?end\b|\bnot\s{1,3}possible\b|\bimpossible\b|\bfail(?:s|ed|ure)?\b|\bcannot\b|\bcan't\b|\bstuck\b"
    r"|\bno\s{1,3}(?:more\s{1,3}|further\s{1,3}|legal\s{1,3})?(?:moves?|solution|way|good)\b"
    r"|\btoo\s{1,3}(?:big|large|high|small|low|many|much|long)\b|\bexceeds?\b|\bpruned?\b|\binvalid\b|\b(?:does\s{1,3}not|doesn't)\s{1,3}(?:work|lead)\b",
    re.IGNORECASE,
)
_HIT = re.compile(r"[✓✔✅☑]|\bgoal\b|\bsuccess(?:ful)?\b|\bsolved\b|\breached\b", re.IGNORECASE)
_DENIED = re.compile(r"\bnot\b|n't\b|\bno\b|\bmiss|≠", re.IGNORECASE)
_TRIM = " \t*_`|.,;"
_CROSSES = frozenset("xX×")
_MAX_EQUATION_STATE = 80


@dataclass(frozen=True, slots=True)
class Body:
    """What stands behind a label. `is_chain` tells an arrow or an equation from prose; `hit` that the line itself says goal."""

    chain: tuple[str, ...] = ()
    operation: str = ""
    dead: bool = False
    hit: bool = False
    is_chain: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line as read. `bare`: the label is an integer that nothing delimits, so the context has to decide."""

    label: Label | None = None
    body: Body | None = None
    bare: bool = False
    step: int | None = None
    goal: Label | None = None


def read_line(line: str) -> Line:
    """Read one line; all fields are empty when it is none of an outline's."""
    start = _LEAD.match(line)
    at = start.end() if start else 0
    opened = line[:at][-1:] in {"*", "_", "`"}
    rest = line[at:].rstrip()
    if not rest or _BACK.match(rest):
        return Line()
    if (goal := _goal(rest)) is not None:
        return Line(goal=goal)
    heading = _STEP.match(rest)
    if heading is None:
        return _labelled(rest, opened=opened)
    step, content = int(heading[1]), rest[heading.end() :]
    inner = _labelled(content, opened=False)
    if inner.label is not None and not inner.bare:
        return Line(inner.label, inner.body, step=step)
    body = read_body(content)
    if content and body.is_chain:  # `Step 2: 10 -> 20` is heading and line in one
        return Line((step,), body, step=step)
    return Line(step=step)


def read_body(text: str) -> Body:
    """Read chain, operation and marks out of what stands behind a label."""
    text = text.strip(_TRIM)
    text = text[dash.end() :] if (dash := _DASH.match(text)) else text
    text, operation, dead, hit = _peel(text)
    parts = [part for part in _split(text) if part]
    if len(parts) > 1:
        states: list[str] = []
        inside, last_operation = "", ""  # the operation written into the chain: `9 -> (9 * 2 = 18) -> 18` or `9 -> 18 (9 * 2 = 18)`
        for part in parts:
            if part.startswith("(") and _opening(part, len(part) - 1) == 0:
                inside = part[1:-1].strip()
                continue
            state, trailing = _trailing_equation(part)
            states.append(state)
            last_operation, inside = trailing or inside, ""
        operation = operation or inside or last_operation
        return Body(tuple(states), operation, dead, hit, is_chain=True)
    if not parts:
        return Body((), operation, dead, hit, is_chain=bool(operation))
    return _single(parts[0], operation, dead=dead, hit=hit)


def _goal(rest: str) -> Label | None:
    match = _GOAL.match(rest)
    if match is None:
        return None
    words = re.sub(r"[^a-z]+", " ", match[1].lower()).split()
    after = rest[match.end() :].lstrip(" *_`)]")
    label = _parts(match[2])
    # A one-part number with a unit behind it (`Goal: 4 litres`) restates the task.
    named = len(label) > 1 or not after or after[0] in ".,;:(" or _ARROW.match(after) is not None
    return label if named and _valid(label) and all(map(_GOAL_WORD.fullmatch, words)) else None


def _labelled(rest: str, *, opened: bool) -> Line:
    match = _LABEL.match(rest)
    if match is None:
        return Line()
    word, bracket, label = match[1], match[2], _parts(match[3])
    behind = rest[match.end() :]
    found = _DELIMITER.match(behind)
    mark = found.group().strip() if found else ""
    if any(c in mark for c in "*_`") and not opened:
        mark = mark.split("*")[0].split("_")[0].split("`")[0]  # `9*2` multiplies, it emphasises nothing
    after = behind[behind.find(mark) + len(mark) :] if mark else behind
    body = after.strip()
    closed = any(c in mark for c in ")]")
    if not _valid(label) or (bracket and not closed):
        return Line()
    if after and not after[0].isspace() and mark[-1:] in {"", "."}:
        return Line()  # `9/5`, `9th`, `0/7`
    arrow = _ARROW.match(body)
    if (arrow and not (":" in mark or word)) or (not arrow and _OPERATOR.match(body)) or (not word and _minus(body, mark)):
        return Line()  # `9 -> 10`, `9 + 1 = 10`: the number is a state or an operand
    bare = not (word or mark or len(label) > 1)
    read = read_body(body)
    if bare and not read.is_chain:
        return Line()
    return Line(label, read, bare=bare)


def _minus(body: str, mark: str) -> bool:
    """Tell whether the number before `body` is being subtracted from; `1. -3 + 5` is not, `9 - 4 = 5` is."""
    return body.startswith("-") and not body.startswith("->") and mark in {"", ")", "]"}


def _parts(number: str) -> Label:
    return tuple(int(part) for part in number.split("."))


def _valid(label: Label) -> bool:
    return 0 not in label and len(label) <= MAX_DEPTH


def _single(part: str, operation: str, *, dead: bool, hit: bool) -> Body:
    """Read a line without an arrow: an equation gives its right side as the state, anything else is the state as it is."""
    inner = part[1:-1].strip() if part.startswith("(") and _opening(part, len(part) - 1) == 0 else part
    left, equals, right = inner.rpartition("=")
    if equals and left and right.strip() and len(right) <= _MAX_EQUATION_STATE and (inner[0].isdigit() or inner[0] in "(-"):
        return Body((right.strip(),), operation or inner, dead, hit, is_chain=True)
    return Body((part,), operation, dead, hit)


def _split(text: str) -> list[str]:
    """Split at the arrows that stand outside round brackets."""
    parts: list[str] = []
    depth, scanned, begin = 0, 0, 0
    for arrow in _ARROW.finditer(text):
        between = text[scanned : arrow.start()]
        depth = max(0, depth + between.count("(") - between.count(")"))
        scanned = arrow.end()
        if depth == 0 or text.find(")", scanned) < 0:
            parts.append(text[begin : arrow.start()].strip())
            begin = arrow.end()
            depth = 0
    return [*parts, text[begin:].strip()]


def _peel(text: str) -> tuple[str, str, bool, bool]:
    """Take operation, dead-end and goal marks off the end of a line; return what is left and what was found."""
    operation, dead, hit = "", False, False
    for _ in range(3):
        close = max(text.rfind(")"), text.rfind("]"))
        comment = text[close + 1 :].strip()
        if close < 0 or _ARROW.search(comment) or (comment and (comment[0].isdigit() or _OPERATOR.match(comment + " "))):
            break
        if comment:
            if comment[0] in "-+" and comment[1:2].strip() and comment[1].isdigit():
                break
            dead, hit = _marks(comment, dead=dead, hit=hit)
            text = text[: close + 1]
        begin = _opening(text, close)
        if begin < 0 or (begin > 0 and not text[begin - 1].isspace()):
            break
        inner = text[begin + 1 : close].strip()
        verdict = _marks(inner, dead=False, hit=False)
        if begin == 0 or (operation and not any(verdict)):
            break
        dead, hit = dead or verdict[0], hit or verdict[1]
        if not any(verdict):
            operation = inner
        elif (cut := _DEAD.search(inner) or _HIT.search(inner)) and cut.start() > 0 and not operation:
            operation = inner[: cut.start()].rstrip(" ,;:-–—")
        text = text[:begin].rstrip()
    if not operation:
        text, dead, hit = _peel_words(text, dead=dead, hit=hit)
    return text, operation, dead, hit


def _peel_words(text: str, *, dead: bool, hit: bool) -> tuple[str, bool, bool]:
    """Take marks off the last state of a chain that has no operation behind it (`9 -> 18 x`, `9 -> 18 dead end`)."""
    last = 0
    for arrow in _ARROW.finditer(text):
        last = arrow.end()
    region = text[last:]
    tokens = region.split()
    if len(tokens) > 1 and tokens[-1].strip("()[]") in _CROSSES and tokens[-2][-1:] not in "+-*/=":
        return text[:last] + region[: region.rfind(tokens[-1])].rstrip(), True, hit
    if last and tokens and tokens[-1] in _CROSSES:
        return text[:last], True, hit
    if (found := _DEAD.search(region)) is not None:
        # Prose keeps its words; a chain loses the remark.
        return (text[:last] + region[: found.start()].rstrip(" ,;:-–—([") if last else text), True, hit
    if last and (found := _HIT.search(region)) is not None and not _DENIED.search(region):
        return text[:last] + region[: found.start()].rstrip(" ,;:-–—([!←"), dead, True
    return text, dead, hit


def _marks(remark: str, *, dead: bool, hit: bool) -> tuple[bool, bool]:
    tokens = remark.strip("()[]!. ").split()
    crossed = bool(tokens) and (tokens[0].rstrip(",:;") in _CROSSES or tokens[-1] in _CROSSES) and (len(tokens) < 2 or not _digit(tokens))
    failed = crossed or _DEAD.search(remark) is not None
    reached = not failed and _HIT.search(remark) is not None and _DENIED.search(remark) is None
    return dead or failed, hit or reached


def _digit(tokens: list[str]) -> bool:
    """Tell whether a cross at the end or start of the tokens multiplies a number."""
    return tokens[0] in _CROSSES and tokens[1][0].isdigit()


def _trailing_equation(part: str) -> tuple[str, str]:
    """Split `18 (9 * 2 = 18)` into state and operation; brackets without an equals sign belong to the state."""
    begin = _opening(part, len(part) - 1) if part.endswith(")") else -1
    if begin > 0 and part[begin - 1].isspace() and "=" in part[begin:]:
        return part[:begin].rstrip(), part[begin + 1 : -1].strip()
    return part, ""


def _opening(text: str, close: int) -> int:
    """Return where the bracket that closes at `close` opens, -1 when it does not."""
    if close < 0 or text[close] not in ")]":
        return -1
    right = text[close]
    left = "(" if right == ")" else "["
    depth = 0
    for at in range(close, -1, -1):
        depth += (text[at] == right) - (text[at] == left)
        if depth == 0:
            return at
    return -1
