"""Rows as tokens, and batches of them: nearly equal lengths together, so that little is padded; the same seed, the same batches.

    encode(tokenizer, row) -> Encoded(tokens=(1, 9690, ...), n_prompt=21)
    batches(lengths, size=8, seed=0, epoch=0) -> [[4, 17, ...], ...]

Knows tokens and indices; knows no model.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.clients._thoughts import PAIRS, opened_by, split
from reasoner.clients.llamacpp.worker.thought import frame_of
from reasoner.errors import DataError
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reasoner.tune.rows import Row

POOL_BATCHES = 16
"""Within so many batches' worth of shuffled rows, rows are sorted by length."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as tokens; the loss is taken on those behind the first `n_prompt`."""

    tokens: tuple[int, ...]
    n_prompt: int
    worse: tuple[int, ...] = ()
    """The same prompt with the reply that was rejected, of a preference."""
    good: bool = True
    """Whether the reply is a good one, of a label."""

    @property
    def n_tokens(self) -> int:
        """The tokens that go through the model."""
        return len(self.tokens) + len(self.worse)


def encode(tokenizer: Any, row: Row) -> Encoded:
    """Turn a row into tokens; of a preference both replies."""
    made = _encode(tokenizer, row)
    if row.rejected is None:
        return replace(made, good=row.good)
    other = _encode(tokenizer, row.rejected)
    if other.tokens[: other.n_prompt] != made.tokens[: made.n_prompt]:
        raise DataError("the two replies do not follow the same prompt")
    return replace(made, worse=other.tokens)


def _encode(tokenizer: Any, row: Row) -> Encoded:
    """Turn a row into tokens: the prompt by the chat template, then the thought, the reply and the token that ends it."""
    messages = json.loads(row.messages) if row.messages else [{"role": role, "content": text} for role, text in row.prompt]
    offered = {"tools": json.loads(row.tools)} if row.tools else {}
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **offered)
    turn: dict[str, Any] = {"role": "assistant", "content": row.completion}
    if row.thought:
        turn |= {"reasoning_content": row.thought, "thinking": row.thought}
    if row.calls:
        turn["tool_calls"] = json.loads(row.calls)
    whole = tokenizer.apply_chat_template([*messages, turn], tokenize=False, **offered)
    if row.calls:
        return _with_calls(tokenizer, prompt, whole, turn)
    reply = row.completion.strip()
    begin = whole.rfind(reply)
    if begin < 0 and not row.thought and (parts := split(row.completion)).reasoning:
        return _encode(tokenizer, replace(row, completion=parts.text, thought=parts.reasoning))  # tags that the template writes anew
    behind = whole[begin + len(reply) :] if begin >= 0 else ""
    said = row.completion
    if row.thought:
        written = whole[len(prompt) : begin + len(reply)] if begin >= 0 and whole.startswith(prompt) else ""
        said = written if row.thought.strip() in written else _with_thought(row, prompt, tokenizer.chat_template)
    asked = tokenizer(prompt, add_special_tokens=False).input_ids
    learned = tokenizer(said, add_special_tokens=False).input_ids
    return Encoded((*asked, *learned, *_ending(tokenizer, behind)), len(asked))


def _with_calls(tokenizer: Any, prompt: str, whole: str, turn: dict[str, Any]) -> Encoded:
    """Return a reply that calls tools, as the template writes it; what it writes behind the last control token is never generated.

    Raises:
        DataError: the template shows no calls, or writes the prompt otherwise once a reply follows.
    """
    said = whole[len(prompt) :] if whole.startswith(prompt) else ""
    if not all(call["function"]["name"] in said for call in turn["tool_calls"]):
        raise DataError("the chat template of the base does not show calls of tools", hint="leave such rows out with `submissions=False`")
    asked = tokenizer(prompt, add_special_tokens=False).input_ids
    learned = tokenizer(said.rstrip(), add_special_tokens=False).input_ids
    if learned[-1:] and learned[-1] not in set(tokenizer.all_special_ids):
        learned = [*learned, tokenizer.eos_token_id]
    return Encoded((*asked, *learned), len(asked))


def _with_thought(row: Row, prompt: str, template: str) -> str:
    """Write the thought before the reply as the model frames it, where its template leaves it out or the prompt has opened it."""
    if tag := opened_by(prompt):
        opening, closing = "", f"\n{PAIRS[tag]}\n\n"
    else:
        frame = frame_of(template)
        opening, closing = (frame.opening, frame.closing) if frame else ("<think>\n", "\n</think>\n\n")
    return f"{opening}{row.thought.strip()}{closing}{row.completion}"


def _ending(tokenizer: Any, behind: str) -> list[int]:
    """Return the tokens that end a turn: what the template writes behind the reply, to the first token that is not blank.

    Where it writes nothing but blanks the turn ends with the end token of the vocabulary. What comes after the end token is never generated.
    """
    end = behind.lstrip()
    blanks = behind[: len(behind) - len(end)] if end else ""
    closing = tokenizer(end, add_special_tokens=False).input_ids[:1] if end else [tokenizer.eos_token_id]
    return [*tokenizer(blanks, add_special_tokens=False).input_ids, *closing] if blanks else closing


def encode_all(tokenizer: Any, rows: Sequence[Row], path: Path, *, n_ctx: int) -> list[Encoded]:
    """Encode all rows.

    Raises:
        DataError: a row is longer than the context; the message names the first and counts them.
    """
    made = []
    for number, row in enumerate(rows, start=1):
        try:
            made.append(encode(tokenizer, row))
        except DataError as error:
            raise DataError(f"row {number} of {path}: {error}", hint=error.hint) from error
    longest = [max(len(row.tokens), len(row.worse)) for row in made]
    over = [(number, length) for number, length in enumerate(longest, start=1) if length > n_ctx]
    if over:
        number, length = over[0]
        raise DataError(
            f"{len(over)} of {len(rows)} rows of {path} are over the context of {n_ctx} tokens (row {number} has {length})",
            hint=f"raise `n_ctx`, or export with `max_tokens` {n_ctx}",
        )
    return made


def batches(lengths: Sequence[int], *, size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the batches of one epoch as lists of indices; every index once."""
    rng = random.Random(int(digest("batches", str(seed), str(epoch)), 16))
    order = list(range(len(lengths)))
    rng.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), size * POOL_BATCHES):
        pool = sorted(order[start : start + size * POOL_BATCHES], key=lambda index: lengths[index])
        made += [pool[at : at + size] for at in range(0, len(pool), size)]
    rng.shuffle(made)
    return made
