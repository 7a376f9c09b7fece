"""What goes into a question, and what may be left out of it where it does not fit in the model's context.

A strategy says which of its template's lists may lose entries, and from which end; worked examples may always be left out.

    await session.ask("iot/guide", turns=turns, truncatable={"turns": "oldest"})

    less([], {"turns": [1, 2, 3, 4]}, {"turns": "oldest"})  -> ([], {"turns": [3, 4]})

Half of each goes, however long the prompt was: what is asked second depends on the question alone and not on a server's words, so that
a replay finds it. A strategy may write all its shorter forms down instead, one example less from each to the next; the numbers of a refusal
then say which of these is asked next, and a replay looks for all of them. Knows lists and messages; knows no strategy and no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.errors import ContextTooLong

End = Literal["oldest", "last"]
"""Which entries of a list go first: the oldest (a dialogue), or the last (examples, the best of which come first)."""


MARGIN = 0.98
"""How much of what should fit is taken: the characters of a prompt do not all have the same share of its tokens."""
CAUTION = 0.8
"""A form that was chosen by numbers and refused is followed by one of at most this length."""
MOST_ROOM = 3
"""The room for an answer is at most the context divided by this."""


def next_form(size_of: Callable[[int], int], n: int, refused: int, error: ContextTooLong, *, room: int) -> int:
    """Return which of n forms, each shorter than the one before, to ask after one was refused: the longest that should fit, else the last.

    `size_of` gives the characters of a form, `room` the tokens to leave for the answer. Where the refusal says no numbers, the first form
    of half the length is taken.
    """
    share = 0.5
    if error.prompt_tokens and error.context_tokens:
        share = MARGIN * (error.context_tokens - min(room, error.context_tokens // MOST_ROOM)) / error.prompt_tokens
    allowed = size_of(refused) * min(share, CAUTION if refused else 1.0)
    low, high = refused + 1, n - 1
    while low < high:
        middle = (low + high) // 2
        if size_of(middle) <= allowed:
            high = middle
        else:
            low = middle + 1
    return low


def less(
    history: Sequence[Message], variables: Mapping[str, Any], truncatable: Mapping[str, End]
) -> tuple[list[Message], dict[str, Any]] | None:
    """Return a history and variables of about half the length; None where there is nothing that may be left out.

    Worked examples go in pairs of question and answer, the last of them first; with one left, that goes too. A list keeps one entry.
    """
    pairs = len(history) // 2
    kept = list(history[: 2 * (pairs // 2)])
    made = dict(variables)
    for name, end in truncatable.items():
        entries = list(variables[name])
        half = max(1, len(entries) // 2)
        made[name] = entries[-half:] if end == "oldest" else entries[:half]
    shorter = len(kept) < len(history) or any(len(made[name]) < len(variables[name]) for name in truncatable)
    return (kept, made) if shorter else None


def n_chars(messages: Sequence[Message]) -> int:
    """Return how many characters messages have."""
    return sum(len(message.content) for message in messages)


def with_history(messages: tuple[Message, ...], history: Sequence[Message]) -> tuple[Message, ...]:
    """Put a history between a template's system messages and its others."""
    head = [m for m in messages if m.role == "system"]
    rest = [m for m in messages if m.role != "system"]
    return (*head, *history, *rest)


def with_instructions(messages: tuple[Message, ...], instructions: str) -> tuple[Message, ...]:
    """Put instructions in front of a request's system message: there is one, as some models take no second."""
    if not messages or not instructions:
        return messages
    if messages[0].role == "system":
        return (Message("system", f"{instructions}\n\n{messages[0].content}"), *messages[1:])
    return (Message("system", instructions), *messages)
