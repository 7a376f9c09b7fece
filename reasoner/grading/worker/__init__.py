"""The process in which equations are compared, the user's patterns run and the user's functions judge, with a limit of time and memory.

`process.py` is our end, `__main__.py` the other. What the process is asked is data (JSON lines); it is told no code.
"""
