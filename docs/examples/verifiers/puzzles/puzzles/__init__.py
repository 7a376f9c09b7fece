"""puzzles: written by reasoner export verifiers."""

from puzzles.taskset import OneReply, ReasonerEnv, ReasonerTaskset

__all__ = ["OneReply", "ReasonerEnv", "ReasonerTaskset"]
