"""Runs: what a run is (`plan`) and how it is carried out (`runner`)."""
