from pathlib import Path

import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.datasets.digits import Digits
from veriloop.errors import ConfigError
from veriloop.learners.cvae import CVAE
from veriloop.samples import Samples
from veriloop.testing import check_verifier
from veriloop.verifiers import Against, Discriminator, KnowledgeBall

DATA = Digits(start=300)
LEARNER = CVAE(latent_dim=2, channels=(4, 4), kernel=2, epochs=2)
INNER = Discriminator(hidden=(16,), epochs=2)
AGAINST = Against(verifier=INNER, learner=LEARNER).suited_to(DATA.schema())


@pytest.fixture(scope="module")
def digits() -> RealData:
    return DATA.load(0)


def poor_model(digits: RealData):
    return LEARNER.suited_to(DATA.schema()).fit(digits.start, None, np.random.default_rng(9))


def test_keeps_the_contract(digits: RealData) -> None:
    check_verifier(AGAINST, poor_model(digits), digits.train, digits.conditions)


def scores(judge, samples: Samples) -> np.ndarray:
    return judge.verify(samples, np.random.default_rng(0)).score


def test_it_learns_against_a_model_of_all_real_samples_and_keeps_that(digits: RealData) -> None:
    poor, rng = poor_model(digits), np.random.default_rng(1)
    judge = AGAINST.fit(None, poor, digits.train, rng)
    of_model, of_verifier = np.random.default_rng(1).spawn(2)
    strong = AGAINST.learner.fit(digits.train, None, of_model)
    expected = AGAINST.verifier.fit(None, strong, digits.train, of_verifier)
    assert np.array_equal(scores(judge, digits.test), scores(expected, digits.test))
    # The round's model does not matter, neither now nor later.
    assert np.array_equal(
        scores(AGAINST.fit(None, strong, digits.train, np.random.default_rng(1)), digits.test),
        scores(judge, digits.test),
    )
    assert AGAINST.fit(judge, strong, digits.train, rng) is judge


def test_it_is_read_back_as_it_was(digits: RealData, tmp_path: Path) -> None:
    judge = AGAINST.fit(None, poor_model(digits), digits.train, np.random.default_rng(1))
    judge.save(tmp_path)
    assert np.array_equal(scores(AGAINST.load(tmp_path), digits.test), scores(judge, digits.test))


def test_what_it_says_of_itself_is_what_the_inner_verifier_says() -> None:
    assert Against(verifier=INNER, learner=LEARNER).only_scores
    assert not Against(verifier=INNER, learner=LEARNER).calibrated
    assert Against(verifier=Discriminator(calibration=0.1), learner=LEARNER).calibrated


def test_a_verifier_that_learns_nothing_is_refused() -> None:
    ball = KnowledgeBall(center=(0.0,), radius=1.0)
    with pytest.raises(ConfigError, match=r"'against' is for a verifier that learns: got 'knowledge_ball'"):
        Against(verifier=ball, learner=LEARNER).suited_to(DATA.schema())
