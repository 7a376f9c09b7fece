"""Problem families, one file each: `solvers/<name>.py` with its statement in `prompts/solvers/<name>.jinja`.

A solver imports only `reasoner.types`, `.solver`, `.drawing`, `.errors`, `.text`, `.assets`, `.prompts`, `.expression` and `.sandbox`. Modules whose names start with `_` are shared
tools of the solvers and are not registered.
"""
