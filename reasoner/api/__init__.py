"""The Python face: `solve`, `bench`, `compare`, `translate`, `resume`, `replay` and `fork`; `import reasoner` offers them by name."""
