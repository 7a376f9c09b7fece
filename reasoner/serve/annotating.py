"""The form of a trajectory's page in which a person writes a label and a note, changes them or removes them.

What a form has to get past is in `forms`. Knows HTTP and annotations; does not know what a page looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from reasoner.errors import BadConfig, UnknownName
from reasoner.store.annotations import MAX_LABEL_CHARS, MAX_NOTE_CHARS, annotate, labels, remove_annotation

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from reasoner.serve.forms import Forms
    from reasoner.store import Store


def form_values(store: Store, forms: Forms, request: Request, trajectory_id: str) -> dict[str, Any]:
    """Return what the form of a trajectory needs: its secret value, whether it asks for the token, bounds, and the labels in use."""
    given = forms.values(request, f"annotate {trajectory_id}")
    return given | {"labels": labels(store), "max_label": MAX_LABEL_CHARS, "max_note": MAX_NOTE_CHARS}


async def take(
    store: Store, forms: Forms, request: Request, trajectory_id: str, *, place: str, refused: Callable[[str], Response]
) -> Response:
    """Take a form about a trajectory and show the page at `place`; `refused` draws the page again with what is wrong."""
    given = await forms.read(request, f"annotate {trajectory_id}")
    if given.problem:
        return await run_in_threadpool(refused, given.problem)
    what, label, note = (given.fields.get(name, "") for name in ("do", "label", "note"))
    try:
        if what == "remove":
            await run_in_threadpool(lambda: remove_annotation(store, trajectory_id))
        elif what == "save":
            await run_in_threadpool(lambda: annotate(store, trajectory_id, label=label, note=note))
        else:
            return await run_in_threadpool(refused, "Choose one of the two.")
    except (BadConfig, UnknownName) as error:
        said = f"{error.message}: {error.hint}." if error.hint else error.message
        return await run_in_threadpool(refused, said.replace("`", ""))
    return forms.taken(place, given)
