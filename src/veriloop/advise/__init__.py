"""Advice from numbers: how far a verifier can be trusted, and for how long. NumPy and SciPy only."""

from .audit import Audit, audit

__all__ = ["Audit", "audit"]
