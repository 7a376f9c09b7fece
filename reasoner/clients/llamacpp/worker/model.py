"""The native side: one model, one context with many sequences over one KV cache, and batches of tokens put through it.

Knows llama.cpp's context, memory and batch. Does not know requests; a fault of native code ends the process, and that is meant to be.

    model = Model.load({"path": "model.gguf", "n_ctx": 4096, "threads": 2, ...})
    model.decode([Slice(seq=3, start=0, tokens=(1, 4093), wants_logits=True)]) -> [1]   # the row of its logits
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np

from reasoner.clients.llamacpp.worker.decoder import OutOfCells, Slice
from reasoner.clients.llamacpp.worker.thread_count import ThreadCount
from reasoner.errors import BadConfig
from reasoner.memory import available

N_BATCH = 512
"""Tokens one step takes at most: what llama-cpp-python's own `Llama` takes, so that a lone prompt is cut at the same places."""
N_SEQUENCES = 128
CACHE_BYTES = 256 << 20
MAX_CELLS = 32_768
STREAM_TOKENS = 4_096
"""Tokens a stream holds at most; a conversation that may grow longer has its place in the one cache of all."""
STREAMS_BYTES = 2 << 30
"""What the streams of one context take at most; a quarter of the free memory where that is less."""
MIN_STREAMS, MAX_STREAMS = 4, 16
STREAMS_BATCH = 256
"""Tokens one step of a context with streams takes at most, besides one for each idle stream."""
TIME_OF_WEIGHT = {"1": 0.4, "2": 0.3, "7": 0.5, "14": 0.35, "15": 0.35, "25": 0.3}
"""How long a multiplication with a weight takes, of one with a cell of the cache, by the type of the file (F16, Q4_0, Q8_0, Q4_K, IQ4_NL); measured with AVX2."""
TIME_OF_OTHERS = 0.9
N_WARM = 8
_HINT = "check the file, the adapter and the memory"

NO_ROOM = 1
"""What `llama_decode` returns when the cache has not enough free cells."""


class Model:
    """See the module. `shares_prefixes` is False for models whose memory cannot be cut at a token (recurrent ones)."""

    def __init__(self, model: Any, context: Any, *, n_ctx: int, n_streams: int = 1, most_threads: int | None = None) -> None:
        self.handle = model
        self.context = context
        self.n_cells: int = llama_cpp.llama_n_ctx(context)
        self.n_ctx = min(n_ctx, self.n_cells // n_streams)
        self.n_sequences: int = llama_cpp.llama_n_seq_max(context)
        self._has_streams = n_streams > 1
        self.shares_prefixes = not (llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model))
        self._count = ThreadCount(now=llama_cpp.llama_n_threads(context), most=most_threads)
        self.native_s = 0.0
        """Seconds spent in llama.cpp so far."""
        self._memory = llama_cpp.llama_get_memory(context)
        self._batch = _Batch(N_BATCH)

    @classmethod
    def load(cls, options: dict[str, Any]) -> Model:
        """Load a model by the options `path`, `n_ctx`, `threads`, `adapter`, `exact` and `plain` (no weights repacked for this processor).

        With `most_threads` it begins with `threads` and takes as many as it finds free cores for, up to that; without, always `threads`.

        Raises:
            BadConfig: llama.cpp refuses the model or the adapter.
        """
        path = options["path"]
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.use_extra_bufts = not options.get("plain", False)
        model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        if not model:
            raise BadConfig(f"the model {path} could not be loaded: llama.cpp does not accept it", hint=_HINT)
        return cls._over(model, options)

    def beside(self, options: dict[str, Any]) -> Model:
        """Return a second context over the same weights, with a cache and an adapter of its own; for the options see `load`.

        llama.cpp applies adapters to a whole context, so requests of different adapters never stand in one batch.

        Raises:
            BadConfig: llama.cpp refuses the adapter, or there is no memory for the cache.
        """
        return self._over(self.handle, options)

    def streams_beside(self, options: dict[str, Any]) -> Model | None:
        """Return a second context as `beside` does, in which every sequence has a part of the cache of its own; None where too few would fit."""
        n_ctx = min(STREAM_TOKENS, self.n_ctx)
        n_streams = _n_streams(self.handle, n_ctx) if self.shares_prefixes and not options.get("exact", False) else 0
        if n_streams < MIN_STREAMS:
            return None
        try:
            return self._over(self.handle, {**options, "n_ctx": n_ctx}, n_streams=n_streams)
        except BadConfig:  # there was less memory than it seemed: the one cache serves all, only slower
            return None

    @classmethod
    def _over(cls, model: Any, options: dict[str, Any], *, n_streams: int = 1) -> Model:
        path, adapter_path = options["path"], options.get("adapter")
        params = _context_params(model, options) if n_streams == 1 else _streams_params(options, n_streams)
        context = llama_cpp.llama_init_from_model(model, params)
        if not context:
            raise BadConfig(f"the model {path} could not be loaded: no context of {options['n_ctx']} tokens could be made", hint=_HINT)
        if adapter_path is not None:
            adapter = llama_cpp.llama_adapter_lora_init(model, adapter_path.encode())
            scales = (ctypes.c_float * 1)(1.0)
            adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
            if not adapter or llama_cpp.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
                llama_cpp.llama_free(context)
                raise BadConfig(
                    f"the model {path} with the adapter {adapter_path} could not be loaded: llama.cpp does not accept it", hint=_HINT
                )
        return cls(model, context, n_ctx=options["n_ctx"], n_streams=n_streams, most_threads=options.get("most_threads"))

    @property
    def threads(self) -> int:
        """Threads that compute now. The number changes the time it takes, and no bit of what comes out."""
        return self._count.now

    def warm_up(self) -> None:
        """Put a few tokens through, alone and together, so that kernels this processor cannot run fail before the first request."""
        token = max(0, llama_cpp.llama_vocab_bos(llama_cpp.llama_model_get_vocab(self.handle)))
        self.decode([Slice(0, 0, [token] * N_WARM, wants_logits=True)])
        self.decode([Slice(0, N_WARM, [token], wants_logits=True)])
        self.clear()

    def decode(self, slices: Sequence[Slice]) -> list[int | None]:
        """Put a batch through the model; return for each slice the row of its logits, None where none were wanted.

        Raises:
            OutOfCells: there are not enough free cells.
            RuntimeError: llama.cpp failed in any other way; the process is of no more use.
        """
        rows = self._batch.fill(slices)
        started, used = time.perf_counter(), time.process_time()
        status = llama_cpp.llama_decode(self.context, self._batch.struct)
        llama_cpp.llama_synchronize(self.context)
        seconds = time.perf_counter() - started
        self.native_s += seconds
        if self._count.add(seconds, time.process_time() - used):
            llama_cpp.llama_set_n_threads(self.context, self.threads, self.threads)
        if status == NO_ROOM:
            raise OutOfCells
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")
        return rows

    def close(self) -> None:
        """Free the context and the weights; nothing can be asked of it any more."""
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.handle)

    def copy(self, source: int, target: int, length: int) -> None:
        """Let a sequence begin with the first tokens of another; the cells are shared, those of streams copied."""
        if not self._has_streams:
            llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)
            return
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)  # a stream can only be copied whole
        self.trim(target, length)

    def share(self, source: int, target: int, length: int) -> None:
        """Let a sequence that holds the same first tokens as another hold them in the same cells."""
        llama_cpp.llama_memory_seq_rm(self._memory, target, 0, length)
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def state(self, seq: int) -> bytes:
        """Return what the cache holds of a sequence, as llama.cpp writes it; empty where it cannot."""
        size: int = llama_cpp.llama_state_seq_get_size(self.context, seq)
        buffer = (ctypes.c_uint8 * size)()
        written: int = llama_cpp.llama_state_seq_get_data(self.context, buffer, size, seq)
        return bytes(buffer) if written == size else b""

    def restore(self, seq: int, state: bytes) -> bool:
        """Let a sequence hold what another process's cache held of it; False, and nothing held, where there is no room or it does not fit."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        if llama_cpp.llama_state_seq_set_data(self.context, buffer, len(state), seq) == len(state):
            return True
        self.free(seq)
        return False

    def trim(self, seq: int, length: int) -> None:
        """Drop what a sequence holds beyond its first tokens."""
        llama_cpp.llama_memory_seq_rm(self._memory, seq, length, -1)

    def free(self, seq: int) -> None:
        """Drop a sequence."""
        llama_cpp.llama_memory_seq_rm(self._memory, seq, -1, -1)

    def clear(self) -> None:
        """Drop all sequences."""
        llama_cpp.llama_memory_clear(self._memory, True)  # noqa: FBT003 - a C function

    def patience_tokens(self) -> int:
        """Return how many tokens decoded beside a kept cell cost as much as reading its token anew.

        A token costs about one multiplication per weight; those of the embedding are looked up. A cell that is masked is still multiplied with: by the
        queries of every layer and then by the weights of attention, each as wide as the embedding. How long the one takes beside the other depends
        on the type of the weights.
        """
        width = int(llama_cpp.llama_model_n_embd(self.handle))
        per_cell = 2 * width * int(llama_cpp.llama_model_n_layer(self.handle))
        n_looked_up = width * int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.handle)))
        n_weights = int(llama_cpp.llama_model_n_params(self.handle)) - n_looked_up
        share = TIME_OF_WEIGHT.get(_file_type(self.handle), TIME_OF_OTHERS)
        return max(256, int(share * n_weights / max(1, per_cell)))


def _file_type(model: Any) -> str:
    """Return the number llama.cpp gives to the type most weights of a file have, empty where the file does not say."""
    buffer = ctypes.create_string_buffer(16)
    length: int = llama_cpp.llama_model_meta_val_str(model, b"general.file_type", buffer, len(buffer))
    return buffer.value.decode("ascii", "replace") if length > 0 else ""


def _context_params(model: Any, options: dict[str, Any]) -> Any:
    exact = options.get("exact", False)
    params = _params(options)
    params.n_ctx = options["n_ctx"] if exact else _n_cells(model, options["n_ctx"])
    params.n_batch = params.n_ubatch = N_BATCH
    params.n_seq_max = 1 if exact else _n_sequences(model)
    params.kv_unified = True
    return params


def _streams_params(options: dict[str, Any], n_streams: int) -> Any:
    params = _params(options)
    params.n_ctx = n_streams * _padded(options["n_ctx"])
    params.n_batch = params.n_ubatch = STREAMS_BATCH + n_streams
    params.n_seq_max = n_streams
    params.kv_unified = False
    return params


def _params(options: dict[str, Any]) -> Any:
    params = llama_cpp.llama_context_default_params()
    params.n_threads = params.n_threads_batch = options["threads"]
    params.swa_full = True
    # Off, as it is in llama-cpp-python: on a CPU its kernel for single tokens is several times slower.
    params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.no_perf = True
    return params


def _n_cells(model: Any, n_ctx: int) -> int:
    """Return how many tokens the cache is to hold: what fits in 256 MiB, but one whole context at least."""
    return max(n_ctx, min(MAX_CELLS, CACHE_BYTES // _cell_bytes(model)))


def _n_streams(model: Any, n_ctx: int) -> int:
    free = available()
    limit = STREAMS_BYTES if free is None else min(STREAMS_BYTES, free // 4)
    return min(MAX_STREAMS, limit // (_cell_bytes(model) * _padded(n_ctx)))


def _padded(n_ctx: int) -> int:
    """Return the size llama.cpp makes of a stream of so many tokens."""
    return -(-n_ctx // 256) * 256


def _cell_bytes(model: Any) -> int:
    n_head = max(1, llama_cpp.llama_model_n_head(model))
    width: int = llama_cpp.llama_model_n_embd(model) // n_head * llama_cpp.llama_model_n_head_kv(model)
    return 2 * 2 * max(1, width) * int(llama_cpp.llama_model_n_layer(model))  # keys and values, two bytes each


def _n_sequences(model: Any) -> int:
    # A recurrent model keeps a whole state for every sequence it may have.
    return 16 if llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model) else N_SEQUENCES


class _Batch:
    """The memory of a batch, filled by slices and not by elements: a loop over ctypes would take a good part of a step."""

    def __init__(self, n_tokens: int) -> None:
        self._token = np.zeros(n_tokens, dtype=np.int32)
        self._pos = np.zeros(n_tokens, dtype=np.int32)
        self._n_seq_id = np.ones(n_tokens, dtype=np.int32)
        self._seq_id = np.zeros(n_tokens, dtype=np.int32)
        self._seq_id_pointers = self._seq_id.ctypes.data + np.arange(n_tokens, dtype=np.uintp) * self._seq_id.itemsize
        self._logits = np.zeros(n_tokens, dtype=np.int8)
        self.struct = llama_cpp.llama_batch(
            n_tokens=0,
            token=self._pointer(self._token, llama_cpp.llama_token),
            embd=None,
            pos=self._pointer(self._pos, llama_cpp.llama_pos),
            n_seq_id=self._pointer(self._n_seq_id, ctypes.c_int32),
            seq_id=self._pointer(self._seq_id_pointers, ctypes.POINTER(llama_cpp.llama_seq_id)),
            logits=self._pointer(self._logits, ctypes.c_int8),
        )

    def fill(self, slices: Sequence[Slice]) -> list[int | None]:
        at = 0
        rows: list[int | None] = []
        for piece in slices:
            end = at + len(piece.tokens)
            self._token[at:end] = piece.tokens
            self._pos[at:end] = np.arange(piece.start, piece.start + len(piece.tokens))
            self._seq_id[at:end] = piece.seq
            self._logits[at:end] = 0
            self._logits[end - 1] = piece.wants_logits
            rows.append(end - 1 if piece.wants_logits else None)
            at = end
        self.struct.n_tokens = at
        return rows

    @staticmethod
    def _pointer(array: Any, kind: Any) -> Any:
        return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
