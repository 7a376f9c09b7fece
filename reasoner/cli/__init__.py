"""The command line: thin typer commands over the library.

Nothing here is imported before `main` runs, so that `reasoner --version` is quick.
"""


def main() -> None:
    """Run the command line; the entry point `reasoner`."""
    import sys  # noqa: PLC0415 - keeps `import reasoner.cli` light

    try:
        from reasoner.cli.ending import end_like_ctrl_c, fill_standard_files, hear_lost_interrupts  # noqa: PLC0415

        fill_standard_files()
        end_like_ctrl_c()
        hear_lost_interrupts()
        from reasoner.cli.output import finish, guard_streams, say, told  # noqa: PLC0415

        guard_streams()
        try:
            from reasoner.cli.app import app  # noqa: PLC0415

            code = app(standalone_mode=False) or 0
        except Exception as error:
            known = told(error)
            if known is None:
                raise  # a fault of ours: the traceback goes through the guarded stream
            code = known
        code = finish(code)
    except KeyboardInterrupt:
        from reasoner.cli.ending import EXIT_INTERRUPTED, end_at_once  # noqa: PLC0415

        end_at_once(EXIT_INTERRUPTED)
        code = EXIT_INTERRUPTED
        if "reasoner.cli.output" in sys.modules:
            say("interrupted")
    sys.exit(code)
