"""A worker of the local client that does what its requests say: it answers, is slow, dies, or is silent."""

from __future__ import annotations

WORKER = r"""
import os, pathlib, signal, sys, time
from reasoner.clients.llamacpp.frames import read_frame, write_frame
deaths = pathlib.Path(DEATHS)
deaths.write_text(deaths.read_text() + "x")
n_started = len(deaths.read_text())
def die(how):
    if how == "exit": os._exit(7)
    if how == "hang": time.sleep(60)
    if how == "fork":
        child = os.fork()
        if child: deaths.with_name("child").write_text(str(child))
        time.sleep(60)
    if how == "garbage": os.write(1, b"\xff\xff\xff\xff native noise"); time.sleep(60)
    os.kill(os.getpid(), getattr(signal, how))
load = read_frame(0)
os.write(2, b"x" * 100_000 + b"\nlast \x1b[31mwords\n")
if LOAD == "refuse":
    write_frame(1, {"event": "failed", "kind": "BadConfig", "message": "no such model", "hint": "try another"}); os._exit(3)
elif LOAD: die(LOAD)
write_frame(1, {"event": "loaded"})
if WARM and not load["plain"]: die(WARM)
write_frame(1, {"event": "ready"})
while (job := read_frame(0)) is not None:
    if job["op"] == "cancel": continue
    write_frame(1, {"event": "started", "id": job["id"]})
    how, _, times = job["messages"][0][1].partition(" ")
    if how == "together":
        others = [job["id"]] if job.get("alone") else [job["id"], *(read_frame(0)["id"] for _ in range(2))]
        for number in others[1:]: write_frame(1, {"event": "started", "id": number})
        if len(others) > 1: die("SIGABRT")
    if how == "bad": write_frame(1, {"event": "error", "id": job["id"], "kind": times, "message": "m", "hint": "h", "prompt_tokens": 9, "context_tokens": 8}); continue
    if how == "slow":
        for _ in range(int(times)): time.sleep(0.1); write_frame(1, {"event": "beat"})
    elif how == "late": time.sleep(int(times) / 10)
    elif how not in ("ok", "env", "load", "together") and n_started <= int(times or 1): die(how)
    text = str({"env": dict(os.environ), "load": load}.get(how, f"{how} after {n_started}"))
    write_frame(1, {"event": "done", "id": job["id"], "text": text, "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1, "reasoning_tokens": 0, "answer_at": None, "constraint_applied": "none", "mean_logprob": None})
"""
"""`DEATHS` is a file that counts how often it was started, over all restarts; `LOAD` and `WARM` say how it ends while it loads or warms up."""
