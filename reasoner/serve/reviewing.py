"""The page of a run's translations, worst first, with a form under each in which a person edits it, says that it is right, or takes the edit back.

What a form has to get past is in `forms`. Knows HTTP and edits; does not know what a page looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from reasoner.api.review import reviewed, take_edit
from reasoner.errors import BadConfig, UnknownName
from reasoner.store.edits import MAX_EDIT_CHARS, remove_edit

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from reasoner.serve.forms import Forms
    from reasoner.store import Store


def page_values(store: Store, forms: Forms | None, request: Request, run: str, *, page: int, per_page: int) -> dict[str, Any]:
    """Return what the page of a run's translations needs; without `forms` it takes no edit.

    Raises:
        BadConfig: the run has no translation.
        UnknownName: there is no such run.
    """
    made = reviewed(store, run)
    rows = made.rows[page * per_page : (page + 1) * per_page]
    given = {row.id: forms.values(request, _about(row.id)) for row in rows} if forms else {}
    return {
        "run": made.run_id, "rows": rows, "forms": given, "page": page, "per_page": per_page, "n": len(made.rows), "max_edit": MAX_EDIT_CHARS,
        "n_edited": sum(bool(row.edited) for row in made.rows),
    }  # fmt: skip


async def take(
    store: Store, forms: Forms, request: Request, trajectory_id: str, *, base: str, refused: Callable[[str], Response]
) -> Response:
    """Take the form of a translation and show its page again; `refused` answers with what is wrong."""
    given = await forms.read(request, _about(trajectory_id))
    if given.problem:
        return await run_in_threadpool(refused, given.problem)
    what, page = given.fields.get("do", ""), given.fields.get("page", "")
    text = given.fields.get("machine" if what == "right" else "edited", "")
    try:
        if what == "remove":
            await run_in_threadpool(lambda: remove_edit(store, trajectory_id))
        elif what in {"save", "right"}:
            await run_in_threadpool(lambda: take_edit(store, trajectory_id, text))
        else:
            return await run_in_threadpool(refused, "Choose one of the three.")
    except (BadConfig, UnknownName) as error:
        said = f"{error.message}: {error.hint}." if error.hint else error.message
        return await run_in_threadpool(refused, said.replace("`", ""))
    run = given.fields.get("run", "")
    at = f"?page={page}" if page.isdecimal() and len(page) < 8 else ""
    place = f"{base}/run/{run}/review{at}#{trajectory_id}" if run.isalnum() and trajectory_id.isalnum() else f"{base}/"
    return forms.taken(place, given)


def _about(trajectory_id: str) -> str:
    return f"edit {trajectory_id}"
