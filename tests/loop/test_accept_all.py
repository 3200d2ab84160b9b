"""A rule that reads no scores, and verifiers that give nothing else."""

import numpy as np
import pytest
from typing_extensions import override

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import run
from veriloop.rules.acceptance import AcceptAll
from veriloop.samples import Samples
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import Verifier

TINY = "veriloop.testing.tiny"
SCORES = [
    {"kind": f"{TINY}:TinyVerifier"},
    {"kind": "discriminator"},
    {"kind": "reference"},
    {"kind": "judge", "url": "http://host/v1", "model": "m", "rubric": "Good?"},
    {"kind": "weighted", "members": [f"{TINY}:TinyVerifier"], "weights": [1]},
]
DECIDE = [
    {"kind": f"{TINY}:TinyVerifier", "mode": "decide"},
    {"kind": "knowledge_ball", "center": [1], "radius": 1},
    {"kind": "judge", "url": "http://host/v1", "model": "m", "rubric": "Good?", "asks": "decision"},
    {"kind": "cutoff", "at": 0, "verifier": f"{TINY}:TinyVerifier"},
]


class Unforeseen(Verifier, frozen=True):
    """Leaves all open, and does not say so beforehand."""

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return Verdicts(np.zeros(len(samples)))


@pytest.mark.parametrize("rule", [{"acceptance": "accept_all"}, {}], ids=["explicit", "omitted"])
@pytest.mark.parametrize("verifier", SCORES, ids=lambda v: v["kind"])
def test_it_is_refused_where_scores_are_all_there_is(tiny_config, verifier, rule):
    tiny_config.pop("acceptance")
    with pytest.raises(
        ConfigError, match=r"arms\.verified: .*'accept_all'.*Set acceptance, such as \{kind: top"
    ):
        plan_from({**tiny_config, "verifier": verifier, **rule})


@pytest.mark.parametrize("verifier", DECIDE, ids=lambda v: v["kind"])
def test_it_is_let_through_where_the_verifier_decides(tiny_plan, verifier):
    assert tiny_plan(verifier=verifier, acceptance="accept_all").arms["verified"].verifier is not None


def test_what_nobody_foresaw_is_refused_at_the_first_chunk(tiny_plan, tmp_path):
    plan = tiny_plan(arms=["verified"])
    changes = {"verifier": Unforeseen(), "acceptance": AcceptAll()}
    arm = plan.arms["verified"].model_copy(update=changes)
    plan = plan.model_copy(update={"arms": {"verified": arm}})
    with pytest.raises(ConfigError, match=r"would keep every candidate.*Set acceptance, such as"):
        run(plan, tmp_path / "run")
