"""What a server may be told, and the secrets it makes. Closed by default: loopback, a token, and only the names of this machine as Host.

Settings(token="...").page_key -> the secret part of the pages' address; it opens no endpoint
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds and secrets of one server. Sizes in bytes, times in seconds."""

    token: str = field(repr=False)
    hosts: frozenset[str] = LOOPBACK
    """Names a Host header may give, without port."""
    origins: frozenset[str] = frozenset()
    """Other sites whose pages may ask from a browser (`https://host:port`), each with the token like everybody else."""
    max_body_bytes: int = 1 << 20
    max_requests: int = 16
    """Generations under way at once; more are refused with 429."""
    max_n: int = 8
    """Most answers to one request."""
    max_tokens: int = 16_384
    """Most tokens of one completion."""
    max_calls: int = 500
    """Most calls one request may make."""
    max_connections: int = 512
    """Connections at once; past that the one that has waited longest without a request under way is closed for a new one."""
    max_per_address: int = 256
    """Connections of one address at once, the same way."""
    first_byte_s: float = 10.0
    """Within which whoever connects has to send something."""
    headers_s: float = 10.0
    """Within which the headers of a request have to be there, from their first byte on."""
    body_s: float = 60.0
    """Within which the body has to be there, from the headers on."""
    write_s: float = 60.0
    """For how long whoever asked may not take in what is answered."""
    alive_s: float = 10.0
    """After which a stream in which nothing comes is sent a comment."""
    drain_s: float = 20.0
    """How long requests under way may go on when the server is stopped; then they are parked."""

    @property
    def page_key(self) -> str:
        """The secret path the pages stand under, made from the token; the token cannot be told from it."""
        return hmac.new(self.token.encode(), b"reasoner pages", hashlib.sha256).hexdigest()[:32]
