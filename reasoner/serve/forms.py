"""What every form of a page has to get past before it is taken, and the cookie that stands for the token afterwards.

    given = await forms.read(request, about="form 17")
    if given.problem: ...            # say it on the page
    return forms.taken("/view/KEY/t/9f3c", given)

The address of the pages lets one look and nothing else, so a form asks for the server's token, and a cookie stands for it from then on. Three things
keep forms of other sites out: a POST to a page needs the server's own Origin (`guard`), the cookie is `SameSite=Strict`, and the form holds a value
made from the secret and from what it is about. Knows HTTP; does not know what is decided or written.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse

from reasoner.serve.guard import TooLarge, same

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from reasoner.serve.settings import Settings

COOKIE = "reasoner_approver"
COOKIE_S = 12 * 3600
MAX_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Given:
    """A form that was sent: its fields, or what is wrong with it."""

    fields: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    known: bool = False
    """Whether the cookie came with it, so that no other is needed."""


class Forms:
    """The forms of one server's pages."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.token.encode()
        self._base = f"/view/{settings.page_key}"

    def values(self, request: Request, about: str) -> dict[str, Any]:
        """Return what a form needs: its secret value, and whether the token has to be typed in."""
        return {"csrf": self._made(about), "asks_token": not self._is_known(request)}

    async def read(self, request: Request, about: str) -> Given:
        """Return the fields of a form about something, or what is wrong with it."""
        try:
            text = (await request.body()).decode("utf-8", "replace")
            fields = {name: values[0] for name, values in parse_qs(text, max_num_fields=MAX_FIELDS).items()}
        except TooLarge:
            return Given(problem="The form is too long.")
        except ValueError:
            return Given(problem="The form has more fields than it should.")
        if not same(fields.get("csrf", ""), self._made(about)):
            return Given(problem="The form is not one of this server. Open the page again.")
        known = self._is_known(request)
        if not known and not same(fields.get("token", ""), self._secret.decode()):
            return Given(problem="The token is missing or wrong. It is the one 'reasoner serve' printed, or REASONER_TOKEN.")
        return Given(fields, known=known)

    def taken(self, place: str, given: Given) -> Response:
        """Answer a form that was taken: show the page at a place, and let the cookie stand for the token from now on."""
        answer = RedirectResponse(place, 303)
        if not given.known:
            answer.set_cookie(COOKIE, self._made("approver"), max_age=COOKIE_S, path=self._base, httponly=True, samesite="strict")
        return answer

    def _is_known(self, request: Request) -> bool:
        return same(request.cookies.get(COOKIE, ""), self._made("approver"))

    def _made(self, of: str) -> str:
        return hmac.new(self._secret, f"reasoner {of}".encode(), hashlib.sha256).hexdigest()
