"""Executors: run work in this process, in several processes, or on a cluster."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .process import Process
    from .ray import Ray
    from .serial import Serial
    from .slurm import Slurm

__all__ = [
    "Process",
    "Ray",
    "Serial",
    "Slurm",
]

export_lazily(
    globals(),
    {
        ".process": ["Process"],
        ".ray": ["Ray"],
        ".serial": ["Serial"],
        ".slurm": ["Slurm"],
    },
)
