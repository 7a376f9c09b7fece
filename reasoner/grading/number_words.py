"""Words beside a number that make another number of it, or none: connectives, negations, comparisons, multiples, parts; in several languages.

    alters("thousand"), alters("tausend"), alters("以上"), alters("apples")   ->  True, True, True, False

`18 thousand` is no 18, nor is `18 or more`: where such a word stands, nothing was counted. Words of one letter are variables (`units`).
"""

from __future__ import annotations

import re

_ENGLISH = (
    "and or not to half halves quarter quarters third thirds fourth fourths fifth fifths sixth sixths seventh eighth eighths ninth tenth tenths hundredth "
    "hundredths thousandth thousandths minus plus negative point over times divided about less more than off factorial st nd rd th mod if but except "
    "without remainder r i e pi π x y z n squareroot sqrt root ago pairs pair score dozen hundred thousand million billion trillion bps basis ppm bc bce "
    "permille most least wrong incorrect approximately roughly because since"
)
_OTHERS = (
    # German
    "oder und nicht kein keine mehr weniger mindestens höchstens hundert tausend millionen mio milliarde milliarden mrd billionen dutzend halb halbe hälfte "
    "viertel drittel etwa ungefähr circa bis mal als falsch "
    # French
    "ou et pas non moins cents mille millions milliard milliards douzaine douzaines demi demie moitié tiers environ fois sauf paires faux "
    # Spanish, Portuguese, Italian
    "no ni menos más mas millon millón millones docena docenas mitad tercio tercios cuarto cuartos aproximadamente aprox veces que excepto pares "
    "ciento cientos máximo mínimo não mais milhão milhões bilhão bilhões dúzia dúzias meio meia metade terço vezes cerca meno più mila milione milioni miliardo "
    "miliardi dozzina dozzine mezzo mezza metà terzo terzi circa volte paia paio cento "
    # Dutch, Swedish, Danish, Norwegian, Finnish
    "en niet minder meer honderd duizend miljoen miljard dozijn halve helft kwart derde ongeveer keer maal eller och og inte ikke mindre mer mere fler flere "
    "hundra hundrede hundre tusen tusind miljon miljoner millioner miljarder dussin halv hälften cirka gånger tai ja ei enemmän vähemmän sata tuhat tuhatta "
    "miljoona miljoonaa miljardi tusina puoli noin kertaa kuin "
    # Russian, Ukrainian
    "или и не нет более больше менее меньше сто сотен сотни сотня тысяча тысячи тысяч тыс миллион миллиона миллионов млн миллиард миллиарда миллиардов млрд "
    "дюжина дюжин дюжины половина половиной половины треть четверть примерно около раз раза чем пар пары пара або та і більше менше тисяча тисячі мільйон "
    "мільйона мільйонів мільярд мільярди мільярдів приблизно разів ніж "
    # Polish, Czech, Romanian, Hungarian, Greek
    "lub albo oraz nie więcej mniej tysiąc tysiące tysięcy tys milion miliony milionów mln miliard miliardy miliardów mld tuzin pół połowa około razy niż nebo "
    "není více méně tisíc tisíce miliarda tucet půl asi krát než sau și nu mult puțin sute mii mie milioane miliarde duzini jumătate aproximativ decât vagy és "
    "nem több kevesebb száz ezer millió milliárd tucat fél körülbelül ή και όχι περισσότερο λιγότερο εκατό χιλιάδες χίλια εκατομμύρια εκατομμύριο δωδεκάδα μισό "
    "μισή περίπου φορές "
    # Turkish, Vietnamese, Indonesian, Swahili
    "veya ve değil fazla az yüz bin milyon milyar düzine buçuk yarım yaklaşık kat kez hoặc và không hơn kém trăm nghìn ngàn triệu tỷ tỉ tá rưỡi nửa khoảng lần "
    "atau dan bukan tidak lebih kurang ratus ribu juta miliar lusin setengah sekitar kali zaidi chini mia elfu milioni dazeni nusu takriban mara sio "
    # Arabic, Persian, Urdu, Hebrew, Hindi (words with vowel signs are never a unit)
    "أو و ليس لا أكثر أقل مئة مائة ألف آلاف الف مليون ملايين مليار نصف ربع ثلث دزينة تقريبا حوالي مرات مرة یا نه نیست بیشتر کمتر صد هزار میلیون میلیارد نیم لاکھ "
    "کروڑ نہیں زیادہ کم או לא יותר פחות מאה מיליון מיליארד חצי רבע שליש תריסר בערך אלף כפול कम लगभग "
    # wrong, in all of them
    "falsche falscher faux fausse incorrecta incorrecto incorrect incorrecte falsa falso errado errada sbagliata sbagliato fout onjuist fel felaktigt forkert feil "
    "väärin неверно неправильно ошибочно неправильна błędna niepoprawna špatně greșit rossz λάθος yanlış sai salah خطأ خاطئ غلط نادرست שגוי गलत"
)
_ALTERING = frozenset(f"{_ENGLISH} {_OTHERS}".split())
_JOINED = re.compile(
    "[的不非没沒无無或和及以约約多少倍半百万萬亿億兆割打双雙对對余餘几幾两兩错錯誤误]|千(?![克米瓦])|ない|なく|ません|または|から|まで|より|くらい|ぐらい|ほど|"
    "틀|이상|이하|미만|초과|아니|아님|또는|보다|정도|[약천만억조배쌍반]$"
)
"""The same in scripts that write no blanks between words: `18 个以上`."""


def alters(word: str) -> bool:
    """Tell whether a word, in lower case, makes another number of the one before it."""
    return word in _ALTERING or (not word.isascii() and _JOINED.search(word) is not None)
