"""The sha256 of a large file, remembered by path, size and time of change so that gigabytes are not hashed at every start.

Knows one small JSON file in the user's cache directory; works without it where it cannot be written. Does not know what is in the
files it hashes.

    file_sha256(Path("model.gguf")) -> "9f86d081884c7d65..."
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from reasoner.clients.llamacpp.caches import user_cache
from reasoner.errors import BadConfig

MAX_REMEMBERED = 256
MAX_CACHE_BYTES = 1 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}")


def file_sha256(path: Path, *, remember: bool = True) -> str:
    """Return the sha256 of a file as 64 hex digits; `remember` is False for one that gets another name soon.

    Raises:
        BadConfig: the file cannot be read.
    """
    try:
        stat = path.stat()
        key = f"{path.absolute()}|{stat.st_size}|{stat.st_mtime_ns}"
        known = _load()
        if key in known:
            return known[key]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadConfig(f"the file {path} cannot be read: {error.strerror}", hint="name a readable file") from error
    if remember:
        _save({**known, key: found})
    return found


def cache_file() -> Path:
    """Return where the hashes are remembered."""
    return user_cache() / "gguf-sha256.json"


def _load() -> dict[str, str]:
    try:
        with cache_file().open("rb") as file:
            found = json.loads(file.read(MAX_CACHE_BYTES))
    except (OSError, ValueError, BadConfig, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str) and _DIGEST.fullmatch(value)}


def _save(known: dict[str, str]) -> None:
    text = json.dumps(dict(list(known.items())[-MAX_REMEMBERED:]), indent=0)
    try:
        target = cache_file()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=".gguf-", delete=False, encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, target)  # noqa: PTH105 - the name is text already
    except (OSError, BadConfig):
        return  # no home, or not writable: the next start hashes again
