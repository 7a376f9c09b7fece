"""From a line of text to the words that fragments are made of: a named, versioned choice, kept in every index.

    words("L’aga, de «Roma»!", "paper") -> ["L’aga", "de", "«Roma»"]
    words("L’aga, de «Roma»!", "full")  -> ["l'", "aga", "de", "roma"]
    words("pe-o mâ", "clitics", "Ligurian") -> ["pe", "o", "mâ"]
    words("東京へ行く", "characters") -> ["東", "京", "へ", "行", "く"]

    paper       as published: runs of blanks squeezed, the six characters `. , ! ? : ;` deleted (so `a,b` is one word), split at white space; a query
                matches as it is typed or in lower case
    paper-1.0   as the package has it since its version 1.0: the same words, both sides in lower case
    full        what only looks different is folded: Unicode composition, apostrophes, quotes, brackets, dashes, case; cut after an elision
    clitics     as `full`, and clitics are cut off by the rules of the language (`clitics.toml`)
    lemma       as `clitics`, and words are looked up by their lemma or stem (`stems`)
    subword     as `clitics`, and a word that the corpus does not have by the one that begins most like it (`index`)
    characters  as `full`, and every character of a script without blanks is a word

Knows text and the rules of languages; knows no corpus.

Source: arXiv 2505.22293 and the behaviour of the package `fragmentshot` 0.1.5 and 1.0.0, for `paper` and `paper-1.0`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

Normalisation = Literal["paper", "paper-1.0", "full", "clitics", "lemma", "subword", "characters"]

VERSIONS: Mapping[str, int] = dict.fromkeys(get_args(Normalisation), 1)
"""Raise a version whenever the same text would give other words: an index made with another is refused."""
CUT_BY_LANGUAGE = frozenset({"clitics", "lemma", "subword"})
MIN_LEFT = 4
"""Letters that are left of a word when a clitic is cut off."""

_PAPER_DELETES = str.maketrans("", "", ".,!?:;")
_FULL = str.maketrans(
    {
        **dict.fromkeys("’‘‛ʼʹ`´ˈ＇", "'"),
        **dict.fromkeys(".,!?:;…¿¡", None),
        **dict.fromkeys('"“”„‟«»‹›()[]{}<>', " "),
        **dict.fromkeys("–—―", " "),
    }
)
_ELISION = re.compile(r"(?<=\w')(?=\w)")
_WITHOUT_BLANKS = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff][\u0300-\u036f\u3099\u309a]*)"
)
"""Thai, Lao, Burmese, Khmer, kana and Han."""
_SIGNS = str.maketrans(dict.fromkeys("。、！？：；「」『』（）・《》〈〉【】", " "))


@dataclass(frozen=True, slots=True)
class Language:
    """The rules of one language: what joins clitics, how they are cut off, and its code in simplemma, empty where that has none."""

    joint: re.Pattern[str] | None
    cut: re.Pattern[str] | None
    lemmas: str


def check(name: str) -> Normalisation:
    """Return the name of a normalisation, checked.

    Raises:
        BadConfig: there is none of that name.
    """
    known: tuple[Normalisation, ...] = get_args(Normalisation)
    for each in known:
        if each == name:
            return each
    raise BadConfig(f"there is no normalisation {name[:40]!r}", hint=f"known: {', '.join(known)}")


def words(text: str, name: Normalisation, language: str = "") -> list[str]:
    """Return the words of a line, in order; empty for a line that has none. `language` is what a corpus calls it."""
    if name in {"paper", "paper-1.0"}:
        text = text.translate(_PAPER_DELETES)
        return (text if name == "paper" else text.lower()).split()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = text.translate(_FULL).casefold()
    if "'" in text:
        text = _ELISION.sub(" ", text)
    if name == "characters" and not text.isascii():
        text = _WITHOUT_BLANKS.sub(r" \1 ", text.translate(_SIGNS))
    if name in CUT_BY_LANGUAGE and (rules := language_of(language)):
        text = rules.joint.sub(" ", text) if rules.joint else text
        text = rules.cut.sub(r"\1 \2", text) if rules.cut else text
    return text.split()


def readings(text: str, name: Normalisation, language: str = "") -> list[list[str]]:
    """Return the ways a query may match: as it is and, as published, in lower case; all of the same length."""
    typed = words(text, name, language)
    if name != "paper":
        return [typed]
    lower = [word.lower() for word in typed]
    return [typed] if lower == typed else [typed, lower]


def language_of(name: str) -> Language | None:
    """Return the rules of a language by what a corpus calls it (`Ligurian`, `lij`, `Ladin (Val Badia)`); None where there are none."""
    wanted = name.casefold().replace("_", "-").strip()
    rules = _languages()
    return rules.get(wanted) or next((rules[each] for each in re.split(r"[^\w]+", wanted) if each in rules and len(each) > 2), None)


@cache
def _languages() -> dict[str, Language]:
    made: dict[str, Language] = {}
    for rules in tomllib.loads(Path(__file__).with_name("clitics.toml").read_text(encoding="utf-8")).values():
        joint = re.compile(rf"(?<=\w)[{re.escape(rules['joined_by'])}](?=\w)") if rules["joined_by"] else None
        ends = "|".join(
            rf"(?<={after}){each}"
            for cut in rules["cuts"]
            for after in cut["after"].split("|")
            for each in sorted(cut["enclitics"], key=len, reverse=True)
        )
        cut = re.compile(rf"\b(\w{{{MIN_LEFT},}}?)({ends})\b") if ends else None
        made |= dict.fromkeys(rules["names"], Language(joint, cut, rules["lemmas"]))
    return made
