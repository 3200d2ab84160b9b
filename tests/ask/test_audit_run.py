"""Audits of runs: the verifier's choices in a round, told from the folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.advise.audited import FOLDER, Audited
from veriloop.ask.audit_run import audit_run
from veriloop.ask.replay import replayed
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import Plan, run
from veriloop.store.folder import RunFolder

TINY = "veriloop.testing.tiny"


def plan(**changes: Any) -> Plan:
    """Points that are good already, and a verifier that wants them 0.6 further right."""
    settings = {
        "rounds": 1,
        "dataset": {"kind": f"{TINY}:TinyData", "start": 300, "test": 3_000},
        "learner": f"{TINY}:TinyLearner",
        "verifier": {"kind": f"{TINY}:TinyVerifier", "bias": 0.6},
        "acceptance": {"kind": "top_fraction", "fraction": 0.3},
        "schedule": {"kind": "constant", "n": 600},
        "arms": ["verified"],
        "balance": "label",
    }
    return plan_from({**settings, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(plan(), tmp_path_factory.mktemp("runs") / "tiny")


def test_a_runs_verifier_is_audited_and_the_finding_kept(folder: RunFolder) -> None:
    found, path = audit_run(plan(), folder, "verified", None)
    assert found.subject == f"verified, round 1: {TINY}:TinyVerifier"
    assert (found.audit.n_generated, found.audit.n_accepted) == (2_001, 600)
    assert path is not None
    assert path == folder.path / FOLDER / "verified-round_1.json"
    assert Audited.from_bytes(folder.finding(path)).to_bytes() == found.to_bytes()
    # Principal components of points in the plane turn them, and distances in spreads stay.
    made = replayed(plan(), folder, "verified", 1)
    x, data = made.samples.array("x"), made.data.test.array("x").mean(axis=0)
    precision = np.linalg.inv(np.cov(x.T, bias=True))
    for mean, distance in zip(
        (x.mean(axis=0), folder.kept(1, "verified").array("x").mean(axis=0)),
        found.audit.distances,
        strict=False,
    ):
        np.testing.assert_allclose(np.sqrt((mean - data) @ precision @ (mean - data)), distance, rtol=1e-6)
    assert found.audit.distances[1] > found.audit.distances[0]


def test_samples_for_covariates_are_refused(tmp_path: Path) -> None:
    linear = plan_from(
        {
            "rounds": 1,
            "dataset": {"kind": "linear", "theta_star": [1.0, 1.0]},
            "learner": "ols",
            "verifier": {"kind": "knowledge_ball", "center": [1.0, 1.0], "radius": 1.0},
            "balance": "direction",
            "schedule": {"kind": "constant", "n": 50},
            "arms": ["verified"],
        }
    )
    with pytest.raises(ConfigError, match="covariates x"):
        audit_run(linear, run(linear, tmp_path / "linear"), "verified", 1)
