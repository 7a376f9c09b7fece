"""One call: reserve, commit the intent, ask, commit the outcome. The order is what makes a kill at any moment harmless.

A committed answer of the same call is taken first (`committed`), then one of another call that may stand for it (a fork's parent, the
cache), and only then is the model asked. An intent is written shortly before the call has its place among those under way, so that a kill
leaves as `unknown` what may really have been sent and half as many again at most. This is the one place that calls a model. Knows the journal, the client, limits and
retries; does not know what is asked, why, or what a strategy makes of it.

    thought = await caller.call(intent, add)
"""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from reasoner.budget import Budget, Held, Price, Reserve, Spent, counted, spent_on, worst_case
from reasoner.calling.hearing import Hearing
from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.errors import Abandoned, ClientError, ContextTooLong, OutcomeUnknown, ReasonerError, RunBudgetExhausted, StreamCut
from reasoner.redaction import any_known, without_known
from reasoner.store import crash
from reasoner.store.interning import stored
from reasoner.store.refusals import DID_NOT_FIT
from reasoner.text import storable
from reasoner.types import Client, Completion, Request, Sampling, Selective, ToolCall, Usage

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from reasoner.calling.hearing import Heard
    from reasoner.calling.limiter import Limiter
    from reasoner.store.journal import Intent, Journal, Kept, Lost, ThoughtRow
    from reasoner.trajectory import Thought

    Add = Callable[[Completion], tuple[Thought, list[ThoughtRow]]]
    Earlier = Callable[[Intent], Kept | None]

Ending = Literal["failed", "unknown"]
OnUnknown = Literal["auto", "retry", "ask", "skip"]

ASK_ABOVE = 0.10
"""Dollars a lost call may have cost, above which `auto` asks before it is made again."""

HELD_WAIT_S = 0.1
"""How long a call waits before it looks again whether those under way have left it room in the run's budget, in seconds."""


@dataclass(slots=True)
class UnknownPolicy:
    """What to do with a call that was under way when its process ended, and may have been billed.

    `retry` makes it again, `ask` asks `confirm` once for the whole run (and stops where nobody can be asked), `skip` gives its trajectory
    up, and `auto` retries unless the call may have cost more than `ASK_ABOVE`.
    """

    mode: OnUnknown = "auto"
    confirm: Callable[[str], bool] | None = None
    _agreed: bool | None = None

    def check(self, lost: Lost, trajectory_id: str, *, free: bool) -> None:
        """Return when the call may be made again.

        Raises:
            OutcomeUnknown: it may not.
        """
        mode = self.mode
        if mode == "auto":
            mode = "ask" if not free and lost.cost is not None and lost.cost > ASK_ABOVE else "retry"
        if mode == "retry":
            return
        price = "" if lost.cost is None else f" (up to ${lost.cost:.4f})"
        what = f"call {lost.id} of trajectory {trajectory_id} was in flight when its process ended and may have been billed{price}"
        if mode == "ask" and self.confirm is not None:
            if self._agreed is None:
                self._agreed = self.confirm(f"{what}. Make this and other such calls again?")
            if self._agreed:
                return
        hint = '`on_unknown="retry"` makes such calls again'
        if mode == "skip":
            raise OutcomeUnknown(f"{what}; it was skipped", hint=hint)
        raise OutcomeUnknown(what, hint=f'{hint}, `on_unknown="skip"` gives up their trajectories', stops_run=True)


@dataclass(frozen=True, slots=True)
class Channel:
    """How a run reaches one model: the client, the limiter its calls go through, their price, and what is done about faults."""

    client: Client
    limiter: Limiter
    price: Price | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    on_unknown: UnknownPolicy = field(default_factory=UnknownPolicy)
    wanted: Callable[[], bool] | None = None
    """Whether the answers are still wanted, asked just before each call is begun; None is always yes."""
    renew: Callable[[Reserve], Awaitable[bool]] | None = None
    """Asked where the run's budget has no room for a call; True where it was raised. None raises nothing."""

    def check_wanted(self) -> None:
        """Raise `Abandoned` where nobody waits for an answer any more."""
        if self.wanted is not None and not self.wanted():
            raise Abandoned("the client has disconnected, so no call is begun", hint="the run is parked and can be resumed")


class Caller:
    """Makes the calls of one trajectory."""

    def __init__(
        self,
        channel: Channel,
        journal: Journal,
        budget: Budget,
        *,
        jitter: random.Random,
        earlier: Earlier | None = None,
        hear: Heard | None = None,
    ) -> None:
        """Make a caller.

        Args:
            channel: whom it calls, and how.
            journal: where calls are written down.
            budget: what they may use.
            jitter: the stream its waits are drawn from.
            earlier: gives an answer of another call that may stand for one about to be made, or None.
            hear: is told the pieces of answers as they come: the attempt's number, the part, the piece.
        """
        self.hear = hear
        self.others: dict[str, Caller] = {}
        """Callers of other models that the trajectory's strategy asks, by name."""
        self.client = channel.client
        self.limiter = channel.limiter
        self.journal = journal
        self.budget = budget
        self.committed, self._lost = journal.load()
        self._to_replay = {key: spent_on(kept.completion.usage, kept.completion.seconds) for key, kept in self.committed.items()}
        self._selective = self.client if isinstance(self.client, Selective) else None
        self._bounded = budget.limits.tokens is not None or budget.limits.cost is not None or journal.bounded()
        self.taken = 0
        self.made = 0
        self._channel = channel
        # Waits are drawn from a stream of their own: how often a server failed must not change what a strategy draws.
        self._jitter = jitter
        self._earlier = earlier

    def beside(self, channel: Channel, *, earlier: Earlier | None = None) -> Caller:
        """Return a caller of another model, for the same trajectory: it shares the journal, what is committed in it, and the budget."""
        other = copy.copy(self)
        other.hear, other.others, other.made, other.taken = None, {}, 0, 0
        other.client, other.limiter = channel.client, channel.limiter
        other._selective = channel.client if isinstance(channel.client, Selective) else None  # noqa: SLF001 - its own class
        other._channel, other._earlier = channel, earlier  # noqa: SLF001
        return other

    @property
    def all_made(self) -> int:
        """How many calls were made, those of other models included."""
        return self.made + sum(other.made for other in self.others.values())

    def check(self, wanted: Sampling) -> None:
        """Refuse what the user set and the model cannot be sent; raises `BadConfig` then."""
        if self._selective is not None:
            self._selective.check(wanted)

    def sampling_of(self, wanted: Sampling) -> Sampling:
        """Return a sampling as the model is sent it: only what is set, or every number, as the client declares."""
        return wanted.filled() if self._selective is None else self._selective.sampling(wanted, bounded=False)

    def replay(self, kept: Kept, key: str) -> Completion:
        """Take a committed answer; its usage, and what attempts before it may have cost, count as they did when it was made."""
        completion = kept.completion
        self._to_replay.pop(key, None)
        if kept.lost is not None:
            self.budget.lose(kept.lost, calls=kept.n_lost)
        used = spent_on(completion.usage, completion.seconds, taken=kept.source is not None)
        with self.budget.reserve(Reserve(used.tokens, used.cost)) as held:
            held.settle(used)
        return completion

    async def call(self, intent: Intent, add: Add) -> Thought:
        """Get the answer to a call that is not committed, and commit it with the thoughts that `add` makes of it.

        Raises:
            BudgetExhausted: it does not fit in the budget of the trajectory or of the run; nothing was asked.
            OutcomeUnknown: it was made before, may have been billed, and is not to be made again.
            Abandoned: nobody waits for the answer any more; nothing was asked.
            ClientError: the provider failed for good.
            StoreError: it could not be recorded.
        """
        if (kept := self._earlier(intent) if self._earlier else None) is not None:
            return await self._take(intent, kept, add)
        if (lost := self._lost.get(intent.request.key)) is not None:
            self._channel.on_unknown.check(lost, self.journal.trajectory_id, free=not self.client.paid)
            del self._lost[intent.request.key]
            self.budget.lose(lost.reserved, calls=lost.n)
        return await self._ask(intent, add)

    async def _take(self, intent: Intent, kept: Kept, add: Add) -> Thought:
        """Let another call's answer stand for this one's: it costs nothing, and its tokens count as if it had been asked."""
        usage = replace(kept.completion.usage, cost=0.0)
        completion = replace(kept.completion, usage=usage, seconds=0.0)
        used = spent_on(usage, 0.0, taken=True)
        with self.budget.reserve(Reserve(used.tokens, 0.0)) as held:
            held.settle(used)
            thought, rows = add(completion)
            self.taken += 1
            await self.journal.taken_from(intent, kept.source or 0, completion, rows)
        return thought

    async def _ask(self, intent: Intent, add: Add) -> Thought:
        free = not self.client.paid
        if self._bounded and self._selective is not None:
            # The bound is no part of the question, so it changes no key: a run that gets its budget later goes on with its answers.
            bound = self._selective.sampling(intent.request.sampling, bounded=True)
            intent = replace(intent, request=replace(intent.request, sampling=bound))
        reserve = worst_case(intent.request, self._channel.price, free=free)
        intent = replace(intent, reserved_tokens=reserve.tokens, reserved_cost=reserve.cost)
        with self._reserved(reserve) as held:
            attempt = _Attempt(self, self._channel, intent, held)
            try:
                raw = await with_retry(
                    attempt.make, self._channel.retry, rng=self._jitter, budget=self.limiter.retries, on_retry=attempt.failed
                )
            except StreamCut as cut:
                raw = cut.partial  # kept as what it is: truncated, and so recorded
            except (Abandoned, asyncio.CancelledError) as error:
                await asyncio.shield(attempt.close(str(error) or "cancelled", "failed" if attempt.started is None else "unknown"))
                raise
            except ClientError as error:
                held.settle(Spent(calls=1, seconds=attempt.seconds))
                if error.unknown_outcome:
                    self.budget.lose(reserve, calls=0)  # it is counted among the calls that were made
                why = f"{DID_NOT_FIT}{error}" if isinstance(error, ContextTooLong) else str(error)
                await attempt.close(why, "unknown" if error.unknown_outcome else "failed")
                raise
            except ReasonerError as error:
                await attempt.close(str(error), "unknown" if attempt.uncertain else "failed")
                raise
            settled = self._settled(raw, counted(raw, reserve), seconds=attempt.seconds, free=free)
            completion = settled if not raw.tokens or _tokens_may_stay(intent.request, raw, settled) else replace(settled, tokens="")
            held.settle(spent_on(completion.usage, completion.seconds))
            self.made += 1
            thought, rows = add(completion)
            await self.journal.done(attempt.call_id or 0, completion, rows, retries=attempt.retries, key=intent.request.key)
        return thought

    def _reserved(self, reserve: Reserve) -> Held:
        """Set a new call's worst case aside, beside the committed calls that were not come to yet.

        Branches that were under way at once come to their committed calls one after the other: without this, the first would ask for more
        than it was let ask when they were made.
        """
        waiting = [self.budget.hold(Reserve(spent.tokens, spent.cost)) for spent in self._to_replay.values()]
        try:
            return self.budget.reserve(reserve)
        finally:
            for held in waiting:
                held.release()

    def _settled(self, completion: Completion, usage: Usage, *, seconds: float, free: bool) -> Completion:
        """Bound the text, price the usage, and take the duration as seen from here when the client gave none."""
        cost = usage.cost
        if cost is None:
            cost = 0.0 if free else None
            if self._channel.price is not None:
                cost = self._channel.price.cost(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)
        priced = usage if cost == usage.cost else replace(usage, cost=cost)
        if not (completion.reasoning or completion.tool_calls or completion.opaque):
            text = without_known(storable(completion.text))
            return replace(completion, text=text, usage=priced, seconds=completion.seconds or seconds)
        turn = stored(completion.message())
        calls = tuple(ToolCall(without_known(one.id), without_known(one.name), without_known(one.arguments)) for one in turn.tool_calls)
        return replace(
            completion, text=without_known(turn.content), reasoning=without_known(turn.reasoning), tool_calls=calls,
            opaque=without_known(turn.opaque), usage=priced, seconds=completion.seconds or seconds,
        )  # fmt: skip


def _tokens_may_stay(request: Request, said: Completion, kept: Completion) -> bool:
    """Tell whether all that recorded tokens decode to is stored as it is: where a key was taken out of a text, its tokens would still spell it."""
    asked = (
        text
        for message in request.messages
        for text in (message.content, message.reasoning, *(call.arguments for call in message.tool_calls))
    )
    return said.message() == kept.message() and not (any_known() and any(without_known(text) != text for text in asked))


class _Attempt:
    """The attempts at one call: its row, when the first was sent, and whether the last may have been billed."""

    def __init__(self, caller: Caller, channel: Channel, intent: Intent, held: Held) -> None:
        self._caller = caller
        self._channel = channel
        self._intent = intent
        self._held = held
        self.uncertain = False
        self.call_id: int | None = None
        self.started: float | None = None
        self.retries = 0

    @property
    def seconds(self) -> float:
        """Seconds since the call was sent; 0 when it never was."""
        return 0.0 if self.started is None else time.monotonic() - self.started

    def failed(self, error: ReasonerError, *_: object) -> None:
        """Note an attempt that is followed by another."""
        self.retries += 1
        self.uncertain = not isinstance(error, ClientError) or error.unknown_outcome

    async def make(self) -> Completion:
        """Make one attempt: announce it, wait for a place, send it. While it waits to be asked again, or for room in the budget, it holds neither.

        A call is announced before it has its place, since the commit takes about as long as a quick answer; no more than `Limiter.line` lets
        are announced, and those that a kill finds waiting become `unknown` with those that were sent.
        """
        while True:
            async with self._caller.limiter.line:
                self._channel.check_wanted()
                if self.call_id is None:
                    self.call_id = await self._intend_with_room()
                elif self.uncertain:
                    self._held.repeat()
                    await self._caller.journal.repeat(self.call_id)
                    self.uncertain = False
                if self.call_id is not None:
                    async with self._caller.limiter.place(self._intent.reserved_tokens) as place:
                        self._channel.check_wanted()  # nothing is awaited from here until the client has the request
                        self.started = time.monotonic() if self.started is None else self.started
                        answer = await self._send(self._intent.request)
                        place.used(answer.usage.prompt_tokens + answer.usage.completion_tokens)
                        return answer
            await asyncio.sleep(HELD_WAIT_S)

    async def _send(self, request: Request) -> Completion:
        client = self._caller.client
        if (heard := self._caller.hear) is None:
            return await client.complete(request)
        hearing = Hearing(heard, self.retries)
        completion = await client.complete(replace(request, hear=hearing))
        hearing.tokens(completion)
        return completion

    async def _intend_with_room(self) -> int | None:
        """Commit the intent; where the run's budget has no room for it, have it raised, if it can be."""
        renew, reserve = self._channel.renew, Reserve(self._intent.reserved_tokens, self._intent.reserved_cost)
        while True:
            try:
                call_id = await self._intend()
            except RunBudgetExhausted:
                if renew is None or not await renew(reserve):
                    raise
                continue
            if call_id is not None or renew is None or not await renew(reserve):
                return call_id

    async def _intend(self) -> int | None:
        """Commit the intent. One that is cancelled meanwhile is committed all the same, so it is closed before the cancellation goes on."""
        commit = self._caller.journal.intent(self._intent)
        try:
            call_id = await asyncio.shield(commit)
        except asyncio.CancelledError:
            call_id = await commit
            if call_id is not None:
                await asyncio.shield(self._caller.journal.failed(call_id, "cancelled before it was sent", state="failed", retries=0))
            raise
        crash.passing("after_intent")
        return call_id

    async def close(self, error: str, state: Ending) -> None:
        """Commit that the call gave no answer, if it was announced at all."""
        if self.call_id is not None:
            await self._caller.journal.failed(self.call_id, error, state=state, retries=self.retries, seconds=self.seconds)
