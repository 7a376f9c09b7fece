"""Three related invented languages and their English, by dictionary and rules: what a model cannot have read.

    translate("The old woman sees the river.", "English", "Selvan")

Selvan puts the verb last, has vowel harmony and five cases; Torvic puts the verb first, has cases that fit themselves to the stem's end
and a negative prefix; Mesrin has English's order, two prepositions where the others have cases, and subject pronouns. Their stems come
from common roots by regular sound changes (`scripts/make_invented`), with some words replaced, as between neighbours.

Knows grammar; knows no model and no corpus. The dictionary is `corpora/invented/lexicon.json`; nothing here is looked up in sentences.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reasoner.errors import BadInstance
from reasoner.invented.english import English
from reasoner.invented.lexicon import load
from reasoner.invented.varieties import Mesrin, Selvan, Torvic

if TYPE_CHECKING:
    from reasoner.invented.meaning import Clause, Grammar

LANGUAGES = ("English", "Selvan", "Torvic", "Mesrin")
GRAMMARS: dict[str, type[Grammar]] = {"English": English, "Selvan": Selvan, "Torvic": Torvic, "Mesrin": Mesrin}


@cache
def grammar(language: str) -> Grammar:
    """Return the grammar of a language, with the shipped dictionary.

    Raises:
        BadInstance: there is no such language.
    """
    if language not in GRAMMARS:
        raise BadInstance(f"{language[:40]!r} is none of the invented languages", hint=f"they are: {', '.join(LANGUAGES)}")
    return GRAMMARS[language](load())


def understand(sentence: str, language: str) -> Clause:
    """Read what a sentence says.

    Raises:
        BadInstance: a word or the build of the sentence is unknown to the rules.
    """
    return grammar(language).analyse(sentence)


def translate(sentence: str, source: str, target: str) -> str:
    """Translate a sentence by the rules alone.

    Raises:
        BadInstance: a word or the build of the sentence is unknown to the rules.
    """
    return grammar(target).realise(understand(sentence, source))
