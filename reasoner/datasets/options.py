"""How records become rows: everything `reasoner export` may be told besides format, file and filters.

Options(thinking="tags", split="train=0.9,test=0.1", secrets="redact")
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from pathlib import Path

Thinking = Literal["reasoning_content", "thinking", "both", "tags", "drop"]
LabelSource = Literal["replies", "tree"]
LineageIn = Literal["", "column", "sidecar", "none"]

CHOICES: dict[str, tuple[str, ...]] = {
    "thinking": ("reasoning_content", "thinking", "both", "tags", "drop"),
    "labels_from": ("replies", "tree"),
    "search_to_text": ("", "bfs", "dfs"),
    "secrets": ("drop", "redact", "keep"),
    "special_tokens": ("drop", "escape", "keep"),
    "lineage": ("", "column", "sidecar", "none"),
    "balance": ("", "level"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """All options; the defaults change no text and leave out what is unsafe to train on."""

    records: str = ""
    """Which kind of record, where a format takes several (`pair` for `llama-factory`); empty: the format's first."""
    thinking: Thinking = "reasoning_content"
    """Where thoughts stand. What a model thought apart: in a key `reasoning_content` of the message (in tags where the format has no such key), in
    a key `thinking`, in `both`, in `tags`, or left out (`drop`). `thinking`, `both` and `tags` also divide a reply without a thought of its own
    at its answer line."""
    submissions: bool = True
    """Count an answer that was given by a tool call as standing in the reply that asks for the call: conversations of agents. False leaves
    them out."""
    ratings: bool = False
    """Add the verdict's score and reason as columns."""
    context: bool = False
    """Add a column `context` that says by what the preference or label was decided."""
    labels_from: LabelSource = "replies"
    """Preferences, labels and chains of steps from whole replies under the prompt they were given, or from the steps of trees. A file holds one
    of the two, and its lineage says which."""
    search_to_text: str = ""
    """Write searches of several calls as one reply, `bfs` or `dfs`."""
    tokens: bool = False
    """Groups of replies whose tokens were recorded, with the columns `prompt_ids`, `completion_ids` and `logprobs`."""
    pass_rate: str = ""
    """Prompts and groups whose share of correct answers lies within `LO:HI`, both included."""
    min_gap: float = 0.0
    """Least difference between the scores of a pair."""
    max_pairs: int = 16
    """Pairs of one problem, and of one trajectory's siblings."""
    allow_length_only: bool = False
    """Keep pairs of which one text is merely the beginning of the other."""
    split: str = ""
    seed: int = 0
    near_duplicates: float | None = None
    contamination: tuple[Path, ...] = ()
    ngram: int = 13
    secrets: str = "drop"
    """Rows with secrets or personal data: left out, the finding replaced, or kept. They are reported in any case."""
    special_tokens: str = "drop"
    """Rows with control tokens of a tokenizer: left out, the tokens escaped, or kept."""
    tokenizer: str = ""
    """`local` or a GGUF file: count tokens with its tokenizer, and look for its control tokens."""
    balance: str = ""
    limit: int | None = None
    """At most so many rows of each solver, strategy and model."""
    lineage: LineageIn = ""
    trust_verdicts: bool = False
    """Do not verify again (a bench measures what that costs); the card then says so."""
    card: bool = False
    licence: str = "unknown"
    preview: int = 0
    """Keep this many rows for a preview."""
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise BadConfig(f"--{name.replace('_', '-')} {value!r} cannot be", hint=f"one of: {', '.join(c for c in choices if c)}")
        self.pass_rates()
        if self.limit is not None and self.limit < 1:
            raise BadConfig(f"`limit` {self.limit} leaves nothing", hint="give 1 or more")
        if self.tokens and (self.secrets == "redact" or self.special_tokens == "escape"):
            raise BadConfig("texts that are changed no longer are what their tokens say", hint="leave `tokens` out, or use drop or keep")
        if self.max_pairs < 1:
            raise BadConfig(f"`max_pairs` {self.max_pairs} leaves nothing", hint="give 1 or more")
        if not 0.0 <= self.min_gap <= 1.0:
            raise BadConfig(f"`min_gap` {self.min_gap} is not a difference of scores", hint="scores are between 0 and 1")

    def pass_rates(self) -> tuple[float, float]:
        """Return the least and the greatest pass rate.

        Raises:
            BadConfig: they cannot be read, or are no shares in their order.
        """
        if not self.pass_rate:
            return 0.0, 1.0
        low, sign, high = self.pass_rate.partition(":")
        try:
            bounds = float(low or 0), float(high or 1)
        except ValueError:
            bounds = -1.0, -1.0
        if not sign or not 0.0 <= bounds[0] <= bounds[1] <= 1.0:
            raise BadConfig(f"`pass_rate` {self.pass_rate!r} cannot be read", hint="write LO:HI, 0.1:0.9 say")
        return bounds

    def changed(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON values: what a card has to say."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        hidden = {"card", "preview", "dry_run", "licence"}
        return {k: [p.name for p in v] if k == "contamination" else v for k, v in said.items() if k not in hidden}
