import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.datasets.digits import Digits
from veriloop.errors import ConfigError
from veriloop.learners.cvae import CVAE
from veriloop.metrics import PRDC, Accuracy, Frechet, OfMeans
from veriloop.metrics.base import Evaluation
from veriloop.schema import Schema
from veriloop.testing import check_metric

SCHEMA = Digits(start=500).schema()
BOTH = OfMeans(metrics=(Frechet(), Accuracy())).suited_to(SCHEMA)


@pytest.fixture(scope="module")
def trained(digits: RealData) -> Evaluation:
    learner = CVAE(levels=16, classes=10, latent_dim=4, channels=(8, 8), kernel=2, epochs=10)
    generator = learner.fit(digits.start, None, np.random.default_rng(0))
    conditions = digits.test.only(["label"])
    drawn = generator.sample(len(conditions), np.random.default_rng(1), conditions)
    return Evaluation(generator, drawn, digits.test)


def test_keeps_the_contract(trained: Evaluation) -> None:
    check_metric(BOTH, trained)


def test_it_is_the_metric_of_a_generator_that_draws_its_means(trained: Evaluation) -> None:
    found = BOTH.measure(trained, np.random.default_rng(2))
    n = len(trained.generated)
    shares = trained.generator.means(n, np.random.default_rng(2), trained.generated)  # pyright: ignore[reportAttributeAccessIssue]
    means = trained.generated.with_columns(pixels=shares * np.float32(16))
    of_means = Evaluation(trained.generator, means, trained.real)
    rng = np.random.default_rng(3)  # neither metric draws anything
    expected = Frechet().suited_to(SCHEMA).measure(of_means, rng)["frechet"]
    assert found["frechet_of_means"].value == expected.value
    assert found["frechet_of_means"].se == expected.se
    accuracy = Accuracy().suited_to(SCHEMA).measure(of_means, rng)["accuracy"]
    assert found["accuracy_of_means"].value == accuracy.value
    drawn = Frechet().suited_to(SCHEMA).measure(trained, rng)["frechet"]
    assert abs(expected.value - drawn.value) > 4 * np.hypot(expected.se, drawn.se)  # other images


def test_quantities_say_that_they_are_of_means() -> None:
    quantities = BOTH.quantities
    assert quantities["frechet_of_means"].title == "Fréchet distance, of means"
    assert quantities["frechet_of_means"].better == "lower"
    assert quantities["accuracy_3_of_means"].part_of == "accuracy_of_means"
    assert set(quantities) == {f"{q}_of_means" for m in (Frechet(), Accuracy()) for q in m.quantities}


def test_settings_of_the_metrics_and_of_the_data_come_through() -> None:
    assert BOTH.levels == 16
    assert BOTH.image == "pixels"
    with pytest.raises(ConfigError, match="levels"):
        OfMeans(metrics=(Frechet(),), levels=255).suited_to(SCHEMA)
    read = OfMeans.model_validate({"kind": "means", "metrics": ["frechet", {"kind": "prdc", "k": 3}]})
    assert read.metrics == (Frechet(), PRDC(k=3))


def test_a_metric_that_cannot_be_measured_is_refused_ahead() -> None:
    missing = OfMeans(metrics=(Frechet(classifier="mnist"),)).suited_to(SCHEMA)
    with pytest.raises(ConfigError, match="not trained on such images"):
        missing.check_ahead(SCHEMA)
    with pytest.raises(ConfigError, match="at least 1"):
        OfMeans(metrics=())


def test_data_without_images_are_refused() -> None:
    points = Schema({"x": {"role": "number"}})
    with pytest.raises(ConfigError, match="image"):
        OfMeans(metrics=(Frechet(),)).suited_to(points)


def test_a_generator_without_means_is_refused(like_real: Evaluation) -> None:
    with pytest.raises(ConfigError, match=r"got 'RealImages'.*Remove means"):
        BOTH.measure(like_real, np.random.default_rng(0))
