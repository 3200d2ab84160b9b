"""The loop: generate, verify, keep, retrain, measure; several arms, round by round."""

from .plan import Arm, Plan
from .preview import Preview, preview
from .run import Resume, load_state, run
from .step import Context, State, begin, step

__all__ = [
    "Arm",
    "Context",
    "Plan",
    "Preview",
    "Resume",
    "State",
    "begin",
    "load_state",
    "preview",
    "run",
    "step",
]
