"""One training from dataset to adapter file: check, estimate, load, train with checkpoints, write.

report = tune(Path("train.jsonl"), Path("adapter.gguf"), Options(minutes=20), on_progress=print)
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from reasoner.clients.llamacpp import bundled_model, free_cores
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.errors import BadConfig, DataError
from reasoner.files.signatures import MODEL
from reasoner.files.target import kept, replaceable
from reasoner.memory import available
from reasoner.tune.adapter import read_adapter, write_adapter
from reasoner.tune.base import Base, load_base, read_base, require, require_compiler
from reasoner.tune.batches import Encoded, batches, encode_all
from reasoner.tune.checkpoint import Checkpoint
from reasoner.tune.memory import needed
from reasoner.tune.options import Estimate, Options, Progress, Report
from reasoner.tune.rows import read_rows
from reasoner.types import canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reasoner.clients.llamacpp.gguf_header import GgufHeader
    from reasoner.tune.rows import Row

REPORT_S = 10.0
LARGE_BYTES = 20_000_000
"""Rows of larger files take more than a moment to read."""
MAX_HELD_OUT = 64
"""Rows the held-out loss is measured on: the first so many."""

Stop = Literal["epochs", "minutes", "tokens"]


def tune(
    dataset: Path,
    out: Path,
    options: Options | None = None,
    *,
    on_estimate: Callable[[Estimate], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Report:
    """Train an adapter and write it; a training that was killed goes on from its last checkpoint.

    Raises:
        MissingDependency: the extra `tune` is not installed.
        DataError: the rows lack columns or are over the context, or a file cannot be read or written.
        BadConfig: the base cannot be mapped, there is too little memory, or a checkpoint belongs to another training.
    """
    options = options or Options()
    note = on_note or _silent
    if not _free(out).parent.is_dir():
        raise DataError(f"the directory {out.parent} does not exist", hint="make it, or name another `out`")
    path = model_path(options.model)
    header = read_base(path)
    if dataset.is_file() and dataset.stat().st_size > LARGE_BYTES:
        note(f"reading {dataset}")  # of a small file its fault, if there is one, is all that is said
    rows, data_sha256 = read_rows(dataset, options.objective)
    held, held_sha256 = read_rows(options.held_out, options.objective) if options.held_out else ([], "")
    note(f"{len(rows)} rows; loading torch and the base {path.name}, which takes some seconds to minutes")
    require()
    if options.compiled:
        require_compiler()
    device, dtype = _device(options)
    longest = max(sum(len(text) for _, text in row.prompt) + _reply_chars(row) for row in rows) // 2 + 32
    _check_memory(header, options, longest=min(longest, options.n_ctx), dtype=dtype)
    base = load_base(path, header, dtype=dtype, device=device, quantized=options.quantized)
    note("turning the rows into tokens")
    data = encode_all(base.tokenizer, rows, dataset, n_ctx=options.n_ctx)
    test = encode_all(base.tokenizer, held[:MAX_HELD_OUT], options.held_out, n_ctx=options.n_ctx) if options.held_out else []
    base_sha256 = file_sha256(path)
    shape = options.identity()  # read before the training: the adapter it starts from may be gone after it
    identity = digest("tune", canonical_json(shape), data_sha256, base_sha256)
    note(f"measuring the loss on {len(test)} held-out rows, then training" if test else "training")
    job = _Job(base, data, test, options, Checkpoint(out, identity), device, on_estimate, on_progress)
    report, trainer = job.run()
    card = {
        "base": {"name": base.name, "file": path.name, "sha256": base_sha256, "form": "as-is"},
        "data": {"file": dataset.name, "sha256": data_sha256, "rows": len(rows), "held_out_sha256": held_sha256},
        "options": shape,
        "training": report,
    }
    write_adapter(out, header, trainer.matrices(), alpha=options.alpha, base_name=base.name, base_sha256=base_sha256, card=card)
    job.checkpoint.clear()
    return Report(adapter=str(out), sha256=file_sha256(out), size_bytes=out.stat().st_size, **report, resumed=job.resumed)


def _free(out: Path) -> Path:
    """Return where the adapter can be put: in place of another one, never of a model."""
    place = replaceable(out, over=(MODEL,))
    if kept(place) == MODEL and read_header(place).kind != "adapter":
        raise DataError(f"cannot write {out}: it is a model, which would be lost", hint="name another file")
    return place


def _silent(_: str) -> None:
    """Say nothing."""


def model_path(model: str) -> Path:
    """Return the file of `local` or of a path."""
    from pathlib import Path  # noqa: PLC0415 - needed here alone at run time

    return bundled_model() if model == "local" else Path(model).expanduser().absolute()


@dataclass(slots=True)
class _Job:
    """One training under way."""

    base: Base
    data: list[Encoded]
    test: list[Encoded]
    options: Options
    checkpoint: Checkpoint
    device: str
    on_estimate: Callable[[Estimate], None] | None
    on_progress: Callable[[Progress], None] | None
    resumed: bool = False
    step: int = 0
    tokens: int = 0
    learned: int = 0
    spent_s: float = 0.0
    first_loss: float = math.nan
    last_loss: float = math.nan
    before: float | None = None
    after: float | None = None
    since: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # loss, tokens it is over, seconds: since the last report

    def run(self) -> tuple[dict[str, Any], Any]:
        """Train to the end."""
        import torch  # noqa: PLC0415

        from reasoner.tune.train import Trainer  # noqa: PLC0415

        torch.set_num_threads(self.options.threads or free_cores())
        pad = self.base.tokenizer.pad_token_id or 0
        trainer = Trainer(self.base.model, self.options, pad=pad, device=self.device)
        if self.options.start is not None:
            self._begin_from(self.options.start, trainer)
        if self.options.fresh:
            self.checkpoint.clear()
        elif (saved := self.checkpoint.load()) is not None:
            self._take_up(saved, trainer)
        if self.before is None:
            self.before = self._held_out(trainer)
        stopped = self._train(trainer)
        self.after = self._held_out(trainer)
        return self._facts(stopped), trainer

    def _begin_from(self, adapter: Path, trainer: Any) -> None:
        matrices, alpha = read_adapter(adapter, self.base.header, trainer.modules(), base=self.base.path)
        if alpha != self.options.alpha:
            raise BadConfig(f"the adapter {adapter} has alpha {alpha:g}, not {self.options.alpha}", hint=f"`alpha` {alpha:g}")
        trainer.begin_from(matrices)

    def _take_up(self, saved: dict[str, Any], trainer: Any) -> None:
        trainer.load(saved)
        self.resumed = True
        for name, value in saved["place"].items():
            setattr(self, name, value)

    def _train(self, trainer: Any) -> Stop:
        options = self.options
        lengths = [row.n_tokens for row in self.data]
        per_epoch = math.ceil(len(lengths) / options.batch)
        n_steps = math.ceil(per_epoch * options.epochs)
        reported = saved = time.monotonic()
        while self.step < n_steps:
            epoch, place = divmod(self.step, per_epoch)
            order = batches(lengths, size=options.batch, seed=options.seed, epoch=epoch)
            for chosen in order[place:]:
                if self.step >= n_steps:
                    break
                done = self._done(n_steps)
                if done >= 1:
                    return "tokens" if options.max_tokens and self.tokens >= options.max_tokens else "minutes"
                self._one(trainer, [self.data[index] for index in chosen], rate=_rate(done, options.warmup))
                now = time.monotonic()
                if self.step in {1, n_steps} or now - reported >= REPORT_S:
                    reported = now
                    self._tell(n_steps, per_epoch)
                if now - saved >= options.checkpoint_s:
                    saved = now
                    self.checkpoint.save({**trainer.state(), "place": self._place()})
                    trainer.give_back()
        return "epochs"

    def _one(self, trainer: Any, rows: list[Encoded], *, rate: float) -> None:
        started = time.monotonic()
        loss, n_learned = trainer.step(rows, rate=rate)
        seconds = time.monotonic() - started
        if not math.isfinite(loss):
            raise BadConfig(f"the loss is {loss} at step {self.step + 1}", hint="lower `learning_rate`")
        self.step += 1
        self.tokens += sum(row.n_tokens for row in rows)
        self.learned += n_learned
        self.spent_s += seconds
        self.since = [self.since[0] + loss, self.since[1] + n_learned, self.since[2] + seconds]
        if self.step == 1:
            self.first_loss = loss / n_learned
            self._estimate(rows, seconds)

    def _done(self, n_steps: int) -> float:
        """Return the share of the training that is behind, by whichever limit is nearest."""
        options = self.options
        shares = [self.step / n_steps]
        if options.max_tokens:
            shares.append(self.tokens / options.max_tokens)
        if options.minutes:
            shares.append(self.spent_s / (60 * options.minutes))
        return max(shares)

    def _estimate(self, rows: list[Encoded], seconds: float) -> None:
        if self.on_estimate is None:
            return
        total = sum(row.n_tokens for row in self.data)
        per_token = seconds / sum(row.n_tokens for row in rows)
        options = self.options
        n_tokens = min(total * options.epochs, options.max_tokens or math.inf)
        expected = n_tokens * per_token
        if options.minutes:
            expected = min(expected, 60 * options.minutes)
        longest = max(row.n_tokens for row in self.data)
        self.on_estimate(
            Estimate(
                rows=len(self.data), tokens_per_epoch=total, longest=longest,
                steps=math.ceil(math.ceil(len(self.data) / options.batch) * n_tokens / total),
                memory_bytes=needed(self.base.header, rank=options.rank, batch=_at_once(options), longest=longest, weight_bytes=2),
                available_bytes=available(), seconds=expected,
            )
        )  # fmt: skip

    def _tell(self, n_steps: int, per_epoch: int) -> None:
        loss, n_learned, _ = self.since
        self.last_loss = loss / n_learned
        self.since = [0.0, 0.0, 0.0]
        done = self._done(n_steps)
        if self.on_progress is not None:
            self.on_progress(
                Progress(
                    step=self.step, steps=n_steps, epoch=self.step / per_epoch, loss=self.last_loss, held_out_loss=self.before,
                    tokens=self.tokens, tokens_per_s=self.tokens / max(self.spent_s, 1e-9), elapsed_s=self.spent_s,
                    eta_s=self.spent_s * max(0.0, 1 - done) / done if done else 0.0,
                )
            )  # fmt: skip

    def _held_out(self, trainer: Any) -> float | None:
        if not self.test:
            return None
        parts: list[tuple[float, int]] = [
            trainer.measure(self.test[at : at + self.options.batch]) for at in range(0, len(self.test), self.options.batch)
        ]
        return sum(loss for loss, _ in parts) / sum(n for _, n in parts)

    def _place(self) -> dict[str, Any]:
        names = ("step", "tokens", "learned", "spent_s", "first_loss", "last_loss", "before", "since")
        return {name: getattr(self, name) for name in names}

    def _facts(self, stopped: Stop) -> dict[str, Any]:
        per_epoch = math.ceil(len(self.data) / self.options.batch)
        return {
            "steps": self.step, "epochs": round(self.step / per_epoch, 3), "tokens": self.tokens, "completion_tokens": self.learned,
            "seconds": round(self.spent_s, 1), "tokens_per_s": round(self.tokens / max(self.spent_s, 1e-9), 1),
            "first_loss": self.first_loss, "last_loss": self.last_loss, "held_out_before": self.before, "held_out_after": self.after,
            "stopped_by": stopped,
        }  # fmt: skip


def _rate(done: float, warmup: float) -> float:
    """Return the share of the learning rate: up over the warm-up, then down to zero."""
    return min(1.0, (done + 1e-3) / warmup if warmup else 1.0) * (1.0 - done)


def _device(options: Options) -> tuple[str, str]:
    import torch  # noqa: PLC0415

    cuda = torch.cuda.is_available()
    device = ("cuda" if cuda else "cpu") if options.device == "auto" else options.device
    if device == "cuda" and not cuda:
        raise BadConfig("there is no CUDA device that torch can use", hint="use `device=cpu`")
    if options.quantized:
        import importlib.util  # noqa: PLC0415

        if device != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
            raise BadConfig("`quantized` needs CUDA and bitsandbytes", hint="leave it out: the base then stays in 16 bits")
    fast = torch.cuda.is_bf16_supported() if device == "cuda" else torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - the one way to ask
    return device, "bfloat16" if fast else "float32"


def _reply_chars(row: Row) -> int:
    """Return the characters of a row's reply, of a preference those of the longer one."""
    return max(len(row.completion), len(row.rejected.completion) if row.rejected is not None else 0)


def _at_once(options: Options) -> int:
    """Return how many rows' activations are kept for the backward pass: of a preference both replies."""
    return options.batch * (2 if options.objective == "dpo" else 1)


def _check_memory(header: GgufHeader, options: Options, *, longest: int, dtype: str) -> None:
    wanted = needed(header, rank=options.rank, batch=_at_once(options), longest=longest, weight_bytes=2 if dtype == "bfloat16" else 4)
    there = available()
    if there is not None and wanted > there:
        raise BadConfig(
            f"the training needs about {wanted / 1e9:.1f} GB of memory and {there / 1e9:.1f} GB are free", hint="lower `batch` or `n_ctx`"
        )
