"""`python -m reasoner`: the command line."""

from reasoner.cli import main

main()
