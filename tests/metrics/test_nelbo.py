import numpy as np
import pytest

from veriloop.errors import ConfigError
from veriloop.learners.cvae import CVAE
from veriloop.metrics.base import Evaluation
from veriloop.metrics.nelbo import NELBO
from veriloop.testing import check_metric
from veriloop.testing.tiny import TinyGenerator


def test_keeps_the_contract(like_real: Evaluation) -> None:
    check_metric(NELBO(), like_real)


def test_means_and_their_errors(like_real: Evaluation) -> None:
    found = NELBO().measure(like_real, np.random.default_rng(0))
    n = len(like_real.real)
    assert found["reconstruction"].value == (n - 1) / 2
    assert found["kl"].value == 2
    assert found["nelbo"].value == (n - 1) / 2 + 2
    assert found["nelbo"].se == pytest.approx(np.arange(n).std(ddof=1) / np.sqrt(n))
    assert found["kl"].se == 0


def test_the_bound_of_a_real_model_is_the_mean_of_its_elbo(like_real: Evaluation) -> None:
    learner = CVAE(levels=16, classes=10, latent_dim=2, channels=(4, 4), kernel=2, epochs=1)
    generator = learner.fit(like_real.generated, None, np.random.default_rng(0))
    found = NELBO().measure(
        Evaluation(generator, like_real.generated, like_real.real), np.random.default_rng(1)
    )
    bound = generator.elbo(like_real.real, np.random.default_rng(1))
    assert found["nelbo"].value == pytest.approx(float(np.mean(bound.reconstruction + bound.kl)))


def test_without_held_out_images_there_is_no_number(like_real: Evaluation) -> None:
    empty = Evaluation(like_real.generator, like_real.generated, like_real.real.select(slice(0)))
    assert all(np.isnan(e.value) for e in NELBO().measure(empty, np.random.default_rng(0)).values())


def test_a_generator_without_a_bound_is_refused(like_real: Evaluation) -> None:
    other = Evaluation(TinyGenerator(np.zeros((3, 2)), np.ones((3, 2))), like_real.generated, like_real.real)
    with pytest.raises(ConfigError, match=r"got 'TinyGenerator'.*Remove nelbo"):
        NELBO().measure(other, np.random.default_rng(0))
