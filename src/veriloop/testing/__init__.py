"""Contract suites that every part must pass, ours or a plug-in's, and tiny parts to test with."""

from .contracts import (
    check_acceptance,
    check_dataset,
    check_executor,
    check_generator,
    check_learner,
    check_metric,
    check_part,
    check_policy,
    check_schedule,
    check_verifier,
)

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
    "check_verifier",
]
