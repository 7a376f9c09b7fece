r"""Look for what should not be in a training file: secrets, personal data, and a tokenizer's control tokens.

    findings("mail ann@example.org") -> [Finding(kind="e-mail", start=5, end=20)]

Patterns with a check behind them (Luhn for cards, mod 97 for IBANs, entropy for assigned passwords), all bounded, one pass a text.
`tests/datasets/secrets.jsonl` is a labelled fixture; docs/reference/datasets.md gives recall and precision on it. A clean report does not say
that there is no personal data: names, addresses and secrets without a form of their own are not looked for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reasoner.errors import BadConfig
from reasoner.redaction import SECRET_FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Action = Literal["drop", "redact", "keep"]
TokenAction = Literal["drop", "escape", "keep"]

_SECRETS: tuple[tuple[str, str], ...] = (
    *((form.kind, form.pattern) for form in SECRET_FORMS),
    ("password in a url", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,80}:[^\s:/@]{3,200}@[^\s/]{1,200}"),
    (
        "assigned secret",
        (
            r"(?i:\b[\w.-]{0,40}(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|bearer)[\"']?"
            r"[ \t]{0,3}(?:[:=]|[ \t])[ \t]{0,3}[\"']?)(?P<value>[A-Za-z0-9+/=_.~!@#$%^&*-]{8,200})"
        ),
    ),
)
_PERSONAL: tuple[tuple[str, str], ...] = (
    ("e-mail", r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b"),
    ("card", r"(?<![\d.])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5})(?![\d.]?\d)"),
    ("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
    ("social security number", r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
    (
        "phone",
        (
            r"(?<![\w+.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|(?:(?:001|1)[-. ])?\(\d{3}\) ?\d{3}[-. ]\d{4}"
            r"|(?:(?:001|1)[-. ])?\d{3}-\d{3}-\d{4}|(?:(?:001|1)\.)?\d{3}\.\d{3}\.\d{4}|[2-9]\d{9}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5})"
            r"(?:(?:x| ?ext\.? ?)\d{1,6})?(?![\w-]|\.\d)"
        ),
    ),
    (
        "postal address",
        (
            r"(?:\b\d{1,6}[A-Z]? (?:[NSEW]{1,2}\.? )?(?:[A-Z0-9][\w'.-]{0,24} ){1,4}?(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct"
            r"|Way|Place|Pl|Terrace|Square|Parkway|Pkwy|Highway|Circle|Close|Crescent|Gardens)\b[^\n]{0,60}?\b(?:[A-Z]{2} \d{5}(?:-\d{4})?"
            r"|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b"
            r"|\b[A-ZÄÖÜ][\w.-]{0,30}(?:straße|strasse|str\.|weg|platz|allee|gasse) ?\d{1,4} ?[a-z]?,? \d{5} [A-ZÄÖÜ][\w-]+)"
        ),
    ),
    ("ip address", r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"),
)
SECRET_KINDS = tuple(name for name, _ in _SECRETS)
PERSONAL_KINDS = tuple(name for name, _ in _PERSONAL)

_PATTERNS = {name: re.compile(pattern) for name, pattern in (*_SECRETS, *_PERSONAL)}
# A text is looked at with a pattern only where it holds what the pattern cannot do without: a search for a fixed text costs next to
# nothing, and most texts hold none of them.
# Marks stand there as `masked` shows them too, so that a masked line is suspect wherever the line is.
_NEEDS: dict[str, tuple[str, ...]] = {
    **{form.kind: tuple(dict.fromkeys((*form.marks, *(re.sub(r"[0-9]", "0", mark) for mark in form.marks)))) for form in SECRET_FORMS},
    "password in a url": ("://",),
    "e-mail": ("@",),
}
# One set of first characters, so that the search runs over all else at full speed.
_NUMBERS = re.compile(r"[(+\d](?:(?<=\d)(?:(?:[ .-]?\d){6}|\d{1,2}\.\d{1,3}\.\d)|(?<=\()\d{3,4}\)|(?<=\+)\d)")
_SHAPES = bytes.maketrans(b"123456789BCDEFGHIJKLMNOPQRSTUVWXYZ", b"000000000" + b"A" * 25)
"""Every digit a zero, every capital an A: what numbers and postal codes look like."""
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_RUNS = bytes(97 if (chr(byte).isalnum() and byte < 128) or chr(byte) in "_-+/=.:" else 32 for byte in range(256))
LONG = b"a" * 16
"""Every key of the forms with a mark that is not rare has so many of these characters in a row; hardly any other text has."""
_CUE = re.compile(
    r"(?i)\b(?:phone|tel|telephone|call|mobile|cell|fax|whatsapp|sms|dial|hotline|reach|contact|handy|rufnummer|card|visa|mastercard|amex)\b[^\d\n]{0,24}$"
)
"""Words that make the number after them somebody's."""
_OPERATORS = frozenset("=+*/^<>×·÷−≈")
_NUMBERS_OF_PEOPLE = frozenset({"phone", "card", "social security number"})
MAX_BARE = 12
"""Digits without a group that are the answer of a calculation as often as a phone number."""
_ISSUERS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"4", (13, 16, 19)), (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)), (r"3[47]", (15,)), (r"6011|65|64[4-9]", (16, 19)),
    (r"35(?:2[89]|[3-8])", (16,)), (r"36|38|30[0-5]", (14,)), (r"62", (16, 17, 18, 19)),
)  # fmt: skip
"""What card numbers begin with, and how long they are then."""
_NUMERIC = ("card", "iban", "social security number", "phone", "ip address")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found: what it is and where it stands."""

    kind: str
    start: int
    end: int

    @property
    def secret(self) -> bool:
        """Whether it is a secret; otherwise it is personal data."""
        return self.kind in SECRET_KINDS


def _marked(t: str) -> bool:
    """Tell whether one of `_NEEDS` may be met.

    Written out, because it runs over every text: a loop costs ten times as much. A search for one letter costs a third of one for
    several, so a rare letter stands before the marks that have it.
    """
    return (
        "@" in t or "_" in t or "sk-" in t or "xox" in t or "://" in t or "hooks.slack" in t or "pat-" in t or "pypi-" in t
        or ("ya" in t and ("ya29." in t or "ya00." in t))
        or ("K" in t and ("KEY" in t or "AKIA" in t)) or ("I" in t and ("ASIA" in t or "AIDA" in t or "AIza" in t))
        or ("O" in t and "AROA" in t) or ("G" in t and "SG." in t) or ("J" in t and "eyJ" in t)
    )  # fmt: skip


def _numeric(text: str, shape: bytes) -> bool:
    """Tell whether `_NUMBERS` may match.

    Bytes with every digit made a zero are searched for what each of its branches needs: ten times as fast as the pattern where a text
    is full of numbers that are too short to be anything. Other scripts have digits of their own.
    """
    if not text.isascii():
        return True
    return b"00.0" in shape or b"+0" in shape or b"(000)" in shape or b"(0000)" in shape or b"0000000" in shape.translate(None, b" .-")


def _postal(text: str, shape: bytes) -> bool:
    """Tell whether the pattern of addresses may match: it ends in a state with its code, in a British code, or in a German one and its town."""
    if b" 0AA" in shape or b"AA 00000" in shape or b" 00000 A" in shape:
        return True
    return b" 00000" in shape and not text.isascii()


def masked(data: bytes) -> bytes:
    """Return UTF-8 text with every ASCII digit a zero: what many lines of a calculation have in common."""
    return data.translate(_DIGITS)


def suspects(text: str) -> list[str]:
    """Return the kinds whose patterns have to be run on a text.

    Where there is none, nothing can be found. Lines that are not suspect together are not suspect each by itself. No digit is told from
    another: where the `masked` text is not suspect, no text is that is masked alike.
    """
    data = text.encode("utf-8", "surrogatepass")
    kinds: list[str] = []
    if _marked(text) or LONG in data.translate(_RUNS):
        kinds = [kind for kind, marks in _NEEDS.items() if any(mark in text for mark in marks)]
    low = text.lower()
    if "pass" in low or "pwd" in low or "secret" in low or "key" in low or "token" in low or "bearer" in low:
        kinds.append("assigned secret")
    shape = data.translate(_SHAPES)
    if _numeric(text, shape) and _NUMBERS.search(text) is not None:
        kinds.extend(_NUMERIC)
    if _postal(text, shape):
        kinds.append("postal address")
    return kinds


def findings(text: str) -> list[Finding]:
    """Return what is found in a text, in its order; where two overlap, the first pattern's. No pattern goes past the end of a line."""
    found: list[Finding] = []
    for kind in suspects(text):
        pattern = _PATTERNS[kind]
        check = _CHECKS.get(kind)
        for match in pattern.finditer(text):
            start, end = match.span("value" if "value" in pattern.groupindex else 0)
            if kind in _NUMBERS_OF_PEOPLE and not _of_somebody(text, start, end):
                continue
            if (check is None or check(text[start:end])) and all(end <= f.start or start >= f.end for f in found):
                found.append(Finding(kind, start, end))
    return sorted(found, key=lambda f: f.start)


def redacted(text: str, found: Iterable[Finding]) -> str:
    """Return the text with each finding replaced by its kind in brackets."""
    for finding in sorted(found, key=lambda f: f.start, reverse=True):
        text = f"{text[: finding.start]}[{finding.kind}]{text[finding.end :]}"
    return text


def _of_somebody(text: str, start: int, end: int) -> bool:
    """Tell a number that is somebody's from a number that is reckoned with.

    Where a sign of arithmetic stands beside it, or digits stand alone without a group, only the words before it make it somebody's.
    """
    before = text[max(text.rfind("\n", 0, start) + 1, start - 40) : start]
    after = text[end : end + 3].partition("\n")[0].lstrip()
    if _CUE.search(before):
        return True
    last = before.rstrip()[-1:]
    if last in _OPERATORS or after[:1] in _OPERATORS or (text[start] == "+" and (last.isdigit() or last == ")")):
        return False
    return not (text[start:end].isdigit() and end - start <= MAX_BARE)


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    number = "".join(map(str, digits))
    if len(digits) not in next((lengths for issuer, lengths in _ISSUERS if re.match(issuer, number)), ()) or len(set(digits)) < 4:
        return False
    doubled = (d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    packed = text.replace(" ", "")
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in packed[4:] + packed[:4])) % 97 == 1


def _phone(text: str) -> bool:
    number: str = re.split(r"x| ?ext", text)[0]  # an extension is no part of it
    return 7 <= sum(c.isdigit() for c in number) <= 15


def _random_looking(text: str) -> bool:
    """Tell a secret's value from a word or a placeholder: mixed kinds of characters, or many different ones."""
    low = text.lower()
    if any(word in low for word in ("example", "your_", "your-", "xxxx", "****", "changeme", "placeholder", "<", "${", "none", "null")):
        return False
    kinds = sum(map(bool, (re.search(r"[a-z]", text), re.search(r"[A-Z]", text), re.search(r"\d", text), re.search(r"[^\w]", text))))
    return kinds >= 2 and any(c.isdigit() for c in text) and _entropy(text) >= 2.5


def _entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _address(text: str) -> bool:
    """Tell an address from a hierarchical number such as the 2.1.1.1 of a written search: two parts of two digits or more."""
    return sum(int(part) >= 10 for part in text.split(".")) >= 2


_CHECKS: dict[str, Callable[[str], bool]] = {
    "card": _luhn,
    "iban": _iban,
    "phone": _phone,
    "ip address": _address,
    "assigned secret": _random_looking,
}

# The forms control tokens have in the tokenizers in use; a target tokenizer's own are added by `ControlTokens.of`.
_KNOWN_TOKENS = (
    r"<\|[^\s|<>]{1,60}\|>|<｜[^\s｜<>]{1,60}｜>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk|mask)>"
    r"|<end_of_utterance>|\[(?:BOS|EOS|PAD|UNK|CLS|SEP|MASK|gMASK|sMASK)\]|<\|[a-z_]{2,30}>|<[a-z_]{2,30}\|>|<[se]op>|</?SYS>|<start_of_image>|<image_soft_token>"
    r"|<seed:[a-z_]{2,24}>|<extra_id_\d{1,3}>|<SPECIAL_\d{1,4}>|</?atem:[a-z_]{2,30}\b|\]~!?b\[|\[e~\[|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|SYSTEM_PROMPT|ARGS"
    r"|CALL_ID|MODEL_SETTINGS|IMG|PREFIX|MIDDLE|SUFFIX)\]"
)


class ControlTokens:
    """Control tokens: text that a tokenizer would turn into the end of a turn or the like."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        own = sorted({token for token in more if len(token) > 1}, key=lambda t: (-len(t), t))
        self._pattern = re.compile("|".join([*map(re.escape, own), _KNOWN_TOKENS]))
        shapes = sorted({re.sub(r"[0-9]", "0", token) for token in own}, key=lambda t: (-len(t), t))
        self._masked = re.compile("|".join([*map(re.escape, shapes), _KNOWN_TOKENS]))
        self._plain = all(token[0] in "<[" for token in own)

    def found(self, text: str) -> list[str]:
        """Return the control tokens in a text, in its order."""
        if self._plain and "<" not in text and "[" not in text:
            return []
        return self._pattern.findall(text)

    def possible(self, text: str) -> bool:
        """Tell whether a text that is masked like this one (`masked`) may hold a control token."""
        return not (self._plain and "<" not in text and "[" not in text) and self._masked.search(text) is not None

    def escaped(self, text: str) -> str:
        """Return the text with a space put into each control token, after its first character: `<|im_end|>` becomes `< |im_end|>`."""
        for _ in range(20):
            new = self._pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
            if new == text:
                return text
            text = new
        raise BadConfig("control tokens of the tokenizer could not be escaped", hint="use `special_tokens=drop`")
