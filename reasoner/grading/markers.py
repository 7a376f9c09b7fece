r"""Markers: how a line says that the answer follows, in English and in other languages, and how far the answer goes.

    marked("**Answer:** 18")           ->  "18"        marked("So the answer is 18. It is even.")  ->  "18"
    marked("Réponse finale : 18")      ->  "18"        marked("所以答案是18。")                      ->  "18"
    marked("### Final Answer")         ->  ""          marked("Die falsche Antwort ist 17.")       ->  None

A marker of another language begins its line or its clause, so that no word before it says otherwise. Every pattern is linear in the line.
"""

from __future__ import annotations

import re

_EM = r"(?P<em>__|\*{0,3}|`{0,3})"
_BEFORE = r"[\s>#\u200e\u200f\u202a-\u202c\u2066-\u2069\ufeff-]{0,20}(?:\d{1,3}[.)]\s{0,5})?"
_SHUT = r"\s{0,5}(?P<shut>\*{0,3})\s{0,5}"
_LINE = re.compile(
    rf"{_BEFORE}{_EM}\s{{0,5}}(?:the\s{{1,5}}|my\s{{1,5}})?(?:final\s{{1,5}}|correct\s{{1,5}})?answer"
    rf"(?P<mark>{_SHUT}(?:[:=：](?:__)?|is\b(?:\s(?:therefore|thus|then|hence|simply)\b)?\s{{0,5}}:?))",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"\s{0,5}(?:#{1,6}\s{0,5}\*{0,3}|\*{2,3})(?:the\s{1,5})?(?:final\s{1,5}|correct\s{1,5})?answer\*{0,3}\s{0,20}", re.IGNORECASE
)
_INSIDE = re.compile(
    r"\b(?P<word>answer\*{0,3})\s{0,5}(?:\s(?:is|must\sbe|should\sbe|would\sbe|equals)\b(?:\s(?:therefore|thus|then|hence|simply)\b)?|[:=：])\s{0,5}:?",
    re.IGNORECASE,
)
_SHORT = re.compile(r"\s{0,5}(?:A:\s|答\s{0,2}[:：])")
_OPENED = re.compile(r"(?:^|(?<=[\s(:,;—–-]))(\*{1,3}|_{1,2})(?:[^\s*_][^*_]*)?$")
_HOPE = re.compile(r"[.!]\**\s{1,5}I\shope\b.*", re.IGNORECASE | re.DOTALL)
_STOP = re.compile(r"(?<=[^\s.])[.!?]\**\s{1,5}(?=[A-ZÀ-ÞΑ-ΩА-Я\"'(«¿¡])")
_SHORTENED = re.compile(r"(?:^|\s)(?:[A-Z]|St|Dr|Mr|Mrs|Ms|Mt|Jr|Sr|vs|No|Prof|Inc|Ltd|Co|Corp|Gen|Lt|Col|Rev|Ft|etc|approx)$")

_LANGUAGES: tuple[tuple[str, str, str], ...] = (
    ("答案", "(?:最[终終后後]的?|正[确確]的?)?答案", "是|[为為]|等[于於]"),
    ("答え 解答 回答", "(?:最終的な|最終|正しい)?(?:答え|解答|回答)", "は"),
    ("답", "(?:최종 ?|올바른 )?(?:정답|답변|답안|답)", "은|는"),
    ("réponse reponse", "(?:la )?(?:bonne )?r[ée]ponse(?: finale| correcte| exacte)?", "est "),
    ("antwort", "(?:die |meine )?(?:endgültige |finale |richtige |korrekte )?antwort", "(?:ist|lautet|beträgt) "),
    ("respuesta", "(?:la |mi )?respuesta(?: final| correcta| definitiva)?", "(?:es|será|sería) "),
    ("resposta", "(?:a |minha )?resposta(?: final| correta| certa)?", "(?:é|será|seria) "),
    ("risposta", "(?:la |mia )?risposta(?: finale| corretta| esatta| giusta| definitiva)?", "(?:è|sarà) "),
    ("antwoord", "(?:het |mijn )?(?:definitieve |uiteindelijke |juiste )?antwoord", "(?:is|luidt) "),
    ("svar", "(?:det )?(?:slutgiltiga |slutliga |rätta |endelige |riktige |rigtige )?svar(?:et)?", "(?:är|er) "),
    ("vastaus", "(?:lopullinen |oikea )?vastaus", "on "),
    ("ответ", "(?:окончательный |итоговый |правильный |верный )?ответ", "(?:—|равен) "),
    ("відповідь", "(?:остаточна |кінцева |правильна )?відповідь", "— "),
    ("odpowied", "(?:ostateczna |końcowa |prawidłowa |poprawna )?odpowied[źz]", "(?:to|brzmi|wynosi) "),
    ("odpověď", "(?:konečná |správná |výsledná )?odpověď", "je "),
    ("răspuns raspuns", "r[ăa]spuns(?:ul)?(?: final| corect)?", "este "),
    ("válasz", "(?:a )?(?:végső |helyes )?válasz", ""),
    ("απάντηση", "(?:η )?(?:τελική |σωστή )?απάντηση", "είναι "),
    ("cevap yanıt", "(?:nihai |son |doğru )?(?:cevap|yanıt)", ""),
    ("đáp trả", "(?:đáp án|đáp số|câu trả lời|trả lời)(?: cuối cùng| đúng)?", "là "),
    ("jawaban", "jawaban(?:nya)?(?: akhir(?:nya)?| yang benar)?", "adalah "),
    ("jibu", "jibu(?: la mwisho| sahihi)?", "ni "),
    ("جواب جابة پاسخ", "(?:الجواب|جواب|الإجابة|الاجابة|إجابة|پاسخ)(?: النهائية?| الصحيحة?| نهایی| صحیح)?", "(?:هو|هي) "),
    ("תשובה", "ה?תשובה(?: הסופית| הנכונה)?", "(?:היא|הוא) "),
    ("उत्तर जवाब", "(?:अंतिम |सही )?(?:उत्तर|जवाब)", ""),
    ("উত্তর", "(?:চূড়ান্ত |সঠিক )?উত্তর", "(?:হল|হলো|হচ্ছে) "),
    ("விடை பதில்", "(?:இறுதி |சரியான )?(?:விடை|பதில்)", ""),
    ("సమాధానం జవాబు", "(?:తుది |చివరి |సరైన )?(?:సమాధానం|జవాబు)", ""),
    ("คำตอบ", "คำตอบ(?:สุดท้าย|ที่ถูกต้อง)?", "คือ"),
)
"""Of each language: words that every marker has one of, the words for `the final answer`, and the verbs that join it to the answer."""
_HENCE = (
    "also|daher|somit|folglich|deshalb|donc|ainsi|alors|por lo tanto|por tanto|entonces|así que|portanto|logo|então|assim|quindi|perciò|dunque|pertanto|dus|daarom|"
    "итак|значит|следовательно|таким образом|поэтому|отже|więc|zatem|takže|tedy|așadar|deci|vậy|do đó|jadi|maka|kwa hiyo|إذن|لذلك|لذا|לכן"
)
_JOINED = "(?:所以|因此|故|[则則]|于是|[综綜]上(?:所述)?|那[么麼]|よって|したがって|従って|ゆえに|だから|따라서|그러므로|그래서)"
"""Words for `hence`: those behind which a blank stands, and those of scripts without."""


def _spaced(pattern: str) -> str:
    return pattern.replace(" ?", r"\s{0,2}").replace(" ", r"\s{1,5}")


def _verb(verbs: str) -> str:
    """Return the pattern of a verb; where a blank ends it, a colon or emphasis may stand there, and a word for `hence` may follow."""
    bare = _spaced(f"(?:{verbs.removesuffix(' ')})")
    return rf"{bare}(?:(?=[:：*$])|\s{{1,5}}(?:(?:{_spaced(_HENCE)})\s{{1,5}})?)" if verbs.endswith(" ") else bare


_WORDS = tuple(word for words, _, _ in _LANGUAGES for word in words.split())
_NOUNS = _spaced("|".join(noun for _, noun, _ in _LANGUAGES))
_SAID = "|".join(rf"(?:{_spaced(noun)})\*{{0,3}}\s{{0,5}}{_verb(verbs)}" for _, noun, verbs in _LANGUAGES if verbs)
_INVERTED = _spaced("(?:ist|lautet|beträgt) die (?:endgültige |finale |richtige |korrekte )?antwort|is het (?:juiste )?antwoord")
_OTHER_LINE = re.compile(rf"{_BEFORE}{_EM}\s{{0,5}}(?:【?(?:{_NOUNS})】?)(?P<mark>{_SHUT}[:=：](?:__)?|(?<=】))", re.IGNORECASE)
_OTHER_HEAD = re.compile(rf"\s{{0,5}}(?:#{{1,6}}\s{{0,5}}\*{{0,3}}|\*{{2,3}})(?:{_NOUNS})\*{{0,3}}\s{{0,20}}", re.IGNORECASE)
_OTHER_INSIDE = re.compile(
    rf"(?:^[\s>#-]{{0,20}}|[,;:.!?—–(*_，。；：！？、।]\s{{0,5}}|{_JOINED}[，、,]?\s{{0,3}}|(?<!\w)(?:{_spaced(_HENCE)})\s{{1,5}})"
    rf"\**(?P<word>{_SAID}|(?:{_NOUNS})\*{{0,3}}\s{{0,5}}(?=[:：=])|(?<=[\s*])(?:{_INVERTED})(?=[\s:*]))\s{{0,5}}[:：=,、]?",
    re.IGNORECASE,
)
_OTHER_STOP = re.compile(r"[。！？।]")
_COPULA = re.compile(r"(?:です|である|だ|となります|になります|입니다|이다|이에요|예요)$")


def short(line: str) -> str | None:
    """Return what a line says behind `A:` or `答：`, which count only where no marker is found."""
    found = _SHORT.match(line)
    return None if found is None else line[found.end() :]


def marked(line: str) -> str | None:
    """Return what a line says behind its marker, or behind two that follow each other; empty where it says nothing, None where it has none."""
    if "nswer" in line or "NSWER" in line:
        found = _in_english(line)
        if found is not None:
            return found
    return _in_other_words(line)


def _in_english(line: str, *, again: bool = True) -> str | None:
    if _HEAD.fullmatch(line):
        return ""
    mark = _LINE.match(line)
    if mark is not None:
        rest = _behind(line, mark)
        if again and _LINE.match(rest):  # `Final Answer: The final answer is 42.`
            return _in_english(rest, again=False)
        return _sentence(rest) if "is" in mark["mark"].lower() else _HOPE.sub("", rest)
    inside = None
    for each in _INSIDE.finditer(line):
        inside = each
    return None if inside is None else _sentence(_emphasised(line, inside).strip())


def _in_other_words(line: str, *, again: bool = True) -> str | None:
    folded = line.casefold()
    if not any(word in folded for word in _WORDS):
        return None
    if _OTHER_HEAD.fullmatch(line):
        return ""
    mark = _OTHER_LINE.match(line)
    if mark is not None:
        rest = _behind(line, mark)
        said = _in_other_words(rest, again=False) if again else None  # `Respuesta final: La respuesta es 42.`
        return rest.removesuffix("。").removesuffix("।").strip() if said is None else said
    inside = None
    for each in _OTHER_INSIDE.finditer(line):
        inside = each
    if inside is None:
        return None
    rest = _sentence(_OTHER_STOP.split(_emphasised(line, inside), maxsplit=1)[0].strip())
    return _COPULA.sub("", rest).strip()


def _behind(line: str, mark: re.Match[str]) -> str:
    """Return what follows a marker that begins a line, without the end of an emphasis that began before it."""
    rest = line[mark.end() :].strip()
    opened = mark["em"] if mark["em"] and not mark["shut"] else ""
    if opened and rest.startswith(opened):
        rest = rest[len(opened) :].strip()
    elif opened and rest.removesuffix(".").endswith(opened):
        rest = rest.removesuffix(".")[: -len(opened)].strip()
    return "" if rest == opened else rest


def _emphasised(line: str, mark: re.Match[str]) -> str:
    """Return what follows a marker inside a sentence; where it stands in emphasis that is still open, up to its end: `so **the answer is 4**, not 5`."""
    rest = line[mark.end() :]
    start = mark.start("word")
    opened = None if "*" in mark["word"] else _OPENED.search(line[max(0, start - 60) : start])
    if opened is None or opened[1] not in rest:
        return rest
    within, _, behind = rest.partition(opened[1])
    return within if within.strip() else behind


def _sentence(text: str) -> str:
    """Return a text up to the end of its first sentence; the point of a decimal, an initial or an abbreviation ends none."""
    text = _HOPE.sub("", text)
    for stop in _STOP.finditer(text):
        if not _SHORTENED.search(text[max(0, stop.start() - 12) : stop.start()]):
            return text[: stop.start()]
    return text.removesuffix(".") if not text.endswith("..") else text
