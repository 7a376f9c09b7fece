"""What every record goes through before it is written: scans, duplicates, contamination, length. One pass, little memory.

    hygiene = Hygiene(Options(), tally)
    hygiene.passes(record) -> True          (or False, and counted with its reason)

Knows records and options; knows no store and no file format.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from reasoner.datasets import thinking
from reasoner.datasets.contamination import Evaluation
from reasoner.datasets.duplicates import NearDuplicates, Seen
from reasoner.datasets.records import Label, Record, Steps, map_texts, prompt_texts, texts
from reasoner.datasets.scan import ControlTokens, findings, redacted
from reasoner.datasets.tokens import Tokenizer

if TYPE_CHECKING:
    from reasoner.datasets.options import Options
    from reasoner.datasets.select import Tally

MAX_CLEAN_KEPT = 4096
DUPLICATE = "the same conversation was taken already"
NEAR = "nearly the same text was taken already"
SECRET = "it holds what looks like a secret or personal data"
CONTROL = "it holds a control token of a tokenizer"
CONTAMINATED = "it shares a run of words with the evaluation files"


class Hygiene:
    """The state of one pass: what was seen, what was counted."""

    def __init__(self, options: Options, tally: Tally) -> None:
        self._options = options
        self._tally = tally
        self._seen = Seen()
        self._near = NearDuplicates(options.near_duplicates) if options.near_duplicates is not None else None
        self._evaluation = Evaluation.read(options.contamination, n=options.ngram) if options.contamination else None
        self._stack = ExitStack()
        self._tokenizer = self._stack.enter_context(Tokenizer(options.tokenizer)) if options.tokenizer else None
        self._control = ControlTokens(self._tokenizer.control if self._tokenizer else ())
        self._clean: set[str] = set()
        """Prompt texts found clean: many records share theirs."""

    def passes(self, record: Record) -> bool:
        """Tell whether a record may be written; it may be changed on the way (redacted, escaped, divided)."""
        prompts, written = prompt_texts(record), texts(record)
        if not self._is_clean(record, prompts, written):
            return False
        if not self._seen.add(_key(record, prompts, written)):
            self._tally.leave_out(DUPLICATE)
            return False
        if self._evaluation is not None and any(self._evaluation.touches(text) for text in (*prompts, *written) if text):
            self._tally.leave_out(CONTAMINATED)
            return False
        if self._near is not None and written and not self._near.add("\n".join(written)):
            self._tally.leave_out(NEAR)
            return False
        thinking.apply(record, self._options.thinking)
        return True

    def measure(self, record: Record) -> None:
        """Count the length of a record that was taken."""
        parts = [text for text in (*prompt_texts(record), *texts(record)) if text]
        unit, length = ("tokens", self._tokenizer.count(*parts)) if self._tokenizer else ("characters", sum(map(len, parts)))
        histogram = self._tally.lengths.setdefault(unit, type(self._tally.findings)())  # type: ignore[arg-type]  # a Counter, of numbers
        histogram[1 << max(0, length.bit_length() - 1)] += 1
        self._tally.total_length += length

    def _is_clean(self, record: Record, prompts: tuple[str, ...], written: tuple[str, ...]) -> bool:
        """Scan the texts of a record, and do with what is found as the options say."""
        dirty = False
        for text in (*[p for p in prompts if p not in self._clean], *written):
            found, tokens = findings(text), self._control.found(text)
            self._tally.findings.update(finding.kind for finding in found)
            if tokens:
                self._tally.findings["control token"] += len(tokens)
            if found and self._options.secrets == "drop":
                self._tally.leave_out(SECRET)
                return False
            if tokens and self._options.special_tokens == "drop":
                self._tally.leave_out(CONTROL)
                return False
            dirty = dirty or bool(found or tokens)
        if dirty:
            if self._options.secrets == "redact":
                map_texts(record, lambda text: redacted(text, findings(text)))
            if self._options.special_tokens == "escape":
                map_texts(record, self._control.escaped)
        elif len(self._clean) < MAX_CLEAN_KEPT:
            self._clean.update(prompts)
        return True

    def close(self) -> None:
        """Release the tokenizer."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _key(record: Record, prompts: tuple[str, ...], written: tuple[str, ...]) -> bytes:
    """Return what two equal records have in common, and no others."""
    more = str(record.label) if isinstance(record, Label) else str(record.labels) if isinstance(record, Steps) else ""
    return "\x1f".join((*prompts, "\x1e", *written, more)).encode("utf-8", "surrogatepass")
