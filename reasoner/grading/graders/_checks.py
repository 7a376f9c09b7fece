"""The single checks of the grader `rules`, by the names IFEval gives them: each takes a text and its values, and tells whether it holds.

    CHECKS["keywords:frequency"]("a b a", {"keyword": "a", "frequency": 2, "relation": "at least"})  ->  True

Every check is linear in the text. Words are runs of letters and digits, sentences end at . ! ? and a blank.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[str, Mapping[str, Any]], bool]

_WORDS = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCES = re.compile(r"[.!?]+(?:\s|$)")
_BULLETS = re.compile(r"^\s{0,20}(?:\*(?!\*)|-)\s*\S", re.MULTILINE)
_HIGHLIGHTS = re.compile(r"\*[^\n*]{1,2000}\*|\*\*[^\n*]{1,2000}\*\*")
_PLACEHOLDERS = re.compile(r"\[[^\[\]\n]{1,500}\]")
_TITLE = re.compile(r"<<[^\n<>]{1,500}>>")
_FENCE = re.compile(r"^```(?:json|JSON)?\s*\n?|\n?```\s*$")
_ONE_OF = ("my answer is yes.", "my answer is no.", "my answer is maybe.")


def _relation(n: int, wanted: Any, relation: Any) -> bool:
    if relation not in {"at least", "less than", "at most", "exactly"}:
        raise ValueError(f"relation {relation!r}")
    least = int(wanted)
    return {"at least": n >= least, "less than": n < least, "at most": n <= least, "exactly": n == least}[str(relation)]


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


def _count(text: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _existence(text: str, values: Mapping[str, Any]) -> bool:
    return all(_count(text, str(word)) for word in values["keywords"])


def _forbidden(text: str, values: Mapping[str, Any]) -> bool:
    return not any(_count(text, str(word)) for word in values["forbidden_words"])


def _frequency(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(_count(text, str(values["keyword"])), values["frequency"], values["relation"])


def _letters(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(text.lower().count(str(values["letter"]).lower()), values["let_frequency"], values["let_relation"])


def _n_sentences(text: str, values: Mapping[str, Any]) -> bool:
    parts = [part for part in _SENTENCES.split(text) if part and part.strip()]
    return _relation(len(parts), values["num_sentences"], values["relation"])


def _n_words(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(len(_words(text)), values["num_words"], values["relation"])


def _n_paragraphs(text: str, values: Mapping[str, Any]) -> bool:
    return len([part for part in re.split(r"\s?\*\*\*\s?", text) if part.strip()]) == int(values["num_paragraphs"])


def _first_word(text: str, values: Mapping[str, Any]) -> bool:
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    nth = int(values["nth_paragraph"])
    if len(paragraphs) != int(values["num_paragraphs"]) or not 1 <= nth <= len(paragraphs):
        return False
    words = _words(paragraphs[nth - 1])
    return bool(words) and words[0].lower() == str(values["first_word"]).lower()


def _placeholders(text: str, values: Mapping[str, Any]) -> bool:
    return len(_PLACEHOLDERS.findall(text)) >= int(values["num_placeholders"])


def _postscript(text: str, values: Mapping[str, Any]) -> bool:
    mark = str(values["postscript_marker"]).lower().replace(" ", "")
    return any(line.lower().lstrip().replace(" ", "").startswith(mark) for line in text.splitlines())


def _bullets(text: str, values: Mapping[str, Any]) -> bool:
    return len(_BULLETS.findall(text)) == int(values["num_bullets"])


def _constrained(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    return text.strip().lower() in _ONE_OF


def _highlights(text: str, values: Mapping[str, Any]) -> bool:
    return sum(bool(found.strip("* ")) for found in _HIGHLIGHTS.findall(text)) >= int(values["num_highlights"])


def _sections(text: str, values: Mapping[str, Any]) -> bool:
    mark = re.escape(str(values["section_spliter"]))
    return len(re.findall(rf"{mark}\s?\d{{1,4}}", text)) >= int(values["num_sections"])


def _json_format(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    try:
        json.loads(_FENCE.sub("", text.strip()))
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    return any(found.strip("<> ") for found in _TITLE.findall(text))


def _two_responses(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    parts = [part.strip() for part in text.split("******")]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def _repeat(text: str, values: Mapping[str, Any]) -> bool:
    return text.strip().lower().startswith(str(values["prompt_to_repeat"]).strip().lower())


def _end(text: str, values: Mapping[str, Any]) -> bool:
    return text.strip().strip('"').lower().endswith(str(values["end_phrase"]).strip().lower())


def _quotation(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    text = text.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def _capital_words(text: str, values: Mapping[str, Any]) -> bool:
    n = sum(word.isupper() for word in _words(text))
    return _relation(n, values["capital_frequency"], values["capital_relation"])


CHECKS: dict[str, Check] = {
    "keywords:existence": _existence,
    "keywords:forbidden_words": _forbidden,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "length_constraints:number_sentences": _n_sentences,
    "length_constraints:number_words": _n_words,
    "length_constraints:number_paragraphs": _n_paragraphs,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json_format,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat,
    "startend:end_checker": _end,
    "startend:quotation": _quotation,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": lambda text, _: text == text.upper() and any(c.isalpha() for c in text),
    "change_case:english_lowercase": lambda text, _: text == text.lower() and any(c.isalpha() for c in text),
    "punctuation:no_comma": lambda text, _: "," not in text,
}
