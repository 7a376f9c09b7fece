"""The handle a strategy gets, and what stands behind it: see `reasoner.session.session`."""

from reasoner.session.rules import Rules
from reasoner.session.session import Session

__all__ = ["Rules", "Session"]
