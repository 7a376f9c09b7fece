"""Doctors' notes about tumours, invented: diagnosis, ICD-10 code, date of first diagnosis, side, metastases; and what is not meant.

    "Mrs Nora Egger was diagnosed with malignant melanoma of the trunk on 2019-03-04."  ->  diagnosis, first_diagnosed

Every note speaks of one tumour that is treated now. A document has difficulty 1 to 5 (the family's level 1 asks one field of the first). From 3 on other dates stand in it, and fields may be missing; from 4 on tumours that were
ruled out, or that relatives had; at 5 one that was cured before, and the code has to be chosen from a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from solvers import _documents as documents
from solvers._documents import Form

if TYPE_CHECKING:
    import random
    from datetime import date

DATES, CODES, OTHER_DATES, OTHERS, LISTED = 1, 2, 3, 4, 5
MISSING_SHARE = 0.25
N_LISTED = 5


class Tumour(NamedTuple):
    """One diagnosis with its ICD-10 code; `who` is the sex it is found in (empty: both), `paired` says whether there is a left and a right."""

    code: str
    name: str
    who: str = ""
    paired: bool = False


TUMOURS = (
    Tumour("C15.5", "carcinoma of the lower third of the oesophagus"),
    Tumour("C16.0", "adenocarcinoma of the gastric cardia"),
    Tumour("C18.7", "carcinoma of the sigmoid colon"),
    Tumour("C20", "carcinoma of the rectum"),
    Tumour("C22.0", "hepatocellular carcinoma"),
    Tumour("C25.0", "carcinoma of the head of the pancreas"),
    Tumour("C32.0", "carcinoma of the glottis"),
    Tumour("C34.1", "carcinoma of the upper lobe of the lung", paired=True),
    Tumour("C34.3", "carcinoma of the lower lobe of the lung", paired=True),
    Tumour("C43.5", "malignant melanoma of the trunk"),
    Tumour("C43.7", "malignant melanoma of the leg", paired=True),
    Tumour("C50.4", "carcinoma of the upper outer quadrant of the breast", "woman", paired=True),
    Tumour("C50.2", "carcinoma of the upper inner quadrant of the breast", "woman", paired=True),
    Tumour("C53.9", "carcinoma of the cervix", "woman"),
    Tumour("C54.1", "carcinoma of the endometrium", "woman"),
    Tumour("C56", "carcinoma of the ovary", "woman", paired=True),
    Tumour("C61", "carcinoma of the prostate", "man"),
    Tumour("C62.9", "seminoma of the testis", "man", paired=True),
    Tumour("C64", "renal cell carcinoma", paired=True),
    Tumour("C67.9", "carcinoma of the bladder"),
    Tumour("C71.1", "glioblastoma of the frontal lobe", paired=True),
    Tumour("C73", "carcinoma of the thyroid gland"),
    Tumour("C83.3", "diffuse large B-cell lymphoma"),
    Tumour("C90.0", "multiple myeloma"),
)
RELATIVES = ("mother", "sister", "aunt", "grandmother")
FIRST = "the date of the first diagnosis, YYYY-MM-DD"
PARTIAL = f"{FIRST}, or YYYY-MM where no day is said{documents.POINTS}"


def note(rng: random.Random, level: int) -> dict[str, Any]:
    """Draw a note, the fields that are asked for, and what is right."""
    woman = rng.random() < 0.5
    (patient,) = documents.people(rng, 1, woman=woman)
    known = [each for each in TUMOURS if each.who in {"", "woman" if woman else "man"}]
    tumour, *others = rng.sample(known, N_LISTED)
    first, visit = documents.days(rng, 2, 2015, 2024)
    form = Form("doctor's note")
    sentences: list[str] = []
    dated = level < OTHER_DATES or rng.random() > MISSING_SHARE
    side = rng.choice(("left", "right")) if tumour.paired and level >= OTHERS and rng.random() < 0.7 else ""
    coded = level in {CODES, OTHER_DATES, OTHERS} and (level == CODES or rng.random() > MISSING_SHARE)
    form.ask("diagnosis", "the tumour that is treated now, in the words of the note, without its side", tumour.name,
             because=f"the note says {tumour.name}")  # fmt: skip
    if level in {CODES, OTHER_DATES, OTHERS}:
        because = f"{tumour.code} stands behind it" if coded else "no code is given for it, so null"
        form.ask("icd10", "its ICD-10 code as the note gives it", tumour.code if coded else None, because=because)
    elif level >= LISTED:
        listed = sorted([tumour, *others])
        described = "; ".join(f"{each.code} {each.name}" for each in listed)
        form.ask("icd10", f"its ICD-10 code, one of: {described}", tumour.code, enum=[each.code for each in listed],
                 because=f"{tumour.name} is {tumour.code} in the list")  # fmt: skip
    said, value = _said(rng, first, level, dated=dated)
    form.ask("first_diagnosed", PARTIAL if level >= OTHERS else FIRST + (documents.POINTS if level > DATES else ""), value, format="partial-date",
             because=f"it was found {said}{'' if str(value) in said else f', which is {value}'}" if dated else "no date is given for it, so null")  # fmt: skip
    shown = tumour.name + (f" on the {side} side" if side else "") + (f" (ICD-10 {tumour.code})" if coded else "")
    sentences.append(
        rng.choice((f"{patient.title} was diagnosed with {shown}{' ' + said if dated else ''}.", f"{patient.title}: {shown}{', first diagnosed ' + said if dated else ', under treatment'}."))
    )  # fmt: skip
    if level >= OTHERS:
        form.ask("side", "the side of the tumour", side or None, enum=["left", "right"], because=f"it is on the {side} side" if side else "no side is said, so null")  # fmt: skip
    sentences += _around(rng, patient, visit, level)
    if level >= OTHERS:
        sentences += _not_meant(rng, patient, others)
    if level >= LISTED:
        _metastases(rng, form, sentences)
        sentences.append(_cured(rng, patient, others[-1], first.year))
    head, rest = sentences[0], sentences[1:]
    rng.shuffle(rest)
    at = rng.randint(0, len(rest)) if level >= OTHERS else 0
    return form.task(" ".join([*rest[:at], head, *rest[at:]]))


def _said(rng: random.Random, first: date, level: int, *, dated: bool) -> tuple[str, str | None]:
    """Return the date of first diagnosis as the note says it, and as it is asked for."""
    if not dated:
        return "", None
    if level >= OTHERS and rng.random() < 0.3:
        return f"in {documents.MONTHS[first.month - 1]} {first.year}", first.isoformat()[:7]
    return f"on {documents.written(rng, first, plain=level == DATES)}", first.isoformat()


def _around(rng: random.Random, patient: documents.Person, visit: date, level: int) -> list[str]:
    """Return sentences with other dates, which are those of no diagnosis."""
    if level < OTHER_DATES:
        return [
            rng.choice((f"{patient.subject} feels well.", f"{patient.their} general condition is good.", "Treatment goes on as planned."))
        ]
    born = documents.days(rng, 1, 1938, 1985)[0]
    return [
        f"{patient.subject} was born on {documents.written(rng, born)}.",
        f"{patient.subject} was last seen in our clinic on {documents.written(rng, visit)}.",
    ]


def _not_meant(rng: random.Random, patient: documents.Person, others: list[Tumour]) -> list[str]:
    """Return sentences about tumours that the patient does not have."""
    ruled_out, in_family = others[0], others[1]
    relatives = RELATIVES if in_family.who != "man" else ("father", "brother", "uncle")
    return [
        rng.choice((
            f"A {ruled_out.name} ({ruled_out.code}) was suspected at first and has been ruled out.",
            f"There is no evidence of a {ruled_out.name} ({ruled_out.code}).",
        )),
        f"{patient.their} {rng.choice(relatives)} had a {in_family.name} in {rng.randint(1985, 2012)}.",
    ]  # fmt: skip


def _metastases(rng: random.Random, form: Form, sentences: list[str]) -> None:
    found = rng.choice((True, False, None))
    where = rng.choice(("liver", "lung", "bone"))
    if found:
        sentences.append(f"The scan shows metastases in the {where}.")
    elif found is False:
        sentences.append(rng.choice(("No metastases have been found.", f"Metastases in the {where} were excluded.")))
    because = {True: f"the scan shows some in the {where}", False: "they were looked for and not found", None: "nothing is said, so null"}
    form.ask("metastases", "whether there are metastases", found, type_="boolean", because=because[found])


def _cured(rng: random.Random, patient: documents.Person, before: Tumour, year: int) -> str:
    return f"{patient.subject} had a {before.name}, first diagnosed in {rng.randint(year - 14, year - 5)}, which is regarded as cured."
