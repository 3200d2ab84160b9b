"""The loop: generate, verify, keep, retrain, measure; several arms, round by round."""

from .check import CheckedPlan, checked
from .memory import MemoryRun
from .plan import Arm, Plan
from .preview import Preview, preview
from .run import run
from .step import Context, State, begin, step
from .stores import Resume, load_state

__all__ = [
    "Arm",
    "CheckedPlan",
    "Context",
    "MemoryRun",
    "Plan",
    "Preview",
    "Resume",
    "State",
    "begin",
    "checked",
    "load_state",
    "preview",
    "run",
    "step",
]
