"""Clients that leave at random moments, each a process of its own, so that one can be killed like any other.

    python leaving_clients.py PORT TOKEN SEED N MODEL BEGUN

forks a process a client, 16 at once: it sends one request and leaves by an end, a reset, an end of its sending half alone, or kill -9. Two of three wait
until the folder BEGUN holds a file of their name, which says that a call was begun for them. Prints
`NAME HOW SECONDS` for each when its socket is closed for certain; the clock is the system's monotonic one, so other processes can compare.
Knows sockets of the standard library only, and starts in a moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import sys
import time
from pathlib import Path

AT_ONCE = 16
ENDS = ("end", "reset", "half", "killed")
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
STAYS_S = (0.02, 0.1, 0.4)
"""How long a client stays at most; one of these is drawn, then a moment up to it."""
PATIENCE_S = 30.0


def request(name: str, rng: random.Random, token: str, model: str) -> bytes:
    """Return one request of a client: a dialect and whether it streams are drawn."""
    path = rng.choice(PATHS)
    asked = f"I am {name}, what is 1?"
    body: dict[str, object] = {"model": model, "stream": rng.random() < 0.5}
    if path == "/v1/responses":
        body |= {"input": asked, "max_output_tokens": 64}
    else:
        body |= {"messages": [{"role": "user", "content": asked}], "max_tokens": 64}
    data = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Content-Type: application/json",
        f"X-Client: {name}", f"Content-Length: {len(data)}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + data


def client(name: str, how: str, rng: random.Random, port: int, token: str, model: str, begun: Path) -> None:
    """Ask and leave; says when it has left, unless it is killed."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(request(name, rng, token, model))
    if rng.random() < 0.1:  # another request right behind: the server does not read on until the first is answered
        sock.sendall(request(f"{name}b", rng, token, model))
    until = time.monotonic() + PATIENCE_S
    waits = rng.random() < 2 / 3
    while waits and not (begun / name).exists() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(rng.random() * rng.choice(STAYS_S))
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:  # a reset at once, or an end: closing waits until the other side has it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0 if how == "reset" else 5))
        sock.close()
    told(name, how)
    if how == "half":
        sock.settimeout(30)
        while sock.recv(65536):  # it still hears what is said
            continue


def told(name: str, how: str) -> None:
    """Write one line of the output, whole."""
    os.write(1, f"{name} {how} {time.monotonic()!r}\n".encode())


def main() -> None:
    """Run all clients; see the module."""
    port, token, seed, n, model, begun = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], Path(sys.argv[6])
    living: dict[int, str] = {}

    def wait_for_one() -> None:
        pid, _ = os.wait()
        name, how = living.pop(pid).split()
        if how == "killed":  # its sockets were closed before it could be waited for
            told(name, how)

    for number in range(n):
        while len(living) >= AT_ONCE:
            wait_for_one()
        rng = random.Random(f"{seed}/{number}")
        name, how = f"client-{number}", rng.choice(ENDS)
        if pid := os.fork():
            living[pid] = f"{name} {how}"
            continue
        try:
            client(name, how, rng, port, token, model, begun)
        except ConnectionError:
            told(name, how)  # it was thrown out
        os._exit(0)
    while living:
        wait_for_one()


if __name__ == "__main__":
    main()
