"""The command line: thin typer commands over the library.

Nothing here is imported before `main` runs, so that `reasoner --version` is quick.
"""


def main() -> None:
    """Run the command line; the entry point `reasoner`."""
    import sys  # noqa: PLC0415 - keeps `import reasoner.cli` light

    from reasoner.cli.app import app  # noqa: PLC0415
    from reasoner.cli.output import guard_streams, usage_error  # noqa: PLC0415

    guard_streams()
    try:
        code = app(standalone_mode=False)
    except Exception as error:
        code = usage_error(error)
        if code is None:
            raise  # a fault of ours: the traceback goes through the guarded stream
    sys.exit(code or 0)
