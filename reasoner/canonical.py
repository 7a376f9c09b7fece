"""One text for a value and one hash for texts: what identities of calls, problems and runs are made of.

canonical_json({"b": 1, "a": None})  ->  '{"a":null,"b":1}'
digest("ab", "c") != digest("a", "bc")
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
"""Made once, not at every value."""


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII. The same value always hashes alike."""
    return _canonical(value)


def digest(*parts: str) -> str:
    """Return the sha256 hex digest of the parts, each framed by its length so that no two lists collide."""
    framed = [b"%d:%b" % (len(data := part.encode("utf-8", "surrogatepass")), data) for part in parts]
    return hashlib.sha256(b"".join(framed)).hexdigest()


def digest_of(parts: Iterable[str]) -> str:
    """Return the same of parts that need not be held at once."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(b"%d:%b" % (len(data), data))
    return h.hexdigest()
