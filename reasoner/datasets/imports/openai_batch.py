"""Output of OpenAI's batch interface, joined with its input by `custom_id`: give the folder that holds both.

Source: OpenAI documentation, "Batch API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.imports import _values as v
from reasoner.datasets.imports._seam import Importer, NoRequest, Transcript, Unusable
from reasoner.datasets.imports.openai_completion import ASKED, answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class OpenaiBatch(Importer):
    """Requests and answers of a batch, one a line, in two files."""

    name: ClassVar[str] = "openai-batch"
    summary: ClassVar[str] = "OpenAI batch output, with the input file beside it"

    def finds(self, row: Mapping[str, Any]) -> int:
        """Tell a row by its id and what else it holds."""
        return 80 if "custom_id" in row and ("response" in row or "body" in row) else 0

    def read(self, row: dict[str, Any]) -> Iterator[Transcript]:
        """Keep a request, or read an answer to one."""
        place = v.text(row["custom_id"])
        if isinstance(row.get("body"), dict):
            self.context.requests[place] = row["body"]
            return
        response = row.get("response")
        body = response.get("body") if isinstance(response, dict) else None
        if (
            row.get("error")
            or not isinstance(response, dict)
            or response.get("status_code") not in (None, 200)
            or not isinstance(body, dict)
        ):
            raise Unusable("the batch says that the request failed")
        request = self.context.requests.get(place)
        if request is None:
            raise NoRequest("its request is in the input file of the batch, which was not read (give the folder that holds both)")
        yield from answers(body, v.first(request, ASKED), facts={"custom_id": place, "id": row.get("id")}, request=request)
