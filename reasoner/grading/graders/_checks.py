"""The single checks of the grader `rules`, by the names IFEval gives them: each takes a text and its values, and tells whether it holds.

    CHECKS["keywords:frequency"]("a b a", {"keyword": "a", "frequency": 2, "relation": "at least"})  ->  True

They count as IFEval's own evaluation counts (strict): keywords also inside words, forbidden words whole, `don't` as two words, a highlight as
`*...*`. Two things differ. Sentences end at . ! ? and a blank, where IFEval asks a trained model. And a language is told only where it is
certain: None says that it is not. Every check is linear in the text.

Source: Zhou et al. 2023 (IFEval), arXiv 2311.07911, and the evaluation published with it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from reasoner.grading.graders._language import in_language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[str, Mapping[str, Any]], bool | None]

_WORDS = re.compile(r"\w+")
_TOKENS = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCES = re.compile(r"[.!?]+(?:\s|$)")
_BULLETS = re.compile(r"^[^\S\n]{0,20}(?:\*(?!\*)[^\n]|-)", re.MULTILINE)
_HIGHLIGHTS = re.compile(r"\*[^\n*]{1,2000}\*|\*\*[^\n*]{1,2000}\*\*")
_PLACEHOLDERS = re.compile(r"\[[^\[\]\n]{0,500}\]")
_TITLE = re.compile(r"<<[^\n<>]{1,500}>>")
_FENCE = re.compile(r"^```(?:json|JSON)?\s*\n?|\n?```\s*$")
_ONE_OF = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}
_WORD_ENDS = re.compile(r"[.,?!'\"]")


def _relation(n: int, wanted: Any, relation: Any) -> bool:
    if relation not in {"at least", "less than", "at most", "exactly"}:
        raise ValueError(f"relation {relation!r}")
    least = int(wanted)
    return {"at least": n >= least, "less than": n < least, "at most": n <= least, "exactly": n == least}[str(relation)]


def _existence(text: str, values: Mapping[str, Any]) -> bool:
    return all(str(word).lower() in text.lower() for word in values["keywords"])


def _forbidden(text: str, values: Mapping[str, Any]) -> bool:
    return not any(
        re.search(rf"(?<!\w){re.escape(str(word))}(?!\w)", text, re.IGNORECASE) for word in values["forbidden_words"] if str(word)
    )


def _frequency(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(text.lower().count(str(values["keyword"]).strip().lower()), values["frequency"], values["relation"])


def _letters(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(text.lower().count(str(values["letter"]).lower()), values["let_frequency"], values["let_relation"])


def _n_sentences(text: str, values: Mapping[str, Any]) -> bool:
    parts = [part for part in _SENTENCES.split(text) if part and part.strip()]
    return _relation(len(parts), values["num_sentences"], values["relation"])


def _n_words(text: str, values: Mapping[str, Any]) -> bool:
    return _relation(len(_WORDS.findall(text)), values["num_words"], values["relation"])


def _between(text: str, divider: str) -> list[str] | None:
    """Return what stands between dividers; None where nothing stands between two of them. Text may begin and end with one."""
    parts = [part.strip() for part in text.split(divider)]
    inner = parts[0 if parts[0] else 1 : len(parts) if parts[-1] else -1]
    return inner if all(inner) else None


def _n_paragraphs(text: str, values: Mapping[str, Any]) -> bool:
    parts = _between(text, "***")
    return parts is not None and len(parts) == int(values["num_paragraphs"])


def _first_word(text: str, values: Mapping[str, Any]) -> bool:
    paragraphs = text.split("\n\n")
    n, nth = sum(bool(part.strip()) for part in paragraphs), int(values["nth_paragraph"])
    if n != int(values["num_paragraphs"]) or not 1 <= nth <= n or not paragraphs[nth - 1].strip():
        return False
    word = paragraphs[nth - 1].split()[0].lstrip("'").lstrip('"')
    return _WORD_ENDS.split(word, maxsplit=1)[0].lower() == str(values["first_word"]).lower()


def _placeholders(text: str, values: Mapping[str, Any]) -> bool:
    return len(_PLACEHOLDERS.findall(text)) >= int(values["num_placeholders"])


def _postscript(text: str, values: Mapping[str, Any]) -> bool:
    mark = str(values["postscript_marker"]).strip()
    known = _POSTSCRIPTS.get(mark)
    return mark.lower() in text.lower() if known is None else known.search(text.lower()) is not None


def _bullets(text: str, values: Mapping[str, Any]) -> bool:
    return len(_BULLETS.findall(text)) == int(values["num_bullets"])


def _constrained(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    return any(option in text for option in _ONE_OF)


def _highlights(text: str, values: Mapping[str, Any]) -> bool:
    return sum(bool(found.strip("* ")) for found in _HIGHLIGHTS.findall(text)) >= int(values["num_highlights"])


def _sections(text: str, values: Mapping[str, Any]) -> bool:
    mark = re.escape(str(values["section_spliter"]).strip())
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
    parts = _between(text, "******")
    return parts is not None and len(parts) == 2 and parts[0] != parts[1]


def _repeat(text: str, values: Mapping[str, Any]) -> bool:
    return text.strip().lower().startswith(str(values["prompt_to_repeat"]).strip().lower())


def _end(text: str, values: Mapping[str, Any]) -> bool:
    return text.strip().strip('"').lower().endswith(str(values["end_phrase"]).strip().lower())


def _quotation(text: str, values: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it takes none
    text = text.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def _capital_words(text: str, values: Mapping[str, Any]) -> bool:
    n = sum(word.isupper() for word in _TOKENS.findall(text))
    return _relation(n, values["capital_frequency"], values["capital_relation"])


def _language(text: str, values: Mapping[str, Any]) -> bool | None:
    return in_language(text, str(values["language"]))


def _english_capital(text: str, values: Mapping[str, Any]) -> bool | None:  # noqa: ARG001 - it takes none
    return in_language(text, "en") if text.isupper() else False


def _english_lowercase(text: str, values: Mapping[str, Any]) -> bool | None:  # noqa: ARG001 - it takes none
    return in_language(text, "en") if text.islower() else False


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
    "change_case:english_capital": _english_capital,
    "change_case:english_lowercase": _english_lowercase,
    "language:response_language": _language,
    "punctuation:no_comma": lambda text, _: "," not in text,
}
