"""Toy chains, thousands at once in NumPy, for learners whose models are a few numbers."""

from ._simulate import Courses, simulate, why_not

__all__ = ["Courses", "simulate", "why_not"]
