"""Texts with planted keys and personal data, and harmless texts that look like them: made anew from a seed, none was ever valid.

    planted_keys(150)[0] -> ("model provider key", "The key is xai-..., keep it.")

The forms are those the issuers document; numbers and addresses follow the rules of their countries.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
AROUND = (
    "{}", "Use {} for now.", "Ask me anything.\nkey: {}\nThanks!", 'config = {{"token": "{}"}}', "Step 1\n1: 9 -> 10 (9 + 1 = 10)\nBy the way: {}\nAnswer: 9 -> 10",
    "export SERVICE={}",
)  # fmt: skip
SAID = ("You can write to Ann: {}", "Customer note: {} (checked twice).", "My details are {}, please do not share them.", "{}")
FORMS: tuple[tuple[str, str, int, str], ...] = (
    # before, alphabet, how many, behind
    ("sk-proj-", ALNUM, 48, ""), ("sk-ant-api03-", ALNUM + "_-", 90, "AA"), ("sk-ant-oat01-", ALNUM, 80, ""), ("sk-or-v1-", HEX, 64, ""), ("sk-svcacct-", ALNUM, 60, ""),
    ("sk-", HEX, 32, ""), ("gsk_", ALNUM, 52, ""), ("xai-", ALNUM, 80, ""), ("pplx-", ALNUM, 48, ""), ("r8_", ALNUM, 37, ""), ("fw_", ALNUM, 24, "9"),
    ("tgp_v1_", ALNUM, 43, ""), ("csk-", string.ascii_lowercase + string.digits, 48, ""), ("nvapi-", ALNUM, 64, ""), ("tvly-dev-", ALNUM, 32, ""), ("pcsk_", ALNUM, 60, ""),
    ("lsv2_pt_", HEX, 32, "_0123456789"), ("jina_", ALNUM, 60, ""), ("llx-", ALNUM, 48, ""), ("e2b_", HEX, 40, ""), ("rpa_", UPPER, 46, ""), ("fc-", HEX, 32, ""),
    ("sk_", HEX, 48, ""), ("AQ.", ALNUM, 50, ""), ("hf_", string.ascii_letters, 34, ""), ("AKIA", UPPER, 16, ""), ("ABSK", ALNUM, 110, "=="), ("AIza", ALNUM, 35, ""),
    ("GOCSPX-", ALNUM, 28, ""), ("ghp_", ALNUM, 36, ""), ("github_pat_", ALNUM, 22, "_" + "a1B2" * 14), ("glpat-", ALNUM, 20, ""), ("gldt-", ALNUM, 20, ""),
    ("xoxb-", string.digits, 12, "-123456789012-AbCdEfGhIjKlMnOpQrStUvWx"), ("sk_live_", ALNUM, 24, ""), ("whsec_", ALNUM, 32, ""), ("npm_", ALNUM, 36, ""),
    ("pypi-AgEIcHlwaS5vcmc", ALNUM, 80, ""), ("rubygems_", HEX, 48, ""), ("dckr_pat_", ALNUM, 27, ""), ("hvs.", ALNUM, 24, ""), ("lin_api_", ALNUM, 40, ""), ("ntn_", ALNUM, 46, ""),
    ("figd_", ALNUM, 40, ""), ("glsa_", ALNUM, 32, "_0a1b2c3d"), ("NRAK-", UPPER, 27, ""), ("sbp_", HEX, 40, ""), ("shpat_", HEX, 32, ""), ("dop_v1_", HEX, 64, ""), ("dapi", HEX, 32, ""),
    ("dp.pt.", ALNUM, 43, ""), ("nfp_", ALNUM, 36, ""), ("phc_", ALNUM, 43, ""), ("SG.", ALNUM, 22, "." + "aB3-" * 10 + "xyz"), ("key-", HEX, 32, ""), ("123456789:AA", ALNUM, 33, ""),
    ("postgres://admin:", ALNUM, 18, "7@db.internal:5432/main"), ("eyJhbGciOiJIUzI1NiJ9.eyJ", ALNUM, 40, "." + "aB3_" * 10), ("password = ", ALNUM, 16, "7"), ("API_KEY=", ALNUM, 28, "5"),
    ("Authorization: Bearer ", ALNUM, 40, "8"), ("AccountKey=", ALNUM, 86, "=="),
)  # fmt: skip


def some(rng: random.Random, letters: str, n: int) -> str:
    return "".join(rng.choices(letters, k=n))


def planted_keys(n: int, seed: int = 1) -> list[tuple[str, str]]:
    """Return (kind, text) of n texts with a key, each form as often as the others."""
    rng = random.Random(seed)
    made = []
    for number in range(n):
        before, letters, length, behind = FORMS[number % len(FORMS)]
        made.append(("secret", rng.choice(AROUND).format(before + some(rng, letters, length) + behind)))
    return made


def planted_data(n: int, seed: int = 2) -> list[tuple[str, str]]:
    """Return (kind, text) of n texts with personal data."""
    rng = random.Random(seed)
    kinds = list(_DATA)
    return [(kind, rng.choice(SAID).format(_DATA[kind](rng))) for number in range(n) for kind in [kinds[number % len(kinds)]]]


def harmless(n: int, seed: int = 3) -> list[str]:
    """Return n texts that hold none of it: maths, code, versions, hashes, identifiers, prose."""
    rng = random.Random(seed)
    return [_HARMLESS[number % len(_HARMLESS)](rng) for number in range(n)]


def _digits(rng: random.Random, n: int) -> str:
    return rng.choice("23456789") + some(rng, string.digits, n - 1)


def _phone(rng: random.Random) -> str:
    area, office, line = _digits(rng, 3), _digits(rng, 3), some(rng, string.digits, 4)
    return rng.choice(
        [
            f"({area}) {office}-{line}", f"{area}-{office}-{line}", f"{area}.{office}.{line}", f"+1 {area} {office} {line}", f"+49 30 {_digits(rng, 4)} {_digits(rng, 4)}",
            f"+44 20 {_digits(rng, 4)} {_digits(rng, 4)}", f"+33 6 {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)} {_digits(rng, 2)}", f"phone {area}{office}{line}",
            f"call me on {area}{office}{line}", f"030 {_digits(rng, 4)} {_digits(rng, 4)}", f"1-{area}-{office}-{line} ext. 12",
        ]
    )  # fmt: skip


def _card(rng: random.Random) -> str:
    body = "4" + some(rng, string.digits, 14)
    doubled = [int(d) if i % 2 else (2 * int(d) - 9 if int(d) > 4 else 2 * int(d)) for i, d in enumerate(body)]
    number = body + str(-sum(doubled) % 10)
    return number if rng.random() < 0.5 else " ".join(number[at : at + 4] for at in range(0, 16, 4))


def _iban(rng: random.Random) -> str:
    bban = some(rng, string.digits, 18)
    check = 98 - int(f"{bban}131400") % 97
    return f"DE{check:02d}{bban}"


def _address(rng: random.Random) -> str:
    name = rng.choice(["Maple", "Old Mill", "Jackson", "High", "St. John", "Washington"])
    number = rng.randint(1, 9999)
    return rng.choice(
        [
            f"{number} {name} {rng.choice(['Street', 'St', 'Avenue', 'Rd', 'Lane', 'Drive', 'Blvd'])}, Springfield, IL {_digits(rng, 5)}",
            f"{number} N {name} Ave Apt {rng.randint(1, 40)}, Portland, OR {_digits(rng, 5)}-{_digits(rng, 4)}",
            f"{rng.randint(1, 200)} {name} Road, London SW{rng.randint(1, 9)} {rng.randint(1, 9)}AB",
            f"{rng.choice(['Goethe', 'Haupt', 'Bahnhof'])}straße {rng.randint(1, 120)}, {_digits(rng, 5)} Berlin",
            f"Lindenweg {rng.randint(1, 50)}a, {_digits(rng, 5)} Köln",
        ]
    )


def _ip(rng: random.Random) -> str:
    return ".".join(str(rng.randint(11, 254)) for _ in range(4))


_DATA: dict[str, Callable[[random.Random], str]] = {
    "e-mail": lambda rng: (
        f"{some(rng, string.ascii_lowercase, 6)}.{some(rng, string.ascii_lowercase, 7)}@{some(rng, string.ascii_lowercase, 5)}.example.org"
    ),
    "phone": _phone,
    "postal address": _address,
    "card": _card,
    "iban": _iban,
    "social security number": lambda rng: f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",
    "ip address": _ip,
}


def _n(rng: random.Random, most: int = 10**10) -> int:
    return rng.randint(1, most)


_HARMLESS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: f"The answer is {_digits(rng, 10)}.",
    lambda rng: f"Answer: {_digits(rng, 10)}",
    lambda rng: f"{_n(rng)} + {_n(rng)} = {_n(rng)}",
    lambda rng: f"x = {_digits(rng, 16)} and y = {_digits(rng, 13)}",
    lambda rng: f"20! = {_digits(rng, 19)}, which ends in {_n(rng, 9)} zeros",
    lambda rng: f"5 +{_digits(rng, 9)} = {_digits(rng, 9)}",
    lambda rng: f"so {_n(rng, 999)}-{_n(rng, 999)}-{_n(rng, 9999)} = {_n(rng, 99)}",
    lambda rng: f"\\boxed{{{_digits(rng, 10)}}}",
    lambda rng: f"#### {_digits(rng, 10)}",
    lambda rng: f"commit {some(rng, HEX, 40)}",
    lambda rng: f"sha256 {some(rng, HEX, 64)}",
    lambda rng: f"id {some(rng, HEX, 8)}-{some(rng, HEX, 4)}-4{some(rng, HEX, 3)}-a{some(rng, HEX, 3)}-{some(rng, HEX, 12)}",
    lambda rng: f"version {_n(rng, 20)}.{_n(rng, 30)}.{_n(rng, 9)} of the package, section 1.2.{_n(rng, 9)}.1",
    lambda rng: f"pi is 3.141592653589793 and {_n(rng, 99)} / 7 is {_n(rng, 99) / 7}",
    lambda rng: f"def path_pattern(key_name, token_count={_n(rng, 99)}): return re_match(key_name)",
    lambda rng: f"sk_learn_model = fw_config(secret_santa=True, n={_n(rng, 99)})",
    lambda rng: f"dp.append(dp[{_n(rng, 9)}]); monkey-patch the key-value store for us",
    lambda rng: f"Tom lives at {_n(rng, 99)} Oak Street and walks {_n(rng, 999)} m to Elm Road.",
    lambda rng: f"A train leaves Main Street at {_n(rng, 12)}:30 with {_n(rng, 99)} people; tickets 00123 to 0{_n(rng, 999)}.",
    lambda rng: f"ISBN 978-0-{_n(rng, 999):03d}-{_n(rng, 99999):05d}-{_n(rng, 9)}",
    lambda rng: f"on 2026-11-{rng.randint(10, 29)} at 12:{rng.randint(10, 59)}:07, {_n(rng, 99)} pages",
    lambda rng: f"The password has to be changed every {_n(rng, 99)} days; the secret is patience.",
    lambda rng: f"The key idea: pair {_n(rng, 99)} with {_n(rng, 99)}, a token for each bearer of a card.",
    lambda rng: f"https://example.org/a/b?c={_n(rng, 999)}#section-{_n(rng, 99)}",
    lambda rng: f"import numpy as np; x = np.zeros(({_n(rng, 999)}, {_n(rng, 999)})) @ y",
    lambda rng: f"@dataclass\ndef f(a: int) -> int:\n    return a ** {_n(rng, 99)}",
    lambda rng: f"1: {_n(rng, 99)} -> {_n(rng, 99)} ({_n(rng, 99)} * 2 = {_n(rng, 99)})\n2: 16. In (17, 9)",
    lambda rng: f"coordinates 52.520{_n(rng, 999)}, 13.404{_n(rng, 999)} and 0x{some(rng, HEX, 8)}",
    lambda rng: f"Population: {_n(rng, 9)},{_n(rng, 899) + 100},{_n(rng, 899) + 100} in 2020 and {_digits(rng, 7)} in 2021",
    lambda rng: f"[{', '.join(str(_n(rng, 9999)) for _ in range(12))}]",
)
