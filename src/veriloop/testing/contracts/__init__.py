"""Contract suites: what every part of a family must do, ours or a plug-in's.

Each function takes a part and real samples that suit it, and raises AssertionError with a reason, and no
other exception: what a faulty part raises becomes the reason. They are made to be called from a test:

    from veriloop.testing import check_verifier

    def test_my_verifier_keeps_the_contract():
        check_verifier(MyVerifier(), generator, real, conditions)
"""

from .datasets import check_dataset
from .executors import check_executor
from .learners import check_generator, check_learner
from .metrics import check_metric
from .parts import check_part
from .rules import check_acceptance, check_policy, check_schedule
from .verifiers import check_verifier

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
