"""Tuning: train a LoRA adapter on an exported dataset, and write it as a GGUF file that the local engine loads.

    tune(Path("train.jsonl"), Path("adapter.gguf"), Options(model="local", minutes=20))

The base weights come out of the GGUF file itself; nothing is fetched. Needs the extra `tune` (torch, transformers, peft, gguf), which is
imported when training starts and not before. Knows datasets' rows and model files; knows no strategy, no puzzle and no store.
"""

from __future__ import annotations

from reasoner.tune.options import Options, Progress, Report
from reasoner.tune.run import tune

__all__ = ["Options", "Progress", "Report", "tune"]
