"""The command line: thin typer commands over the library.

Nothing here is imported before `main` runs, so that `reasoner --version` is quick.
"""


def main() -> None:
    """Run the command line; the entry point `reasoner`."""
    from reasoner.cli.app import app  # noqa: PLC0415 - keeps `import reasoner.cli` light

    app()
