"""Places where text that a model wrote may be run: Monty for Python, bubblewrap for programs, a process of its own for SQL.

| what | where | cannot reach |
|---|---|---|
| Python in Monty's subset | `monty` (a worker process of `pydantic-monty`) | files, network, environment, other modules |
| a program | `bubblewrap` (namespaces, rlimits, seccomp) | network, files outside its scratch folder and the read-only system |
| SQL | `database` (a copy in the memory of a worker process) | the file itself, other files, extensions, pragmas |

Each bounds time, memory and output, and each raises `MissingDependency` or `SandboxMissing` where it cannot be had: nothing is ever run without its
sandbox. Knows processes and limits; does not know tools, solvers or models.
"""
