"""Find the translation in a model's reply, by what the source sentence has around it; tell refusals and copies apart.

    extract('Sure! **Selvan:** "Meris tudasas." (literally: the river sleeps)', instance)  -> Meris tudasas.

What the source does not have goes: quotes, brackets, fences, emphasis, labels in several languages, notes, JSON, thoughts. What it has
stays: a quoted sentence keeps its quotes, `Note: ...` its label. Nothing inside a sentence is cut. The reference is never looked at.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from reasoner.text import answer_line, tail

if TYPE_CHECKING:
    from solvers.translation import Translation

Flag = Literal["", "refusal", "copy"]

MAX_TRANSLATION_CHARS = 40_000
MAX_LAYERS = 12
"""Wrappings taken off one reply."""
MAX_LABEL_CHARS = 200
"""No label, note or remark is looked for further into a line."""
MIN_COPIED_WORDS = 3
"""A copy of fewer words is no fault: names and numbers stay as they are."""

_BLANKS = re.compile(r"[^\S\n]{2,}")
_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning|analysis|scratchpad)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>final<\|message\|>(.*)", re.DOTALL)
_TAGS = ("answer", "translation", "output", "result", "target", "final")
_FENCE = re.compile(r"```[\w-]*[^\S\n]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_WORD_OF_LABEL = (
    r"answer|translation|translated(?: sentence| text)?|result|output|final|risposta|traduzione|frase tradotta|réponse|traduction|respuesta|traducción"
    r"|antwort|übersetzung|resposta|tradução|traducció|traduccion|tradozion|tradussion|traduzion|tradüziun|translaziun|respòsta|tradukaĵo"
)
_BRACKETED = r"\((?:[^()\n]|\([^()\n]*\)){1,60}\)"
_LABEL = re.compile(
    rf"[\s>*_#`-]*(?:(?:the|my|final|correct|best|suggested|la|le|il|die|der|el|mia|finale)\s+){{0,2}}(?:{_WORD_OF_LABEL})"
    rf"(?:\s+(?:finale|final|finala))?(?:\s*{_BRACKETED}|\s+(?:in|into|to|of|en|auf|al|inte)\s+(?:the\s+)?[^\W\d_][\w'’ -]{{0,30}}(?:{_BRACKETED})?)?"
    r"(?:\s+(?:is|è|est|es|ist|would be))?[\s*_`]*[:=](?:[*_`]+(?=\s|$))?\s*",
    re.IGNORECASE,
)
_ANY_LABEL = re.compile(r"\W*(?:[^\W\d_][\w'’-]*\s?){1,4}:(?!\S*//)")
_NOTE = (
    r"(?:translator'?s )?note|nota(?: bene)?|n\.?b|explanation|spiegazione|explication|erklärung|hinweis|literally|lit|literal(?:ly| translation)?|letteralmente"
    r"|meaning|this means|which means|significa|breakdown|where|commento|comment|alternatively|alternative"
)
_NOTE_LINE = re.compile(rf"[\s>*_#`(\[-]*(?:{_NOTE})\b[\s*_]*[.:(,-]", re.IGNORECASE)
_NOTE_TAIL = re.compile(rf"\s*[(\[](?:{_NOTE})\b[^()\[\]]*[)\]]\s*$", re.IGNORECASE)
_NOTE_AFTER = re.compile(rf"(?<=[.!?…»”\"])\s+[*_]*(?:{_NOTE})[*_]*\s*:.*$", re.IGNORECASE)
_TALK = re.compile(
    r"[\s*_#>-]*(?:sure|certainly|of course|okay|ok|here(?:'s| is| are)|i hope|let me|please|this (?:translation|sentence|keeps|preserves|follows)|the (?:above )?translation"
    r"|to translate|based on|using the|following the|i (?:have |'ve )?(?:translated|used|kept|followed|chose)|feel free|hope this|ecco|certo|certamente|voici|bien sûr|claro|aquí"
    r"|hier ist|natürlich|first,? i|step \d|in this (?:sentence|translation)|we (?:have|use|can)|note that|as (?:you can see|requested))\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\W*(?:(?:i(?:'|’)?m|i am) (?:really |very )?(?:sorry|afraid|unable|not able|not familiar)|sorry\b|i (?:can(?:'|’)?t|cannot|can not|do not|don(?:'|’)?t|won(?:'|’)?t|could not"
    r"|couldn(?:'|’)?t)\b|as an? (?:ai|language model|assistant)|unfortunately|unable to|it is not possible|there is no (?:known )?translation|non posso|non sono in grado|mi dispiace"
    r"|mi spiace|purtroppo|je ne (?:peux|suis)|désolée?|malheureusement|lo siento|no puedo|lamentablemente|es tut mir leid|ich kann|leider|desculpe|não posso|infelizmente)",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"translat|language|\bai\b|assist|\bmodel|provide|\bhelp|request|not familiar|tradu|lingua|modello|assistente|langue|idioma|übersetz|sprach|context|knowledge|information",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\W*(?:the |your )?(?:sentence|translation|translated sentence|answer|text)(?: (?:in|into|goes) [\w'’ ()-]{1,60})?(?: here)?\W*",
    re.IGNORECASE,
)
_WRAPS = {"[[": "]]", "**": "**", "__": "__", "``": "``", "[": "]", "(": ")", "{": "}", "<": ">", "*": "*", "_": "_", "`": "`", "$": "$"}
_QUOTES = {'"': '"', "“": "”", "«": "»", "»": "«", "„": "“", "'": "'", "‘": "’", "‹": "›", "「": "」", "’": "’", "”": "”"}
_ANY_QUOTE = frozenset("\"“”«»„'‘’‹›「」")
_QUOTED = re.compile(r"[\"“«„]([^\"“”«»„]{1,4000})[\"”»“]")
_BULLET = re.compile(r"(?:[-*+•>–]|#{1,6}|\(?\d{1,2}[.)])\s+")
_KEYS = ("translation", "answer", "translated", "target", "text", "output", "result", "sentence", "final")
_FOLDED = str.maketrans("’‘ʼ´`", "'''''")


def plain(text: str) -> str:
    """Return a text as exact match compares it."""
    folded = unicodedata.normalize("NFC", text).casefold().translate(_FOLDED)
    return " ".join(folded.split()).removesuffix(".").rstrip()


def read(text: str, instance: Translation) -> tuple[str, Flag]:
    """Return the translation in a model's text, empty when there is none or only a refusal; and whether the text refuses or copies the source.

    The translation is what follows the last `Answer:` marker, else another label, else the value of a JSON object, a tag, a fence or
    double square brackets, else the last line that is no remark. A copy has the same words as the source, three or more, where they are
    not the reference too.
    """
    found = _candidate(text, instance)
    if _refuses(found or text[:MAX_TRANSLATION_CHARS], instance):
        return "", "refusal"
    copied = _words(found) == _words(instance.sentence) and len(_words(found)) >= MIN_COPIED_WORDS
    return found, "copy" if copied and plain(found) != plain(instance.reference) else ""


def extract(text: str, instance: Translation) -> str:
    """Return the translation in a model's text, see `read`."""
    return read(text, instance)[0]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", plain(text))


def _refuses(found: str, instance: Translation) -> bool:
    match = _REFUSAL.match(found)
    return match is not None and _TASK.search(found) is not None and not _TASK.search(instance.sentence)


def _candidate(text: str, instance: Translation) -> str:
    source = instance.sentence
    text = _BLANKS.sub(" ", tail(text))
    if (channel := _CHANNEL.search(text)) is not None:
        text = channel[1]
    if not _THOUGHT.search(source):
        text = _THOUGHT.sub("\n", text).replace("</think>", "\n")
    found = " ".join(_place(text, instance).split())[: MAX_TRANSLATION_CHARS + 1]
    for _ in range(MAX_LAYERS):
        after = _unwrapped(found, instance)
        if after == found:
            break
        found = after
    if (
        len(found) > MAX_TRANSLATION_CHARS
        or not any(c.isalnum() for c in found)
        or (_PLACEHOLDER.fullmatch(found) and not _PLACEHOLDER.fullmatch(source))
    ):
        return ""
    return found


def _place(text: str, instance: Translation) -> str:
    """Return the part of a reply that holds the translation, still wrapped."""
    source = instance.sentence
    if (answer := _after_marker(text)) is not None:
        return answer
    if (value := _of_json(text, instance)) is not None:
        return value
    if (tagged := _in_a_tag(text, source)) is not None:
        return tagged
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not _is_labelled(source):
        own = re.compile(
            rf"[\s>*_#`-]*(?:in )?{re.escape(instance.target)}[\s*_`]*(?:translation|sentence)?[\s*_`]*:(?:[*_`]+(?=\s|$))?\s*",
            re.IGNORECASE,
        )
        for at in range(len(lines) - 1, -1, -1):
            label = own.match(lines[at][:MAX_LABEL_CHARS]) or _LABEL.match(lines[at][:MAX_LABEL_CHARS])
            if label is not None:
                return lines[at][label.end() :] or next((line for line in lines[at + 1 :] if not line.startswith("```")), "")
    if "```" not in source and "```" in text:
        fenced = [body for body in _FENCE.findall(text) if body.strip()]
        if fenced:
            return str(fenced[-1])
    end = -1 if "]]" in source else text.rfind("]]")
    start = text.rfind("[[", 0, end) if end > 0 else -1
    return text[start + 2 : end] if start >= 0 else _of_lines(lines, instance)


def _in_a_tag(text: str, source: str) -> str | None:
    """Return what stands in the last tag that says what it is; None where there is none, or the source has it too."""
    lower = text.lower()
    for name in _TAGS:
        end = lower.rfind(f"</{name}>")
        start = lower.rfind(f"<{name}>", 0, end) if end > 0 else -1
        if start >= 0 and f"<{name}>" not in source.lower():
            return text[start + len(name) + 2 : end]
    return None


def _after_marker(text: str) -> str | None:
    """Return what follows the last `Answer:` on its line as it is written, or the first line after it that is no fence."""
    if answer_line(text) is None:
        return None
    lines = tail(text).splitlines()
    for at in range(len(lines) - 1, -1, -1):
        if "answer" not in lines[at].casefold() or answer_line(f"{lines[at]}\nx") is None:
            continue
        label = _LABEL.match(lines[at][:MAX_LABEL_CHARS])
        rest = (
            lines[at][label.end() :]
            if label
            else re.sub(r"^.*?\banswer\b[\s*_`]*(?:[:=]|is\b[\s*_`]*[:=]?)(?:[*_`]+(?=\s|$))?\s*", "", lines[at], flags=re.IGNORECASE)
        )
        emphasis = re.match(r"[\s>#-]*([*_`]{1,3})", lines[at])
        if emphasis and rest.endswith(emphasis[1]) and emphasis[1] not in rest[: -len(emphasis[1])]:
            rest = rest[: -len(emphasis[1])]  # what was opened before the label is closed behind the sentence
        return (
            rest if rest.strip() else next((line for line in lines[at + 1 :] if line.strip() and not line.lstrip().startswith("```")), "")
        )
    return None


def _of_json(text: str, instance: Translation) -> str | None:
    """Return the string that a JSON object or string holds as the translation; None where the text is neither."""
    body = text.strip()
    if (fence := re.fullmatch(r"```\w*\s*(.*?)\s*```", body, re.DOTALL)) is not None:
        body = fence[1]
    if not body.startswith(("{", "[{")) or instance.sentence.startswith(("{", "[")):
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        value = value[-1] if value else None
    if not isinstance(value, dict):
        return None
    strings = {str(key).casefold(): each for key, each in value.items() if isinstance(each, str)}
    named = next((strings[key] for key in (instance.target.casefold(), *_KEYS) if key in strings), None)
    return named if named is not None else next(iter(strings.values())) if len(strings) == 1 else None


def _of_lines(lines: list[str], instance: Translation) -> str:
    """Return the last line that is no remark, no note and no copy of the source beside something else."""
    source = instance.sentence
    kept = [
        line
        for line in lines
        if not (_NOTE_LINE.match(line[:MAX_LABEL_CHARS]) and not _NOTE_LINE.match(source)) and not line.startswith("```")
    ]
    kept = [
        line
        for line in kept
        if not (_TALK.match(line[:MAX_LABEL_CHARS]) and not _TALK.match(source) and not _quoted(line, source) and len(lines) > 1)
    ]
    others = [line for line in kept if plain(_without_label(line, instance.source)) != plain(source)]
    for line in reversed(others or kept):
        if not (line.endswith(":") and not source.endswith(":")):
            return _quoted(line, source) or line
    return ""


def _quoted(line: str, source: str) -> str:
    """Return what stands in quotes at the end of a remark such as `"The river" in Selvan is "Meris"`; empty where the line is no remark."""
    if any(c in _ANY_QUOTE - {"'", "’"} for c in source):
        return ""
    parts = list(_QUOTED.finditer(line))
    if not parts or parts[-1].end() < len(line.rstrip(" .*_")):
        return ""
    before = line[: parts[-1].start()].casefold()
    return (
        parts[-1][1]
        if re.search(
            r"\b(?:translat\w*|is|as|be|becomes|traduce|traduzione|tradotto|diventa|traduit|traduce|heißt|lautet)\W*$|translat|tradu",
            before,
        )
        else ""
    )


def _without_label(line: str, language: str) -> str:
    return line[len(language) + 1 :].strip() if line.casefold().startswith(f"{language.casefold()}:") else line


def _is_labelled(source: str) -> bool:
    return _ANY_LABEL.match(source[:80]) is not None


def _unwrapped(found: str, instance: Translation) -> str:
    """Take one layer off that the source does not have."""
    source = instance.sentence
    if not _is_labelled(source):
        label = _LABEL.match(found[:MAX_LABEL_CHARS])
        names = {name for language in (instance.target, instance.source) for name in (language, language.partition("(")[0].strip())}
        own = re.match(rf"(?:{'|'.join(map(re.escape, sorted(names, reverse=True)))})\s*:\s*", found, re.IGNORECASE)
        if (end := label or own) is not None:
            return found[end.end() :].strip()  # nothing, where the model wrote the label alone
    for opening, closing in _WRAPS.items():
        if _wraps(found, opening, closing) and not source.startswith(opening[0]):
            return found[len(opening) : -len(closing)].strip()
    closing = _QUOTES.get(found[:1], "")
    if closing and source[:1] not in _ANY_QUOTE and source.rstrip(".")[-1:] not in _ANY_QUOTE:
        body = found.rstrip(".") if found.endswith(f"{closing}.") else found  # "sentence".
        if _wraps(body, found[0], closing):
            return body[1:-1].strip()
    if (bullet := _BULLET.match(found)) is not None and not _BULLET.match(source):
        return found[bullet.end() :]
    for pattern, sign in ((_NOTE_TAIL, "(["), (_NOTE_AFTER, ":")):
        note = pattern.search(found)
        if note is not None and note.start() > 0 and not any(c in source for c in sign):
            return found[: note.start()].rstrip()
    if found.endswith(("**", "```")) and not source.endswith(("*", "`")) and found.count(found[-2:]) == 1:
        return found.rstrip("*`").rstrip()
    return found


def _wraps(text: str, opening: str, closing: str) -> bool:
    """Tell whether a pair stands around the whole text and nowhere inside it."""
    if len(text) <= len(opening) + len(closing) or not (text.startswith(opening) and text.endswith(closing)):
        return False
    inside = text[len(opening) : -len(closing)]
    if opening in {"'", "‘", "’"}:
        return not re.search(r"(?<!\w)['‘’]|['’](?!\w)", inside)
    if opening == closing or opening in "»”":
        return opening not in inside and closing not in inside
    depth = 0
    for char in inside:
        depth += (char == opening[0]) - (char == closing[0])
        if depth < 0:
            return False
    return True
