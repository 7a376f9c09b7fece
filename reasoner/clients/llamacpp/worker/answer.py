"""One request under way: the prompt it begins with, what the scheduler advances, and the text that grows.

Knows when a thought begins and ends, so that a constraint, stop strings and a bound of the thought hold where they should. Does not decode.

    begun = Beginning.of(job, vocabulary)          # the prompt, with a thought opened or closed at its end where the request wants it
    answer = Answer(job, begun, sampler, model, vocabulary)
    answer.take(row) -> False                        # a token was drawn; the answer goes on
    answer.reply() -> {"text": "<think>9 + 1</think>10", "answer_at": None, "finish_reason": "stop", ...}
"""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass
from typing import Any

from reasoner.clients._thoughts import PAIRS, opened_by
from reasoner.clients.llamacpp.worker.model import Model
from reasoner.clients.llamacpp.worker.sampler import Sampler, logprob_of
from reasoner.clients.llamacpp.worker.thought import Frame, Thought, frame_of, wish_of
from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary
from reasoner.errors import BadConfig
from reasoner.types import Message

MAX_BLANKS = 4
"""Tokens of blanks that may stand between a thought and a constrained answer."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an answer begins with.

    `n_opening` tokens at its end stand behind the last message; `lead` is the tag of a thought that the prompt left open; `held` whether the
    constraint waits for its end.
    """

    tokens: list[int]
    n_opening: int
    lead: str
    held: bool
    frame: Frame | None
    budget: int | None

    @classmethod
    def of(cls, job: dict[str, Any], vocabulary: Vocabulary) -> Beginning:
        """Render the prompt of a request.

        Raises:
            BadConfig: the model is to think and cannot.
            BadTemplate: the chat template cannot be rendered.
            ContextTooLong: the prompt leaves no room for a single token, or less than was asked for.
        """
        messages = [Message.of_parts(role, content, parts) for role, content, parts in job["messages"]]
        frame = frame_of(vocabulary.template_source)
        wish = wish_of(job["sampling"].get("thinking", ""), vocabulary.template_source)
        constraint = job["constraint"]
        waits = constraint is not None and frame is not None and wish.is_on is not False and (wish.is_on is True or len(constraint) > 2)
        lead = ""

        def end(rendered: str) -> str:
            """Open or close a thought where the template left it otherwise than is wanted."""
            nonlocal lead, waits
            lead = opened_by(rendered)
            closes = wish.is_on is False or (constraint is not None and not waits)
            if lead and closes:
                closing, lead = f"\n{PAIRS[lead]}\n\n", ""
                return closing
            if lead or frame is None:
                return ""
            if rendered.rstrip().endswith(frame.closing.strip()):
                waits = False  # the template has closed it
                return ""
            if wish.is_on is False and not wish.variables:
                return frame.opening + frame.closing
            if waits:
                lead = frame.tag
                return frame.opening
            return ""

        spelt = "\n".join([str(job.get("tools") or ""), *(str(m.parts()) for m in messages)])
        variables = {**wish.variables, **({"tools": job["tools"]} if job.get("tools") else {})}
        room = min(job.get("room", 0), job["sampling"]["max_tokens"])
        prompt = vocabulary.tokens_of(messages, variables=variables, spelt=spelt, end=end, room=room)
        last = messages[-1].content.strip() if messages else ""
        opening = prompt.text.rpartition(last)[2] if last in prompt.text and last else ""
        return cls(prompt.tokens, len(vocabulary.tokenize(opening, special=True)), lead, waits, frame, wish.budget)


class Answer:
    """One request under way: what the scheduler advances, and the text that grows."""

    def __init__(self, job: dict[str, Any], begun: Beginning, sampler: Sampler, model: Model, vocabulary: Vocabulary) -> None:
        sampling = job["sampling"]
        self.number: int = job["id"]
        self.prompt = begun.tokens
        self.n_opening = begun.n_opening
        self.max_tokens = min(sampling["max_tokens"], model.n_ctx - len(begun.tokens))
        self.written: list[int] = []
        self.alone: bool = job.get("alone", False)
        self.discard_cache: bool = job.get("discard_cache", False)
        self.continued = bool(job.get("continued"))
        self.n_cached = 0
        self.is_told: bool = job.get("stream", False)
        """Whether its text is told while it grows."""
        self._n_told = 0
        self._begun = begun
        self._sampler = sampler
        self._model = model
        self._vocabulary = vocabulary
        self._kind: str = job["constraint"][0] if job["constraint"] else "none"
        self._stops: list[str] = sampling["stop"]
        self._longest_stop = max((len(stop) for stop in self._stops), default=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._finish_reason = ""
        self._error: BadConfig | None = None
        self._wants_mean: bool = sampling.get("logprobs", False)
        self._records: bool = sampling.get("tokens", False)
        self._logprobs: list[float] | None = [] if self._wants_mean or self._records else None
        self._last: tuple[int, float] | None = None
        """The token that ended the reply, with its log-probability."""
        self._pending: list[int] = []
        """Tokens that are to follow whatever the model would draw, one at a time: each gets its log-probability."""
        self._thought = Thought(begun.lead)
        if self._kind != "none" and not begun.held:
            self._thought.inside = False  # what is constrained from its beginning is no thought
        self._n_thought = 0
        self._n_blank = 0
        sampler.held = begun.held

    def take(self, row: int) -> bool:
        """Draw the next token and take those that must follow it; True when the answer is complete."""
        try:
            return self._take(row)
        except BadConfig as error:
            self._error = error
            return True

    def _take(self, row: int) -> bool:
        if self._pending:
            return self._given(row)
        if self._thought.inside and self._begun.budget is not None and self._n_thought >= self._begun.budget:
            return self._end_thought(row)
        started = time.perf_counter()
        token = self._drawn(row)
        self._model.native_s += time.perf_counter() - started
        if self._vocabulary.ends(token):
            if self._records:
                self._last = token, logprob_of(self._model.context, row, self._vocabulary.n_tokens, token)
            return self._end("stop")
        if self._logprobs is not None:
            self._logprobs.append(logprob_of(self._model.context, row, self._vocabulary.n_tokens, token))
            return self._add(token)
        if self._add(token):
            return True
        for forced in self._sampler.forced():
            self._sampler.accept(forced)
            if self._add(forced):
                return True
        return False

    def _drawn(self, row: int) -> int:
        context = self._model.context
        if not self._sampler.held:
            return self._sampler.draw(context, row)
        if self._thought.inside is False:
            # Behind the thought: blanks first, as the model likes, then what is constrained.
            token = self._sampler.look(context, row, lambda _: True)
            if self._n_blank < MAX_BLANKS and self._vocabulary.bytes_of(token).isspace():
                self._n_blank += 1
                self._sampler.accept(token)
                return token
            self._sampler.held = False
            return self._sampler.draw(context, row)
        token = self._sampler.look(context, row, self._keeps_thought)
        self._sampler.accept(token)
        return token

    def _keeps_thought(self, token: int) -> bool:
        """Tell whether a token neither ends the reply within the thought nor begins the answer in the same breath."""
        if self._vocabulary.ends(token):
            return False
        text = self._text + self._vocabulary.bytes_of(token).decode("utf-8", "replace")
        end = self._thought.end_in(text)
        return end is None or not text[end:].strip()

    def _given(self, row: int) -> bool:
        """Write the next of the tokens that have to follow."""
        token = self._pending.pop(0)
        self._sampler.accept(token)
        if self._logprobs is not None:
            self._logprobs.append(logprob_of(self._model.context, row, self._vocabulary.n_tokens, token))
        return self._add(token)

    def _end_thought(self, row: int) -> bool:
        """Write the end of the thought, which has used up its tokens."""
        assert self._begun.frame is not None
        tokens = self._vocabulary.tokenize(self._begun.frame.closing, special=True)
        if self._records and tokens:
            self._pending = list(tokens)
            return self._given(row)
        for token in tokens:
            self._sampler.accept(token)
            if self._add(token):
                return True
        return False

    def _add(self, token: int) -> bool:
        self.written.append(token)
        seen = max(self._thought.answer_at, len(self._text) - self._longest_stop + 1, 0)
        self._text += self._decoder.decode(self._vocabulary.bytes_of(token))
        if self._thought.inside is not False:
            self._n_thought += 1
            self._thought.follow(self._text)
        if self._thought.inside is False:
            found = [at for stop in self._stops if (at := self._text.find(stop, max(seen, self._thought.answer_at))) >= 0]
            if found:
                self._text = self._text[: min(found)]
                self._finish_reason = "stop"
                return True
        if self._sampler.complete:
            return self._end("stop")
        return self._end("length") if len(self.written) >= self.max_tokens else False

    def _end(self, reason: str) -> bool:
        self._text += self._decoder.decode(b"", final=True)
        self._finish_reason = reason
        return True

    def reply(self) -> dict[str, Any]:
        """Return the finished answer, or what kept it from being finished, as the parent is told it.

        `text` begins with the tag that the prompt left open; `answer_at` is where a constrained answer begins in it.
        """
        if self._error is not None:
            return {"event": "error", "kind": "BadConfig", "message": self._error.message, "hint": self._error.hint}
        mean = sum(self._logprobs) / len(self._logprobs) if self._logprobs and self._wants_mean else None
        answer_at = self._answer_at()
        return {
            "text": self._begun.lead + self._text,
            "answer_at": answer_at,
            "finish_reason": self._finish_reason,
            "prompt_tokens": len(self.prompt),
            "cached_tokens": self.n_cached,
            "completion_tokens": len(self.written),
            "reasoning_tokens": self._n_thought if self._thought.answer_at or self._thought.inside else 0,
            "constraint_applied": "none" if answer_at is None else self._kind,
            "mean_logprob": mean,
            "tokens": self._recorded() if self._records else None,
        }

    def _recorded(self) -> list[list[Any]]:
        """Return the ids of the prompt, those of the reply and their log-probabilities; of a reply that a stop string cut within a token, none."""
        ids, logprobs = list(self.written), list(self._logprobs or ())
        text = b"".join(map(self._vocabulary.bytes_of, ids)).decode("utf-8", "replace")
        while ids and len(text) > len(self._text):
            ids.pop()
            logprobs.pop()
            text = b"".join(map(self._vocabulary.bytes_of, ids)).decode("utf-8", "replace")
        if text != self._text:
            return [self.prompt, [], []]
        if self._last is not None:
            ids.append(self._last[0])
            logprobs.append(self._last[1])
        return [self.prompt, ids, logprobs]

    def piece(self) -> dict[str, Any] | None:
        """Return what the text has grown by and no stop string can take back; None where that is nothing. It begins with the open tag as `reply` does."""
        n_sure = len(self._text) - max(0, self._longest_stop - 1)
        if n_sure <= self._n_told:
            return None
        text = ("" if self._n_told else self._begun.lead) + self._text[self._n_told : n_sure]
        self._n_told = n_sure
        return {"text": text, "answer_at": self._answer_at()}

    def _answer_at(self) -> int | None:
        is_answer = self._kind != "none" and not self._sampler.held
        return len(self._begun.lead) + self._thought.answer_at if is_answer else None

    def close(self) -> None:
        """Free the samplers."""
        self._sampler.close()
