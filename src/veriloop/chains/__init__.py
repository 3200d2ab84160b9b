"""Toy chains, thousands at once: the loop's law for learners whose models are a few numbers, in NumPy."""

from ._simulate import Courses, simulate, why_not

__all__ = ["Courses", "simulate", "why_not"]
