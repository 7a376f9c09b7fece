"""The handle a strategy gets, and what stands behind it: see `reasoner.session.session`."""

from reasoner.session.session import Rules, Session

__all__ = ["Rules", "Session"]
