"""The rules of IFEval count as its own evaluation counts; a language is told where it is certain and nowhere else."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from reasoner.grading import grader
from reasoner.grading.graders import _language
from reasoner.grading.graders._checks import CHECKS

CAPITAL, LOWER = (
    "THE TRAIN LEAVES AT SEVEN AND ARRIVES AT NINE IN THE MORNING.",
    "the train leaves at seven and arrives at nine in the morning.",
)

RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"id": "punctuation:no_comma"}, "no comma here", "one, here"),
    ({"id": "keywords:existence", "keywords": ["red", "blue"]}, "Redder and blue.", "rose and blue"),
    ({"id": "keywords:forbidden_words", "forbidden_words": ["bad"]}, "badly put", "too bad!"),
    ({"id": "keywords:frequency", "keyword": "la", "frequency": 3, "relation": "at least"}, "La lala", "la la"),
    ({"id": "keywords:letter_frequency", "letter": "q", "let_frequency": 2, "let_relation": "less than"}, "quiet", "Quiet, quick"),
    ({"id": "length_constraints:number_words", "num_words": 3, "relation": "at least"}, "don't go", "not now"),
    ({"id": "length_constraints:number_sentences", "num_sentences": 2, "relation": "less than"}, "One.", "One. Two."),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "a\n***\nb\n***", "a"),
    ({"id": "length_constraints:number_paragraphs", "num_paragraphs": 2}, "***a***b", "a\n***\n***\nb"),
    (
        {"id": "length_constraints:nth_paragraph_first_word", "num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "First.\n\n'Then, so.",
        "First.\n\n**Then** so.",
    ),
    ({"id": "detectable_content:number_placeholders", "num_placeholders": 2}, "[name] at [place]", "[name]"),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.S."}, "Bye.\nP. S. Write!", "Bye. PS"),
    ({"id": "detectable_content:postscript", "postscript_marker": "P.P.S"}, "Bye.\np.p.s Write!", "Bye.\nP.S. Write"),
    ({"id": "detectable_format:number_bullet_lists", "num_bullets": 2}, "* a\n- b\n**c**", "* a"),
    ({"id": "detectable_format:constrained_response"}, "Well. My answer is yes.", "my answer is yes."),
    ({"id": "detectable_format:number_highlighted_sections", "num_highlights": 2}, "*a* and **b**", "*a* and ****"),
    (
        {"id": "detectable_format:multiple_sections", "section_spliter": "Section ", "num_sections": 2},
        "Section 1 a Section 2 b",
        "Section 1 a",
    ),
    ({"id": "detectable_format:json_format"}, '```json\n{"a": 1}\n```', "{a}"),
    ({"id": "detectable_format:title"}, "<<A title>>\ntext", "<< >>"),
    ({"id": "combination:two_responses"}, "one******two******", "one******one"),
    ({"id": "combination:two_responses"}, "******one******two", "one******three******two"),
    ({"id": "combination:repeat_prompt", "prompt_to_repeat": "Say it."}, "Say it. Done.", "Done."),
    ({"id": "startend:end_checker", "end_phrase": "The end."}, 'So. "The end."', "The end. So."),
    ({"id": "startend:quotation"}, '"all of it"', '"half" of it'),
    ({"id": "change_case:capital_word_frequency", "capital_frequency": 2, "capital_relation": "at least"}, "NOW GO", "NOW go"),
    ({"id": "change_case:english_capital"}, CAPITAL, CAPITAL[:-2] + "g."),
    ({"id": "change_case:english_capital"}, CAPITAL, "DER ZUG FÄHRT UM SIEBEN UHR AB UND KOMMT UM NEUN UHR AM MORGEN AN."),
    ({"id": "change_case:english_lowercase"}, LOWER, LOWER.title()),
    ({"id": "change_case:english_lowercase"}, LOWER, "der zug fährt um sieben uhr ab und kommt um neun uhr am morgen an."),
    ({"id": "language:response_language", "language": "de"}, "Der Zug fährt um sieben Uhr ab und kommt um neun an.", LOWER),
]

TEXTS = {
    "en": "The old mill stands by the river, and every evening the children of the village come to watch the water.",
    "es": "El viejo molino está junto al río, y cada tarde los niños del pueblo vienen a mirar el agua que cae.",
    "pt": "O velho moinho fica ao lado do rio, e todas as tardes as crianças da aldeia vêm ver a água que não para de correr.",
    "fr": "Le vieux moulin se trouve au bord de la rivière, et chaque soir les enfants du village viennent regarder l'eau.",
    "it": "Il vecchio mulino si trova vicino al fiume, e ogni sera i bambini del paese vengono a guardare l'acqua che scorre.",
    "de": "Die alte Mühle steht am Fluss, und jeden Abend kommen die Kinder des Dorfes, um dem Wasser zuzusehen.",
    "pl": "Stary młyn stoi nad rzeką, a każdego wieczoru dzieci ze wsi przychodzą popatrzeć na płynącą wodę.",
    "fi": "Vanha mylly seisoo joen rannalla, ja joka ilta kylän lapset tulevat katsomaan virtaavaa vettä.",
    "sw": "Kinu cha zamani kipo kando ya mto, na kila jioni watoto wa kijiji huja kutazama maji yanayotiririka.",
    "vi": "Cối xay cũ đứng bên bờ sông, và mỗi buổi chiều trẻ em trong làng đến xem dòng nước chảy.",
    "ru": "Старая мельница стоит у реки, и каждый вечер дети из деревни приходят смотреть на воду.",
    "bg": "Старата мелница се намира до реката и всяка вечер децата от селото идват да гледат водата.",
    "uk": "Старий млин стоїть біля річки, і щовечора діти з села приходять дивитися на воду.",
    "ar": "تقع الطاحونة القديمة بجانب النهر، وفي كل مساء يأتي أطفال القرية لمشاهدة المياه الجارية.",
    "fa": "آسیاب قدیمی در کنار رودخانه است و هر عصر بچه‌های روستا می‌آیند تا آب را تماشا کنند.",
    "ur": "پرانی چکی دریا کے کنارے کھڑی ہے اور ہر شام گاؤں کے بچے بہتے پانی کو دیکھنے آتے ہیں۔",
    "he": "הטחנה הישנה עומדת ליד הנהר, ובכל ערב באים ילדי הכפר להביט במים הזורמים.",
    "hi": "पुरानी चक्की नदी के किनारे खड़ी है और हर शाम गाँव के बच्चे बहते पानी को देखने आते हैं।",
    "mr": "जुनी गिरणी नदीच्या काठावर उभी आहे आणि दररोज संध्याकाळी गावातील मुले वाहणारे पाणी पाहायला येतात.",
    "ne": "पुरानो घट्ट नदीको किनारमा छ र हरेक साँझ गाउँका बालबालिकाहरू बगिरहेको पानी हेर्न आउँछन्।",
    "bn": "পুরনো কলটি নদীর ধারে দাঁড়িয়ে আছে এবং প্রতিদিন সন্ধ্যায় গ্রামের শিশুরা জল দেখতে আসে।",
    "gu": "જૂની ઘંટી નદીના કિનારે ઊભી છે અને દરરોજ સાંજે ગામના બાળકો વહેતું પાણી જોવા આવે છે.",
    "pa": "ਪੁਰਾਣੀ ਚੱਕੀ ਨਦੀ ਦੇ ਕੰਢੇ ਖੜੀ ਹੈ ਅਤੇ ਹਰ ਸ਼ਾਮ ਪਿੰਡ ਦੇ ਬੱਚੇ ਵਗਦਾ ਪਾਣੀ ਦੇਖਣ ਆਉਂਦੇ ਹਨ।",
    "ta": "பழைய ஆலை ஆற்றங்கரையில் நிற்கிறது, ஒவ்வொரு மாலையும் கிராமத்துக் குழந்தைகள் தண்ணீரைப் பார்க்க வருகிறார்கள்.",
    "te": "పాత మిల్లు నది ఒడ్డున ఉంది, ప్రతి సాయంత్రం గ్రామంలోని పిల్లలు నీటిని చూడటానికి వస్తారు.",
    "kn": "ಹಳೆಯ ಗಿರಣಿ ನದಿಯ ದಡದಲ್ಲಿದೆ ಮತ್ತು ಪ್ರತಿ ಸಂಜೆ ಹಳ್ಳಿಯ ಮಕ್ಕಳು ನೀರನ್ನು ನೋಡಲು ಬರುತ್ತಾರೆ.",
    "ml": "പഴയ മിൽ നദിയുടെ തീരത്താണ്, എല്ലാ വൈകുന്നേരവും ഗ്രാമത്തിലെ കുട്ടികൾ വെള്ളം കാണാൻ വരുന്നു.",
    "th": "โรงสีเก่าตั้งอยู่ริมแม่น้ำ และทุกเย็นเด็กๆ ในหมู่บ้านจะมาดูน้ำไหล",
    "ko": "오래된 방앗간은 강가에 서 있고, 매일 저녁 마을 아이들이 흐르는 물을 보러 온다.",
    "ja": "古い水車小屋は川のそばに立っていて、毎晩村の子どもたちが流れる水を見に来ます。",
}
"""One sentence in each of the languages that IFEval asks for."""


@pytest.mark.parametrize(("rule", "holds", "fails"), RULES, ids=[f"{at} {rule['id']}" for at, (rule, _, _) in enumerate(RULES)])
def test_rules(rule: dict[str, Any], holds: str, fails: str) -> None:
    if rule["id"].startswith(("language:", "change_case:english")):
        pytest.importorskip("py3langid", reason="the extra tasks is not installed")
    gold = json.dumps([rule])
    assert grader("rules").check([gold]) == ""
    assert grader("rules").judge(holds, [gold]).correct is True
    assert grader("rules").judge(fails, [gold]).correct is False


def test_all_of_the_published_instructions_are_checked() -> None:
    assert len(CHECKS) == 25
    assert {rule["id"] for rule, _, _ in RULES} == CHECKS.keys()


def test_a_rule_that_cannot_be_checked_leaves_the_answer_unjudged_where_the_others_hold() -> None:
    bad = [
        '[{"id": "no:such_rule"}]', '[{"id": "keywords:existence"}]', "[", '[{"id": "language:response_language", "language": "xx"}]',
        '[{"id": "keywords:frequency", "keyword": "a", "frequency": 1, "relation": "x"}]',
    ]  # fmt: skip
    for gold in bad:
        assert grader("rules").judge("text", [gold]).correct is None
    both = json.dumps([{"id": "punctuation:no_comma"}, {"id": "startend:quotation"}])
    assert grader("rules").judge("no quotes", [both]).metrics == {"followed": 0.5}
    unknown = json.dumps([{"id": "no:such_rule"}, {"id": "punctuation:no_comma"}])
    assert grader("rules").judge("one, two", [unknown]).correct is False
    assert grader("rules").judge("one", [unknown]).metrics == {"followed": 0.5}


def test_languages_are_told_from_each_other() -> None:
    """Of a sentence in each language none is refused where it is asked for, nearly all are certain, and none is taken for another."""
    pytest.importorskip("py3langid", reason="the extra tasks is not installed")
    told = {code: _language.in_language(text, code) for code, text in TEXTS.items()}
    assert not [code for code, held in told.items() if held is False]
    assert sum(held is None for held in told.values()) <= 3, told
    taken = [(wanted, code) for wanted in TEXTS for code, text in TEXTS.items() if code != wanted and _language.in_language(text, wanted)]
    assert not taken


def test_a_language_that_is_not_certain_is_told() -> None:
    pytest.importorskip("py3langid", reason="the extra tasks is not installed")
    gold = json.dumps([{"id": "language:response_language", "language": "it"}])
    for text in ("Ok", "42", "...", "Si"):
        verdict = grader("rules").judge(text, [gold])
        assert (verdict.correct, "not certain" in verdict.reason) == (None, True)
    mixed = f"{TEXTS['it']}\n\n{TEXTS['en']}"
    assert grader("rules").judge(mixed, [gold]).correct is False
    assert _language.in_language(mixed, "en") is False
    assert _language.in_language(TEXTS["pt"], "pt-BR") is not False


def test_without_the_identifier_the_answer_is_not_judged_and_the_install_line_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    _language._identifier.cache_clear()
    gold = json.dumps([{"id": "language:response_language", "language": "it"}])
    verdict = grader("rules").judge(TEXTS["it"], [gold])
    _language._identifier.cache_clear()
    assert verdict.correct is None
    assert "py3langid is not installed" in verdict.reason
    assert "reasoner-llm[tasks]" in verdict.reason


def test_the_most_probable_language_is_not_taken_where_it_is_not_certain() -> None:
    assert _language.in_language("Pizza, pasta, vino.", "it") is None
    assert _language.in_language("Metro, bus, taxi.", "en") is None
