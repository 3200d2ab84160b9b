"""Train generative models on their own verified output, and know whether it helps.

The public API: ``import veriloop as vl``. A name is imported when it is first used.
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING

from .lazy import export_lazily as _export_lazily

if TYPE_CHECKING:
    from . import datasets, executors, learners, metrics, rules, schema, testing, theory, trackers, verifiers
    from .advise.auditing import Audit, audit
    from .advise.calibration import Calibration, calibrate
    from .advise.forecasting import Forecast
    from .advise.stop import Stop
    from .cards import Gate
    from .comparison.engine import Comparison, compare
    from .config import load_plan
    from .datasets.base import Dataset, RealData
    from .errors import VeriloopError
    from .executors.base import Executor
    from .generator import Generator
    from .judge import Judge
    from .learners.base import Learner
    from .loop.plan import Arm, Plan
    from .loop.previews import Preview, preview
    from .metrics.base import Evaluation, Metric
    from .quantity import Near, Quantity
    from .records import Estimate, RoundRecord, RowEstimate
    from .rng import Address
    from .rules.acceptance import Acceptance, Pointwise, Ranked
    from .rules.policy import DataPolicy
    from .rules.schedule import Schedule
    from .runs import Run, forecast, run
    from .samples import Samples
    from .schema import Schema
    from .trackers.base import Tracker
    from .verdicts import Decision, Verdicts
    from .verifiers.base import AsConfigured, Verifier

__all__ = [
    "Acceptance",
    "Address",
    "Arm",
    "AsConfigured",
    "Audit",
    "Calibration",
    "Comparison",
    "DataPolicy",
    "Dataset",
    "Decision",
    "Estimate",
    "Evaluation",
    "Executor",
    "Forecast",
    "Gate",
    "Generator",
    "Judge",
    "Learner",
    "Metric",
    "Near",
    "Plan",
    "Pointwise",
    "Preview",
    "Quantity",
    "Ranked",
    "RealData",
    "RoundRecord",
    "RowEstimate",
    "Run",
    "Samples",
    "Schedule",
    "Schema",
    "Stop",
    "Tracker",
    "Verdicts",
    "Verifier",
    "VeriloopError",
    "__version__",
    "audit",
    "calibrate",
    "compare",
    "datasets",
    "executors",
    "forecast",
    "learners",
    "load_plan",
    "metrics",
    "preview",
    "rules",
    "run",
    "schema",
    "testing",
    "theory",
    "trackers",
    "verifiers",
]

__version__: str = _version("veriloop")

_export_lazily(
    globals(),
    {
        ".advise.auditing": ["Audit", "audit"],
        ".advise.calibration": ["Calibration", "calibrate"],
        ".advise.forecasting": ["Forecast"],
        ".advise.stop": ["Stop"],
        ".cards": ["Gate"],
        ".comparison.engine": ["Comparison", "compare"],
        ".config": ["load_plan"],
        ".datasets.base": ["Dataset", "RealData"],
        ".errors": ["VeriloopError"],
        ".executors.base": ["Executor"],
        ".generator": ["Generator"],
        ".judge": ["Judge"],
        ".learners.base": ["Learner"],
        ".loop.plan": ["Arm", "Plan"],
        ".loop.previews": ["Preview", "preview"],
        ".metrics.base": ["Evaluation", "Metric"],
        ".quantity": ["Near", "Quantity"],
        ".records": ["Estimate", "RoundRecord", "RowEstimate"],
        ".rng": ["Address"],
        ".rules.acceptance": ["Acceptance", "Pointwise", "Ranked"],
        ".rules.policy": ["DataPolicy"],
        ".rules.schedule": ["Schedule"],
        ".runs": ["Run", "forecast", "run"],
        ".samples": ["Samples"],
        ".schema": ["Schema"],
        ".trackers.base": ["Tracker"],
        ".verdicts": ["Decision", "Verdicts"],
        ".verifiers.base": ["AsConfigured", "Verifier"],
    },
    modules=[
        "datasets",
        "executors",
        "learners",
        "metrics",
        "rules",
        "schema",
        "testing",
        "theory",
        "trackers",
        "verifiers",
    ],
)
