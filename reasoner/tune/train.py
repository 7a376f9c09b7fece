"""The training loop: LoRA on all linear layers of a loaded base, the loss on completions alone.

Only the tokens that are learned go through the output layer, which for a small model is a quarter of the arithmetic. The base is frozen
and kept in the compute type; the adapter and its optimizer are in 32 bits. Deterministic given seed, threads and machine as long as no
time budget ends it. Knows torch and peft; knows no files.

    trainer = Trainer(base.model, options, pad=0, device="cpu")
    loss, n_tokens = trainer.step(rows, rate=1.0)
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import peft
import torch

from reasoner.errors import BadConfig
from reasoner.tune.preference import dpo_loss, kto_loss, mismatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.tune.batches import Encoded
    from reasoner.tune.options import Options

CLIP = 1.0
PREFIX = "base_model.model."


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed. Without this each large tensor is fetched from the kernel and zeroed page by page, at every operation."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # another C library
    for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 1 << 28)):  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD
        mallopt(option, value)


def give_back_freed_memory() -> None:
    """Hand back what is freed and still kept: batches of many shapes leave holes, so that what is kept grows for hours."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _score(head: Any, hidden: Any, wanted: Any) -> Any:
    """Return the summed loss of the tokens that should follow."""
    return torch.nn.functional.cross_entropy(head(hidden).float(), wanted, reduction="sum")


class Trainer:
    """One adapter in training."""

    def __init__(self, model: Any, options: Options, *, pad: int, device: str) -> None:
        keep_freed_memory()
        torch.manual_seed(options.seed)
        config = peft.LoraConfig(
            r=options.rank, lora_alpha=options.alpha, lora_dropout=0.0, target_modules="all-linear", bias="none", task_type="CAUSAL_LM"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft reads an attribute that transformers has renamed
            self.model = peft.get_peft_model(model, config)
        for module in self.model.modules():
            if hasattr(module, "cast_input_dtype_enabled"):
                module.cast_input_dtype_enabled = False  # autocast does it; peft would turn all inputs into 32 bits first, and back
        inner = self.model.get_base_model()
        self._decoder, self._head = inner.get_decoder(), inner.get_output_embeddings()
        self.rank = options.rank
        self._device, self._pad = device, pad
        self._objective, self._beta = options.objective, options.beta
        self._score: Callable[..., Any] = _score
        if options.compiled:
            self._compile()
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in self.parameters:
            parameter.data = parameter.data.float()
        self.optimizer = torch.optim.AdamW(self.parameters, lr=options.learning_rate, weight_decay=0.0)
        self._rate = options.learning_rate
        self._compute = next(model.parameters()).dtype

    def step(self, rows: Sequence[Encoded], *, rate: float) -> tuple[float, int]:
        """Learn from one batch with a share of the learning rate; return the summed loss and the number of tokens it is over."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate * rate
        self.model.train()
        loss, n_tokens = self._loss(rows)
        self.optimizer.zero_grad(set_to_none=True)
        (loss / n_tokens).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimizer.step()
        return float(loss.detach()), n_tokens

    def measure(self, rows: Sequence[Encoded]) -> tuple[float, int]:
        """Return the summed loss of rows and the number of tokens it is over, without learning."""
        self.model.eval()
        with torch.no_grad():
            loss, n_tokens = self._loss(rows)
        return float(loss), n_tokens

    def _loss(self, rows: Sequence[Encoded]) -> tuple[Any, int]:
        """Return the summed loss of a batch and what it is over: tokens for `sft`, rows for the others."""
        if self._objective == "sft":
            return self._reply_loss(rows)
        if self._objective == "dpo":
            worse = [replace(row, tokens=row.worse, worse=()) for row in rows]
            sides = [self._log_probabilities(side) for side in (rows, worse)]
            before = [self._before(side) for side in (rows, worse)]
            return dpo_loss(*sides, *before, beta=self._beta), len(rows)
        turned = mismatched(rows)
        with torch.no_grad():
            divergence = (self._log_probabilities(turned) - self._before(turned)).mean().clamp(min=0)
        good = torch.tensor([row.good for row in rows], device=self._device)
        return kto_loss(self._log_probabilities(rows), self._before(rows), good, divergence, beta=self._beta), len(rows)

    def _before(self, rows: Sequence[Encoded]) -> Any:
        """Return the log-probabilities of replies under the base without its adapter."""
        with torch.no_grad(), self.model.disable_adapter():
            return self._log_probabilities(rows)

    def _log_probabilities(self, rows: Sequence[Encoded]) -> Any:
        """Return the log-probability of each row's reply: the sum over its tokens."""
        hidden, tokens, learned = self._hidden(rows)
        with self._cast():
            scores = self._head(hidden[learned]).float()
        each = torch.nn.functional.cross_entropy(scores, tokens.roll(-1, dims=1)[learned], reduction="none")
        whose = torch.arange(len(rows), device=self._device).unsqueeze(1).expand_as(learned)[learned]
        return torch.zeros(len(rows), device=self._device).index_add(0, whose, -each)

    def _reply_loss(self, rows: Sequence[Encoded]) -> tuple[Any, int]:
        hidden, tokens, learned = self._hidden(rows)
        with self._cast():
            return self._score(self._head, hidden[learned], tokens.roll(-1, dims=1)[learned]), int(learned.sum())

    def _cast(self) -> Any:
        return torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._compute == torch.bfloat16)

    def _hidden(self, rows: Sequence[Encoded]) -> tuple[Any, Any, Any]:
        """Return the last hidden states, the tokens, and a mask of the places whose next token is learned."""
        longest = max(len(row.tokens) for row in rows)
        tokens = torch.full((len(rows), longest), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        learned = torch.zeros((len(rows), longest), dtype=torch.bool)
        for at, row in enumerate(rows):
            n = len(row.tokens)
            tokens[at, :n] = torch.tensor(row.tokens)
            mask[at, :n] = 1
            learned[at, row.n_prompt - 1 : n - 1] = True  # each position predicts the next token
        tokens, mask, learned = (t.to(self._device) for t in (tokens, mask, learned))
        with self._cast():
            hidden = self._decoder(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
        return hidden, tokens, learned

    def _compile(self) -> None:
        """Have each layer, and the output layer with the loss, translated when they are first used; for any length of a batch."""
        for layer in self._decoder.layers:
            layer.compile(dynamic=True)
        self._score = torch.compile(_score, dynamic=True)

    def give_back(self) -> None:
        """Hand freed memory back to the machine; worth a call a minute."""
        give_back_freed_memory()

    def state(self) -> dict[str, Any]:
        """Return adapter and optimizer, as they can be saved."""
        return {
            "adapter": {k: v.detach().cpu() for k, v in self.model.named_parameters() if v.requires_grad},
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        own = {k: v for k, v in self.model.named_parameters() if v.requires_grad}
        with torch.no_grad():
            for name, value in state["adapter"].items():
                own[name].copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])

    def modules(self) -> list[str]:
        """Return the names of what is adapted."""
        return sorted({name.removeprefix(PREFIX).partition(".lora_")[0] for name, p in self.model.named_parameters() if p.requires_grad})

    def begin_from(self, matrices: Mapping[str, tuple[Any, Any]]) -> None:
        """Take the matrices of another adapter; as numpy arrays, by module.

        Raises:
            BadConfig: they are of another rank.
        """
        with torch.no_grad():
            for name, own in self.model.named_parameters():
                if own.requires_grad:
                    module, _, kind = name.removeprefix(PREFIX).partition(".lora_")
                    given = torch.from_numpy(matrices[module]["AB".index(kind[0])])
                    if given.shape != own.shape:
                        rank = matrices[module][0].shape[0]
                        raise BadConfig(f"the adapter to continue from has rank {rank}, not {self.rank}", hint=f"`rank` {rank}")
                    own.copy_(given)

    def matrices(self) -> dict[str, tuple[Any, Any]]:
        """Return the adapter as numpy arrays: module -> (a: rank x in, b: out x rank)."""
        found: dict[str, dict[str, Any]] = {}
        for name, value in self.model.named_parameters():
            if value.requires_grad:
                module, _, kind = name.removeprefix(PREFIX).partition(".lora_")
                found.setdefault(module, {})[kind[0]] = value.detach().float().cpu().numpy()
        return {module: (pair["A"], pair["B"]) for module, pair in found.items()}
