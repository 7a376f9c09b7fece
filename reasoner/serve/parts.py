"""What a message's content holds in the OpenAI formats: text and images.

    content_of([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}}], "messages.0")
    -> ("What is this?", ("data:image/png;base64,...",))

Images are `data:` URIs: nothing is ever fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.serve.faults import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TEXT_CHARS = 1_000_000
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_IMAGES = ("image_url", "input_image")


def content_of(content: str | Sequence[Any] | None, where: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of a content, its parts joined by line ends, and its images.

    Raises:
        Refused: a part is of another kind.
    """
    if content is None or isinstance(content, str):
        return content or "", ()
    texts: list[str] = []
    images: list[str] = []
    for at, part in enumerate(content):
        place = f"{where}.content.{at}"
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind in _TEXTS and isinstance(part.get(_TEXTS[kind]), str):
            texts.append(part[_TEXTS[kind]])
        elif kind in _IMAGES:
            given = part.get("image_url")
            images.append(image_of(given.get("url") if isinstance(given, dict) else given, place))
        else:
            raise invalid(
                f"{place}: a part is 'text' or 'image_url', and this is {str(kind)[:40]!r}", param=place, code="unsupported_content"
            )
    return "\n".join(texts), tuple(images)


def image_of(url: Any, where: str) -> str:
    """Return the `data:` URI of an image.

    Raises:
        Refused: it is none.
    """
    if not isinstance(url, str) or not url.startswith("data:image/") or ";base64," not in url[:100]:
        raise invalid(
            f"{where}: an image is a 'data:image/…;base64,…' URI; nothing is fetched from an address",
            param=where,
            code="unsupported_content",
        )
    return url
