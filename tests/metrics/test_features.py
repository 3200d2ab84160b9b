import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.datasets.digits import Digits
from veriloop.datasets.idx import MNIST, FashionMNIST
from veriloop.errors import ConfigError, CorruptFileError, DataError
from veriloop.generator import Generator
from veriloop.metrics import features
from veriloop.metrics.accuracy import Accuracy
from veriloop.metrics.base import Evaluation, Metric
from veriloop.metrics.classifiers import SHIPPED, WEIGHTS, load_card
from veriloop.metrics.diversity import Diversity
from veriloop.metrics.features import familiar_classifier, load_classifier, see, views
from veriloop.metrics.frechet import Frechet
from veriloop.metrics.prdc import PRDC
from veriloop.samples import Samples
from veriloop.schema import Category, Image, Label, Number, Schema
from veriloop.testing import check_metric


class RealImages(Generator):
    """Draws from a pool."""

    def __init__(self, pool: Samples) -> None:
        self.pool = pool

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return self.pool.select(rng.integers(len(self.pool), size=n))

    def save(self, directory: Path) -> None:
        self.pool.save(directory / "pool.npz")

    @classmethod
    def load(cls, directory: Path) -> "RealImages":
        return cls(Samples.load(directory / "pool.npz"))


needs_data = pytest.mark.skipif(
    not os.environ.get("VERILOOP_DATA"), reason="needs the real files: set VERILOOP_DATA to their folder"
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_small_and_those_of_their_card(name: str) -> None:
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size < 400_000
    card = load_card(name)
    assert card.command.startswith(f"veriloop train-classifier {name} --out {name}.safetensors")
    load_classifier(name)


def test_the_digits_classifier_is_as_good_as_its_card_says() -> None:
    test = see(Digits(validation=0, test=600).load(0).test, "digits")
    assert np.mean(test.predicted == test.label) == pytest.approx(load_card("digits").test_accuracy, abs=1e-4)
    assert load_card("digits").test_accuracy >= 0.98


@needs_data
@pytest.mark.parametrize(
    ("name", "dataset", "least"), [("mnist", MNIST, 0.99), ("fashion-mnist", FashionMNIST, 0.8)]
)
def test_the_others_are_as_good_as_their_cards_say(name: str, dataset: type[MNIST], least: float) -> None:
    test = dataset(start=10, train=10, validation=0).load(0).test
    look = see(test, name)
    assert np.mean(look.predicted == look.label) == pytest.approx(load_card(name).test_accuracy, abs=1e-4)
    assert load_card(name).test_accuracy >= least
    assert familiar_classifier(test) == name


def test_features_are_the_hidden_layer(digits: RealData) -> None:
    look = see(digits.test, "digits")
    assert look.features.shape == (len(digits.test), load_card("digits").features)
    assert look.features.min() == 0, "after a ReLU"
    last = load_classifier("digits").last
    logits = look.features @ last.weight.double().numpy().T + last.bias.double().numpy()
    assert np.array_equal(logits.argmax(1), look.predicted)


def test_an_image_is_seen_alike_in_any_company(digits: RealData) -> None:
    whole, part = see(digits.test, "digits"), see(digits.test.select(slice(7, 11)), "digits")
    assert np.array_equal(whole.features[7:11], part.features)


def test_metrics_share_the_features(like_real: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Evaluation(like_real.generator, like_real.generated, like_real.real)
    first = views(fresh, "digits")
    monkeypatch.setattr(features, "see", lambda *_: pytest.fail("seen twice"))
    assert views(fresh, "digits") is first


def test_auto_finds_the_digits(like_real: Evaluation) -> None:
    assert familiar_classifier(like_real.real) == "digits"


@pytest.mark.parametrize("side", [8, 12])
def test_auto_refuses_images_that_no_classifier_knows(side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 17, (50, side, side), np.uint8)
    with pytest.raises(DataError, match="no bundled classifier suits these images"):
        familiar_classifier(Samples(pixels=pixels, label=np.arange(50) % 10))


def test_no_samples_are_no_problem(digits: RealData) -> None:
    assert see(digits.test.select(slice(0)), "digits").features.shape == (0, 64)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="got '28x28', expected 8x8"):
        see(Samples(pixels=np.zeros((1, 28, 28), np.uint8), label=np.zeros(1, np.int64)), "digits")


def test_an_unknown_classifier_is_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'mnist'"):
        Frechet(classifier="mnits")


def test_a_classifier_of_ones_own_is_named_by_its_path(tmp_path: Path, like_real: Evaluation) -> None:
    for suffix in (".safetensors", ".json"):
        shutil.copy(WEIGHTS / f"digits{suffix}", tmp_path / f"mine{suffix}")
    own = Frechet(classifier=str(tmp_path / "mine.safetensors"))
    rng = np.random.default_rng(0)
    assert own.measure(like_real, rng) == Frechet(classifier="digits").measure(like_real, rng)


@pytest.mark.parametrize("damage", ["no weights", "no card", "cut weights", "cut card", "another card"])
def test_damaged_classifiers_are_refused(tmp_path: Path, damage: str) -> None:
    weights, card = tmp_path / "mine.safetensors", tmp_path / "mine.json"
    shutil.copy(WEIGHTS / "digits.safetensors", weights)
    shutil.copy(WEIGHTS / "digits.json", card)
    match damage:
        case "no weights":
            weights.unlink()
        case "no card":
            card.unlink()
        case "cut weights":
            weights.write_bytes(weights.read_bytes()[:-9])
        case "cut card":
            card.write_text(card.read_text()[:50])
        case _:
            card.write_text(json.dumps({**json.loads(card.read_text()), "sha256": "0" * 64}))
    with pytest.raises(CorruptFileError, match="mine"):
        load_classifier(str(weights))


def test_images_that_no_classifier_knows_are_refused_before_a_run(tmp_path: Path) -> None:
    label = Label(classes=10)
    Frechet().check_ahead(Schema({"drawn": Image(height=8, width=8, levels=16), "label": label}))
    Frechet().check_ahead(Schema({"drawn": Image(height=28, width=28, levels=1), "label": label}))
    for image in (
        Image(height=9, width=8, levels=16),
        Image(height=8, width=8, levels=17),
        Image(height=8, width=8, levels=16, channels=3),
    ):
        with pytest.raises(ConfigError, match="'frechet': classifier 'auto' was not trained on such images"):
            Frechet().check_ahead(Schema({"pixels": image, "label": label}))
    with pytest.raises(ConfigError, match="11 labels"):
        Frechet(classifier="digits").check_ahead(
            Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=11)})
        )
    with pytest.raises(CorruptFileError, match="cannot be read"):
        Frechet(classifier=str(tmp_path / "mine.safetensors")).check_ahead(
            Schema({"pixels": Image(height=8, width=8, levels=16), "label": label})
        )


@pytest.mark.parametrize(
    "metric", [Frechet(), Diversity(), Accuracy(), PRDC()], ids=lambda metric: metric.kind
)
def test_a_users_columns_keep_their_names(metric: Metric, like_real: Evaluation) -> None:
    def renamed(samples: Samples) -> Samples:
        return Samples(drawn=samples.array("pixels"), digit=samples.array("label"))

    image, label = Image(height=8, width=8, levels=16), Label(classes=10)
    other = Evaluation(like_real.generator, renamed(like_real.generated), renamed(like_real.real))
    suited = metric.suited_to(Schema({"drawn": image, "digit": label}))
    suited.check_ahead(Schema({"drawn": image, "digit": label}))
    usual = metric.suited_to(Schema({"pixels": image, "label": label}))
    rng = np.random.default_rng
    assert suited.measure(other, rng(0)) == usual.measure(like_real, rng(0))
    with pytest.raises(ConfigError, match=r"needs one column of role image.*Set image to the column's name"):
        metric.suited_to(Schema({"one": image, "other": image, "digit": label}))


COLOUR = Schema({"pixels": Image(height=9, width=7, channels=3, levels=255), "label": Label(classes=2)})


def photographs(n: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples(pixels=rng.integers(0, 256, (n, 9, 7, 3), np.uint8), label=np.arange(n) % 2)


def collapsed(real: Samples) -> Samples:
    return real.select(np.arange(len(real)) % 4)


@pytest.mark.parametrize("classifier", ["random", "pca"])
@pytest.mark.parametrize("metric", [Frechet, PRDC, Diversity])
def test_images_without_a_classifier_are_measured_and_the_title_says_how(
    metric: type[Frechet], classifier: str
) -> None:
    real, made = photographs(60, 0), photographs(80, 1)
    own = metric(classifier=classifier).suited_to(COLOUR)
    said = {"random": "(random network)", "pca": "(principal components)"}[classifier]
    assert all(said in q.title for q in own.quantities.values())
    assert all(said not in q.title for q in metric.quantities.values())
    like = Evaluation(RealImages(real), made, real)
    check_metric(own, like)
    if metric is not PRDC:
        worse = Evaluation(RealImages(real), collapsed(made), real)
        check_metric(own, like, worse)


def test_auto_is_a_random_network_where_no_classifier_can_know_the_size() -> None:
    assert Frechet().suited_to(COLOUR).classifier == "random"
    digits = Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)})
    assert Frechet().suited_to(digits).classifier == "auto"
    with pytest.raises(ConfigError, match=r"'accuracy' needs a classifier.*veriloop train-classifier"):
        Accuracy().suited_to(COLOUR)


def test_strangers_of_a_known_size_are_refused_before_a_run() -> None:
    noise = Samples(
        pixels=np.random.default_rng(0).integers(0, 17, (50, 8, 8), np.uint8), label=np.arange(50) % 10
    )
    with pytest.raises(DataError, match="use classifier: random"):
        Frechet().check_data(noise)


def test_the_random_network_is_the_same_for_everybody() -> None:
    first = features.of_random_network(photographs(3, 0), photographs(5, 1)).real.features
    features.random_network.cache_clear()
    again = features.of_random_network(photographs(3, 0), photographs(5, 1)).real.features
    assert np.array_equal(first, again)
    assert first.shape == (5, 64)
    assert 0.1 < np.sqrt((first**2).mean()) < 10, "the weights keep the size of what goes through"


TABLE = Schema({"x": Number(), "c": Category(values=("a", "b"))})


def table(n: int, seed: int, share: float = 0.5) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples(x=rng.normal(5, 100, n), c=["a" if u < share else "b" for u in rng.random(n)])


@pytest.mark.parametrize("metric", [Frechet, PRDC, Diversity])
def test_tables_are_measured_in_their_columns(metric: type[Frechet]) -> None:
    own = metric().suited_to(TABLE)
    own.check_ahead(TABLE)
    assert all("(columns)" in q.title for q in own.quantities.values())
    like = Evaluation(RealImages(table(9, 0)), table(300, 1), table(300, 2))
    check_metric(own, like)
    estimate = own.measure(like, np.random.default_rng(0))
    if metric is Frechet:
        other = Evaluation(like.generator, table(300, 1, share=0.9), like.real)
        far = own.measure(other, np.random.default_rng(0))["frechet"]
        # 0.4 of the rows change sides: both entries of the category move by 0.4 / sqrt(2).
        moved = 2 * (0.4**2) / 2
        assert far.value - estimate["frechet"].value == pytest.approx(moved, abs=0.25)


def test_a_changed_classifier_is_noticed() -> None:
    own = Frechet(classifier="some/mine.safetensors")
    assert set(own.sources()) == {"some/mine.safetensors", "some/mine.json"}
    assert Frechet().sources() == {}
