"""The visible check of an answer, made as an action: what the statement lets anybody check, and never whether the answer is right.

seen = await checked(session, "Answer: 9 -> 10", thought)        seen.passed, seen.told
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.solver import Seen
from reasoner.tools.check import FAILED, PASSED

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.trajectory import Thought

CHECK = "check"
"""The tool a strategy that checks needs."""
MAX_TOLD_CHARS = 4000


async def checked(session: Session, text: str, thought: Thought) -> Seen:
    """Check an answer; the check is recorded below its thought. A check that could not be made counts as not passed, and says why."""
    done = await session.act(CHECK, {"answer": text}, parent=thought)
    passed = session.succeeded(done) and done.text.startswith(PASSED)
    session.mark(done, status="kept" if passed else "pruned")
    told = done.text.removeprefix(PASSED if passed else FAILED)
    return Seen(passed, told[:MAX_TOLD_CHARS])
