"""Keys out of everything that is written: known key values, what looks like a key, and the query of a URL.

Whoever reads a key says so once (`remember`); the store's writer and the command line's output then pass what they write through
here. A known value is taken out of every text. What only looks like a key is taken out of messages, commands and output, never out of
prompts and replies in the database: a model's text is data, and the scan at export reports what is in it.

>>> redact("GET https://host/v1?api_key=abc&x=1 failed")
'GET https://host/v1?[redacted] failed'
>>> without_known("remembered nothing")
'remembered nothing'

Does not know where a key comes from, and does not find a key without a form that nobody remembered.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import NamedTuple
from urllib.parse import quote

REDACTED = "[redacted]"
MIN_SECRET_CHARS = 12
"""A shorter value is a placeholder such as `x` or `none`, which servers without keys are given; taking it out would spoil texts."""

_lock = threading.Lock()
_known: tuple[str, ...] = ()


class SecretForm(NamedTuple):
    """What one kind of secret looks like. The scan of exports looks for `pattern`; what is written of our own is cleaned of `loose`."""

    kind: str
    pattern: str
    marks: tuple[str, ...]
    """Texts without one of which a text cannot hold it; empty where there are none."""
    loose: str = ""
    """A wider form where one may be wrong rather than miss a key; empty where the pattern does."""


SECRET_FORMS: tuple[SecretForm, ...] = (
    SecretForm(
        "private key",
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----",
        ("PRIVATE KEY",),
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\]{0,8000}-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----)?",
    ),
    SecretForm("aws key", r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b", ("AKIA", "ASIA", "AROA", "AIDA")),
    SecretForm(
        "github token",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_[A-Za-z0-9_]{22,255}",
    ),
    SecretForm(
        "gitlab token",
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[A-Za-z0-9_.-]{20,128}",
        ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "glimt-"),
    ),
    SecretForm(
        "model provider key",
        r"\b(?:xai-[A-Za-z0-9]{60,100}|pplx-[A-Za-z0-9]{40,64}|r8_[A-Za-z0-9]{37}|fw_[A-Za-z0-9]{22,48}|tgp_v1_[A-Za-z0-9_-]{40,64}|csk-[a-z0-9]{40,64}"
        r"|nvapi-[A-Za-z0-9_-]{60,72}|tvly-(?:dev-|prod-)?[A-Za-z0-9]{28,48}|pcsk_[A-Za-z0-9_]{40,90}|lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"
        r"|jina_[A-Za-z0-9]{50,72}|llx-[A-Za-z0-9]{40,64}|e2b_[0-9a-f]{40}|wandb_v1_[A-Za-z0-9_]{40,90}|rpa_[A-Z0-9]{40,56}|fc-[0-9a-f]{32}"
        r"|sk_[0-9a-f]{48}|AQ\.[A-Za-z0-9_-]{40,64}|ABSK[A-Za-z0-9+/]{100,140}={0,2}|api_org_[A-Za-z]{34})",
        (
            "xai-",
            "pplx-",
            "r8_",
            "fw_",
            "tgp_v1_",
            "csk-",
            "nvapi-",
            "tvly-",
            "pcsk_",
            "lsv2_",
            "jina_",
            "llx-",
            "e2b_",
            "wandb_v1_",
            "rpa_",
            "fc-",
            "sk_",
            "AQ.",
            "ABSK",
            "api_org_",
        ),
    ),
    SecretForm(
        "service token",
        r"\b(?:shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}|do[or]_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}(?:-\d)?|GOCSPX-[A-Za-z0-9_-]{28}|rubygems_[0-9a-f]{48}|dckr_pat_[A-Za-z0-9_-]{27}"
        r"|hvs\.[A-Za-z0-9_-]{24,120}|lin_api_[A-Za-z0-9]{40}|ntn_[A-Za-z0-9]{43,50}|secret_[A-Za-z0-9]{43}|figd_[A-Za-z0-9_-]{40}"
        r"|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|NRAK-[A-Z0-9]{27}|sntry[su]_[A-Za-z0-9+/=_-]{60,300}|sbp_[0-9a-f]{40}"
        r"|sb_secret_[A-Za-z0-9_-]{30,48}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}|dp\.(?:pt|st|ct)\.[A-Za-z0-9._-]{40,64}|ATATT3[A-Za-z0-9_=-]{100,220}"
        r"|nfp_[A-Za-z0-9]{36}|HRKU-[A-Za-z0-9_-]{36,66}|whsec_[A-Za-z0-9+/]{32,64}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}|ph[cx]_[A-Za-z0-9]{40,48}"
        r"|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}|\d{8,10}:AA[A-Za-z0-9_-]{33}|key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}|ops_eyJ[A-Za-z0-9_-]{100,900}"
        r"|AGE-SECRET-KEY-1[0-9A-Z]{58}|xapp-\d-[A-Z0-9]{8,16}-\d{8,16}-[0-9a-f]{64})|AccountKey=[A-Za-z0-9+/]{86}==",
        (
            "shpat_",
            "shpss_",
            "shpca_",
            "shppa_",
            "doo_v1_",
            "dor_v1_",
            "dapi",
            "GOCSPX-",
            "rubygems_",
            "dckr_pat_",
            "hvs.",
            "lin_api_",
            "ntn_",
            "secret_",
            "figd_",
            "PMAK-",
            "glsa_",
            "NRAK-",
            "sntrys_",
            "sntryu_",
            "sbp_",
            "sb_secret_",
            "pscale_",
            "dp.",
            "ATATT3",
            "nfp_",
            "HRKU-",
            "whsec_",
            "sq0",
            "phc_",
            "phx_",
            "re_",
            ":AA",
            "key-",
            "-us",
            "ops_eyJ",
            "AGE-SECRET-KEY-1",
            "xapp-",
            "AccountKey=",
        ),
    ),
    SecretForm(
        "api key",
        r"\bsk-(?:ant-|proj-|or-v1-|live-|svcacct-)?[A-Za-z0-9_-]{20,200}|\bgsk_[A-Za-z0-9]{20,100}",
        ("sk-", "gsk_"),
        r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]{1,12}[-_]){0,3}[A-Za-z0-9_-]{16,256}|\bgsk_[A-Za-z0-9]{20,100}",
    ),
    SecretForm("hugging face token", r"\bhf_[A-Za-z0-9]{30,64}\b", ("hf_",), r"\bhf_[A-Za-z0-9]{20,64}"),
    SecretForm(
        "slack token",
        r"\bxox[abposre]-[A-Za-z0-9-]{10,200}|https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}",
        ("xox", "hooks.slack"),
    ),
    SecretForm(
        "google key",
        r"\bAIza[0-9A-Za-z_-]{35}|\bya29\.[0-9A-Za-z_-]{20,300}",
        ("AIza", "ya29."),
        r"\bAIza[0-9A-Za-z_-]{30,40}|\bya29\.[0-9A-Za-z_-]{20,300}",
    ),
    SecretForm("stripe key", r"\b[rsp]k_(?:live|test)_[0-9A-Za-z]{16,120}", ("k_live_", "k_test_")),
    SecretForm(
        "package token",
        r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[A-Za-z0-9_-]{50,300}|\bdop_v1_[0-9a-f]{64}\b|\bSG\.[\w-]{16,32}\.[\w-]{16,64}",
        ("npm_", "pypi-", "dop_v1_", "SG."),
    ),
    SecretForm("json web token", r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}", ("eyJ",)),
)
"""The one table of what keys look like, for everything that is written and for the scan of exports."""

_FORMS = re.compile("|".join(form.loose or form.pattern for form in SECRET_FORMS))
_NAMED = re.compile(
    r"(?i)(\b(?:authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic)?|bearer"
    r"|(?:x-)?api[_-]?key[\"']?\s{0,3}[:=]|access[_-]token[\"']?\s{0,3}[:=]|--api[_-]?key[ =])\s{0,3}[\"']?)[A-Za-z0-9+/=_.~-]{8,512}"
)
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@'\"]{1,512}@")
_QUERY = re.compile(r"(?i)(\bhttps?://[^\s?#'\"]{1,2048}\?)[^\s'\"#]{1,4096}")


def remember(secret: str) -> None:
    """Have a key's value taken out of everything that is written from now on. Values of fewer than 12 characters are not."""
    global _known  # noqa: PLW0603 - the one list, for the writers of this process
    if len(secret) < MIN_SECRET_CHARS:
        return
    spelt = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
    with _lock:
        # The longest first: one spelling may hold another.
        _known = tuple(sorted({*_known, *spelt}, key=len, reverse=True))


def is_variable_name(text: str) -> bool:
    """Tell whether a text can be the name of an environment variable and does not look like the key itself, given by mistake."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", text) is not None and redact(text) == text


def names_variables(text: str) -> bool:
    """Tell whether a text names variables that hold keys, and no key: `NAME`, or `NAME,host=OTHER`."""
    return all(is_variable_name(part.strip().rpartition("=")[2]) for part in text.split(",")) and redact(text) == text


def any_known() -> bool:
    """Tell whether a key was remembered at all."""
    return bool(_known)


def without_known(text: str) -> str:
    """Return the text without the values that were remembered; the text itself when it holds none."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, REDACTED)
    return text


def unfinished(text: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a remembered value."""
    return max((n for secret in _known for n in range(min(len(secret) - 1, len(text)), 0, -1) if text.endswith(secret[:n])), default=0)


def redact(text: str) -> str:
    """Return the text without remembered values, credentials and queries in URLs, and what has the form of a key."""
    text = without_known(text)
    if "://" in text:
        text = _QUERY.sub(rf"\1{REDACTED}", _USERINFO.sub(rf"\1{REDACTED}@", text))
    return _NAMED.sub(rf"\1{REDACTED}", _FORMS.sub(REDACTED, text))
