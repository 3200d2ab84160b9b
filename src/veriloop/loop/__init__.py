"""The loop: generate, verify, keep, retrain, measure; several arms, round by round."""

from .check import CheckedPlan, checked
from .plan import Arm, Plan
from .preview import Preview, preview
from .run import Resume, load_state, run
from .step import Context, State, begin, step

__all__ = [
    "Arm",
    "CheckedPlan",
    "Context",
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
