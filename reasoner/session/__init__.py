"""The handle a strategy gets, and what stands behind it: see `reasoner.session.session`."""

from reasoner.session.session import Session

__all__ = ["Session"]
