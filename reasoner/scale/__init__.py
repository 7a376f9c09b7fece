"""A run on many machines: cut into shards, each an ordinary run into a file of its own on local disk, merged again by content.

    cut       a plan into manifests                 worker    one manifest: run it, seal it, copy it to the shared folder
    merging   segments into one store               status    how far every shard is, and where

`shared` is the one place that is seen by all machines; `leases` says who works on which shard, and `ledger` who may spend how much of the run's
budget. No engine is needed: several commands do, or a Slurm array (`slurm`).
"""
