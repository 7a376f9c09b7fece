"""What an adapter file says of itself: the base it belongs to, and what it was trained on.

    check_base(base, adapter, base_path, adapter_path)                 # refuses an adapter that was trained over another file
    read_card(adapter) -> {"base": {"name": ..., "sha256": ...}, "data": {...}, "options": {...}, "training": {...}}

Knows the metadata keys that `reasoner tune` writes; an adapter of other origin has none of them, and is taken as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.gguf_header import GgufHeader, shown
from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

BASE_SHA256 = "reasoner.base.sha256"
BASE_NAME = "general.base_model.0.name"
CARD = "reasoner.card"


def base_name(header: GgufHeader, path: Path) -> str:
    """Return what a model file calls itself, the file's name where it says nothing."""
    return str(header.values.get("general.name") or path.stem)


def named_with_adapter(name: str) -> tuple[str, Path | None]:
    """Return a model's name without the adapter that it names, and the adapter: `local+mine.gguf`, `base.gguf+mine.gguf`; None where it names none.

    A file whose own name has a `+` is that file.
    """
    if not Path(name).expanduser().is_file():
        for at, sign in enumerate(name):
            base = name[:at]
            if sign == "+" and (base == "local" or (base.lower().endswith(".gguf") and Path(base).expanduser().is_file())):
                return base, Path(name[at + 1 :])
    return name, None


def check_base(base: GgufHeader, adapter: GgufHeader, base_path: Path, adapter_path: Path) -> None:
    """Refuse an adapter over a file that it was not trained on.

    Raises:
        BadConfig: the sha256 in the adapter is another; the message names both models.
    """
    wanted = adapter.values.get(BASE_SHA256)
    if not isinstance(wanted, str) or wanted == (found := file_sha256(base_path)):
        return
    trained_on = shown(str(adapter.values.get(BASE_NAME, "unnamed")))
    raise BadConfig(
        f"the adapter {adapter_path} was trained on {trained_on} (sha256 {shown(wanted[:12])}…), and {base_path} is "
        f"{shown(base_name(base, base_path))} (sha256 '{found[:12]}'…)",
        hint="use the adapter with the very file it was trained on",
    )


def read_card(adapter: GgufHeader) -> dict[str, Any] | None:
    """Return what an adapter says of its data and training, None where it says nothing that can be read."""
    text = adapter.values.get(CARD)
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def trained_form(card: dict[str, Any] | None) -> str:
    """Return the form of the weights an adapter was trained and checked on, as its card says; that of the file itself where it says nothing."""
    base = card.get("base") if card is not None else None
    found = base.get("form") if isinstance(base, dict) else None
    return shorten(clean(found), 40) if isinstance(found, str) else "as-is"
