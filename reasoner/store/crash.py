"""A seam for tests: the process kills itself with SIGKILL at a named place of the journal.

`REASONER_CRASH_AT=after_intent:3` kills it when it passes that place for the third time (`:1` when no number is given). Without the
variable a place costs one comparison. The places are the edges at which a crash could matter:

    in_migration    the schema is changed, its transaction not yet committed
    before_intent   a call is about to be announced
    after_intent    it is announced and committed, not yet sent
    before_done     it is answered, the answer not yet in the journal
    in_done         the answer is written, its transaction not yet committed
    after_done      the answer is committed, the strategy has not seen it
    before_action         an action is about to be announced
    after_action_intent   it is announced and committed, its tool not yet called
    before_action_done    the tool has given its result, the result not yet in the journal
    in_action_done        the result is written, its transaction not yet committed
    after_action_done     the result is committed, the strategy has not seen it
    in_close        the verdict is written, its transaction not yet committed
    before_seal     a shard's segment is about to be written
    in_seal         it is written to local disk, not yet copied
    after_seal      it is copied and verified
    in_grant        a shard was granted more of the run's budget, its own file does not say so yet
"""

from __future__ import annotations

import os
import signal

POINTS = ("in_migration", "before_intent", "after_intent", "before_done", "in_done", "after_done", "in_close")
ACTION_POINTS = ("before_action", "after_action_intent", "before_action_done", "in_action_done", "after_action_done")
"""Those that only a run with tools passes."""
SHARD_POINTS = ("before_seal", "in_seal", "after_seal", "in_grant")
"""Those that only a shard passes (the last one only with a budget of the run)."""

_wanted, _, _count = os.environ.get("REASONER_CRASH_AT", "").partition(":")
_left = int(_count) if _count.isdigit() else 1


def passing(point: str) -> None:
    """Tell that the process passes a place; it may not come back."""
    global _left  # noqa: PLW0603 - a count of this process
    if point == _wanted:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
