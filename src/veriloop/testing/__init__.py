"""Contract suites that every part must pass, built in or plug-in, and tiny parts for tests."""

from .contracts.datasets import check_dataset
from .contracts.executors import check_executor
from .contracts.learners import check_generator, check_learner
from .contracts.metrics import check_metric
from .contracts.parts import check_part
from .contracts.rules import check_acceptance, check_policy, check_schedule
from .contracts.trackers import check_tracker
from .contracts.verifiers import check_verifier

__all__ = [
    "check_acceptance",
    "check_dataset",
    "check_executor",
    "check_generator",
    "check_learner",
    "check_metric",
    "check_part",
    "check_policy",
    "check_schedule",
    "check_tracker",
    "check_verifier",
]
