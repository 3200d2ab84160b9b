"""The loop: generate, verify, keep, retrain, measure; several arms, round by round."""

from .check import CheckedPlan, checked
from .memory import MemoryRun
from .one_round import Context, State, begin, step
from .plan import Arm, Plan
from .previews import Preview, preview
from .rounds import run
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
