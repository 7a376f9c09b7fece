"""Whether a text is in a language, told only where it is certain. By py3langid (extra `tasks`), whose model comes with it: nothing is fetched.

    in_language("Il treno parte alle sette di mattina.", "it")  ->  True;   "de"  ->  False;   in_language("Ok", "it")  ->  None

Probabilities are the identifier's own, over all its 140 languages; those of dialects that are written as one language are added up.
A paragraph that is certainly in another language makes the text one in two languages, which is in neither.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from reasoner.errors import MissingDependency

CERTAIN = 0.8
"""How probable a language has to be."""
RULED_OUT = 0.05
"""How improbable a language has to be that a text is not in."""
MIN_LETTERS = 60
"""Letters a paragraph needs to speak for itself."""
_WRITTEN_AS = {
    "arz": "ar",
    "ary": "ar",
    "wuu": "zh",
    "yue": "zh",
    "nn": "no",
    "nb": "no",
    "sdh": "ku",
    "uzs": "uz",
    "pes": "fa",
    "prs": "fa",
    "iw": "he",
}


def in_language(text: str, wanted: str) -> bool | None:
    """Tell whether all of a text is in a language, by its ISO 639-1 code (`en`, `pt-BR`); None where that is not certain.

    Raises:
        MissingDependency: py3langid is not installed.
        ValueError: the code is none of a language the identifier knows.
    """
    identifier = _identifier()
    code = wanted.strip().lower().replace("_", "-").partition("-")[0]
    code = _WRITTEN_AS.get(code, code)
    if code not in identifier.labels:
        raise ValueError(f"the language {wanted[:40]!r} is not known")
    paragraphs = [part for part in text.split("\n\n") if sum(c.isalpha() for c in part) >= MIN_LETTERS]
    if any(_is(identifier, part, code) is False for part in paragraphs):
        return False
    return _is(identifier, text, code)


def _is(identifier: Any, text: str, code: str) -> bool | None:
    shares: dict[str, float] = {}
    for label, share in identifier.rank(text):
        name = _WRITTEN_AS.get(label, label)
        shares[name] = shares.get(name, 0.0) + share
    if shares[code] >= CERTAIN:
        return True
    return False if shares[code] <= RULED_OUT and max(shares.values()) >= CERTAIN else None


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - an optional dependency, and a second to load
    except ImportError as error:
        raise MissingDependency("py3langid", extra="tasks") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
