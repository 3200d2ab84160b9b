import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from veriloop.errors import ConfigError, ContractError, CorruptFileError, DataError
from veriloop.generator import Generator
from veriloop.rules.acceptance import DensityRatio
from veriloop.samples import Samples
from veriloop.schema import Image, Label, Schema
from veriloop.testing import check_verifier
from veriloop.verdicts import Decision
from veriloop.verifiers import _discriminator_judge as torch_side
from veriloop.verifiers._calibration import Calibration
from veriloop.verifiers._discriminator_judge import DiscriminatorJudge
from veriloop.verifiers.discriminator import Discriminator

TINY = Discriminator(levels=16, classes=3, hidden=(32, 8), epochs=20, learning_rate=5e-3)


def fit(verifier: Discriminator, generator: Generator, real: Samples, seed: int = 0) -> DiscriminatorJudge:
    judge = verifier.fit(None, generator, real, rng(seed))
    assert isinstance(judge, DiscriminatorJudge)
    return judge


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def striped(label: np.ndarray, contrast: float, seed: int) -> Samples:
    """Images with every third pixel bright, which one by label; ``contrast`` 0 is grey noise."""
    bright = np.arange(64) % 3 == label[:, None]
    p = (0.5 + contrast * (bright - 0.5)).reshape(-1, 8, 8)
    return Samples(pixels=rng(seed).binomial(16, p).astype(np.uint8), label=label)


class Striped(Generator):
    """Draws striped images of a fixed contrast, for labels off by ``shift``; notes what was asked."""

    def __init__(self, contrast: float, shift: int = 0) -> None:
        self.contrast, self.shift = contrast, shift
        self.asked: list[np.ndarray] = []

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        self.asked.append(condition.array("label"))
        label = condition.array("label")
        drawn = striped((label + self.shift) % 3, self.contrast, int(rng.integers(2**31)))
        return drawn.with_columns(label=label)

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Striped":
        return cls(0.0)


REAL = striped(np.arange(600) % 3, 0.8, seed=1)
HELD_OUT = striped(np.arange(300) % 3, 0.8, seed=2)
POOR = striped(np.arange(300) % 3, 0.4, seed=3)


@pytest.fixture(scope="module")
def trained() -> DiscriminatorJudge:
    return fit(TINY, Striped(0.4), REAL)


@pytest.mark.parametrize("fields", [{}, {"refit": "once"}, {"calibration": 0.2}], ids=str)
def test_keeps_the_contract(fields: dict) -> None:
    verifier = Discriminator.model_validate({**TINY.model_dump(), **fields})
    check_verifier(verifier, Striped(0.4), REAL, Samples(label=np.arange(3)))


def test_tells_held_out_real_images_from_generated_ones(trained: DiscriminatorJudge) -> None:
    real, poor = (trained.verify(s, rng()).score for s in (HELD_OUT, POOR))
    assert 0 < poor.min() < real.max() < 1
    assert np.mean(real[:, None] > poor) > 0.95
    assert real.mean() > 0.8 > 0.2 > poor.mean()


def test_of_a_perfect_generator_it_cannot_tell() -> None:
    score = fit(TINY, Striped(0.8), REAL).verify(HELD_OUT, rng()).score
    assert abs(score.mean() - 0.5) < 0.1


def test_it_learns_that_a_label_does_not_belong() -> None:
    trained = fit(TINY, Striped(0.8, shift=1), REAL)
    wrong = HELD_OUT.with_columns(label=(HELD_OUT.array("label") + 2) % 3)
    assert trained.verify(wrong, rng()).score.mean() < 0.2
    assert trained.verify(HELD_OUT, rng()).score.mean() > 0.8


def test_it_asks_for_as_many_images_as_are_real_with_their_labels() -> None:
    generator = Striped(0.4)
    fit(TINY, generator, REAL)
    assert [a.tolist() for a in generator.asked] == [REAL.array("label").tolist()]


def test_a_weak_verifier_sees_the_same_few_balanced_real_images_every_round() -> None:
    weak = TINY.model_copy(update={"real_images": 12})
    generator = Striped(0.4)
    for seed in range(2):
        fit(weak, generator, REAL, seed)
    assert generator.asked[0].tolist() == generator.asked[1].tolist()
    assert np.bincount(generator.asked[0]).tolist() == [4, 4, 4]


def test_it_is_fitted_once_or_in_each_round() -> None:
    once = TINY.model_copy(update={"refit": "once"})
    first = fit(once, Striped(0.4), REAL)
    assert once.fit(first, Striped(0.0), REAL, rng(1)) is first
    second = TINY.fit(first, Striped(0.0), REAL, rng(1))
    assert not np.array_equal(first.verify(POOR, rng()).score, second.verify(POOR, rng()).score)


def test_the_old_word_is_answered_with_the_new_one() -> None:
    with pytest.raises(
        ValueError, match=r"'mode' belongs to an earlier version.*refit: each_round .* once for fixed"
    ):
        Discriminator.model_validate({"mode": "fixed"})


DATA = Schema({"scan": Image(height=8, width=8, levels=16), "digit": Label(classes=3)})


def test_columns_levels_and_classes_come_from_the_data() -> None:
    suited = Discriminator(hidden=(32, 8), epochs=20, learning_rate=5e-3).suited_to(DATA)
    assert (suited.image, suited.label, suited.levels, suited.classes) == ("scan", "digit", 16, 3)
    assert TINY.suited_to(DATA) == TINY.model_copy(update={"image": "scan", "label": "digit"})

    class Renamed(Striped):
        def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
            assert condition is not None
            return named(super().sample(n, rng, Samples(label=condition.array("digit"))))

    def named(samples: Samples) -> Samples:
        return Samples(scan=samples["pixels"], digit=samples["label"])

    judge = fit(suited, Renamed(0.4), named(REAL))
    expected = fit(TINY, Striped(0.4), REAL).verify(POOR, rng()).score
    assert np.array_equal(judge.verify(named(POOR), rng()).score, expected), "names change no bit"


UNSUITED = {
    "levels": ({"levels": 1}, DATA, r"levels: got 1, expected 16, as the data's column 'scan' has\. Leave"),
    "classes": ({"classes": 10}, DATA, "classes: got 10, expected 3, as the data's column 'digit'"),
    "no images": (
        {},
        Schema({"text": {"role": "completion"}}),
        "needs a generated column of images, numbers",
    ),
    "no such column": ({"image": "pixels"}, DATA, "image: got 'pixels', expected a column of the data"),
    "another role": ({"label": "scan"}, DATA, "label: column 'scan': got 'image', expected .* label"),
    "two images": (
        {},
        Schema({**DATA, "other": DATA["scan"]}),
        r"got 'scan, other among .*Set image to the column's name",
    ),
}


@pytest.mark.parametrize("case", UNSUITED)
def test_data_that_do_not_suit_it_are_refused(case: str) -> None:
    fields, schema, match = UNSUITED[case]
    with pytest.raises(ConfigError, match=match):
        Discriminator.model_validate(fields).suited_to(schema)


@pytest.mark.parametrize("known", [{"levels": 16}, {"classes": 3}])
def test_without_data_levels_and_classes_have_to_be_set(known: dict[str, int]) -> None:
    missing = "classes" if "levels" in known else "levels"
    with pytest.raises(ConfigError, match=rf"{missing} is not set.*Set {missing}"):
        fit(Discriminator.model_validate(known), Striped(0.4), REAL)


def test_a_score_does_not_depend_on_the_company(trained: DiscriminatorJudge) -> None:
    score = trained.verify(POOR, rng()).score
    rows = rng().permutation(len(POOR))[:17]
    assert np.array_equal(trained.verify(POOR.select(rows), rng(1)).score, score[rows])


def test_a_score_depends_on_the_internal_batch_by_rounding_only(
    trained: DiscriminatorJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = trained.verify(POOR, rng()).score
    monkeypatch.setattr(
        torch_side, "in_batches", lambda f, *c: [f(*(x[i : i + 50] for x in c)) for i in range(0, 300, 50)]
    )
    np.testing.assert_allclose(trained.verify(POOR, rng()).score, score, rtol=1e-5)


def test_equal_streams_equal_networks_whatever_the_global_generator() -> None:
    torch.manual_seed(1)
    a = fit(TINY, Striped(0.4), REAL).verify(POOR, rng()).score
    torch.manual_seed(2)
    state = torch.get_rng_state()
    b = fit(TINY, Striped(0.4), REAL).verify(POOR, rng()).score
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(a, b)
    assert not np.array_equal(a, fit(TINY, Striped(0.4), REAL, 1).verify(POOR, rng()).score)


def test_the_last_layer_is_spectrally_normed_and_folded(trained: DiscriminatorJudge) -> None:
    network = trained.network
    assert torch.linalg.matrix_norm(network.last.weight, 2) == pytest.approx(1.0, abs=1e-6)


def test_training_logits_without_dropout_are_those_of_the_folded_network() -> None:
    network = torch_side.Network(4, 16, 3, (5,))
    pixels, label = torch.arange(8).reshape(2, 4), torch.tensor([0, 2])
    with torch.no_grad():
        training = network.training_logits(pixels, label, 0.0, torch.Generator())
        network.fold()
        torch.testing.assert_close(training, network(pixels, label))
        x = torch.cat([pixels / 16, F.one_hot(label, 3)], 1)
        by_hand = network.last(F.leaky_relu(network.hidden[0](x), 0.2))[:, 0]
        torch.testing.assert_close(training, by_hand)


def test_dropout_keeps_the_mean() -> None:
    network = torch_side.Network(4, 16, 3, (2000,))
    pixels, label = torch.full((50, 4), 16), torch.zeros(50, dtype=torch.int64)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        dropped = network.training_logits(pixels, label, 0.3, generator)
        plain = network.training_logits(pixels, label, 0.0, generator)
    assert dropped.std() > 0
    assert abs(dropped.mean() - plain.mean()) < 4 * dropped.std() / 50**0.5


def test_survives_a_save_and_pickling(trained: DiscriminatorJudge, tmp_path: Path) -> None:
    trained.save(tmp_path)
    score = trained.verify(POOR, rng()).score
    for copy in (TINY.load(tmp_path), DiscriminatorJudge.load(tmp_path), pickle.loads(pickle.dumps(trained))):
        assert np.array_equal(copy.verify(POOR, rng()).score, score)


def test_an_untrained_one_says_that_it_cannot_judge() -> None:
    with pytest.raises(ContractError, match="Discriminator does not define verify"):
        TINY.verify(POOR, rng())


@pytest.mark.parametrize("name", ["discriminator.safetensors", "discriminator.json"])
@pytest.mark.parametrize("keep", [0.0, 0.5, None])
def test_a_damaged_file_is_a_corrupt_file_error(
    trained: DiscriminatorJudge, tmp_path: Path, name: str, keep: float | None
) -> None:
    trained.save(tmp_path)
    path = tmp_path / name
    if keep is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(CorruptFileError, match=name):
        TINY.load(tmp_path)


def test_weights_of_another_network_are_refused(trained: DiscriminatorJudge, tmp_path: Path) -> None:
    trained.save(tmp_path)
    state = json.loads((tmp_path / "discriminator.json").read_text())
    (tmp_path / "discriminator.json").write_text(json.dumps({**state, "hidden": [32, 9]}))
    with pytest.raises(CorruptFileError):
        TINY.load(tmp_path)


def test_images_of_another_size_or_kind_are_refused(trained: DiscriminatorJudge) -> None:
    with pytest.raises(DataError, match="got '144 pixels', expected 64 pixels"):
        trained.verify(Samples(pixels=np.zeros((2, 12, 12), np.uint8), label=np.arange(2)), rng())
    with pytest.raises(DataError, match="pixel values that are too large"):
        trained.verify(POOR.with_columns(pixels=POOR.array("pixels") + 17), rng())


CALIBRATED = TINY.model_copy(update={"calibration": 0.2})


class Grey(Generator):
    """Images of 2x2 pixels, Binomial(16, brightness) each, whatever the label."""

    def __init__(self, brightness: float) -> None:
        self.brightness = brightness

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        pixels = rng.binomial(16, self.brightness, (n, 2, 2)).astype(np.uint8)
        return Samples(pixels=pixels, label=np.arange(n) % 3)

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Grey":
        return cls(0.0)


def test_with_calibrated_scores_density_ratio_accepts_like_the_true_ratio() -> None:
    # Real images have brightness 0.6, generated ones 0.5, so the ratio of densities of an image with sum s is
    # 1.2^s 0.8^(64 - s). Smoothing by 0.2 squeezes the scores into [0.2, 0.8], far from p(real).
    real, candidates = Grey(0.6).sample(3_000, rng(1)), Grey(0.5).sample(20_000, rng(2))
    total = candidates.array("pixels").sum((1, 2)).astype(float)
    ideal = np.minimum(1, 1.2**total * 0.8 ** (64 - total) / 10)
    aim = ideal @ total / ideal.sum()
    off = {}
    for share in (None, 0.2):
        verifier = TINY.model_copy(
            update={"hidden": (16,), "epochs": 4, "label_smoothing": 0.2, "calibration": share}
        )
        verdicts = fit(verifier, Grey(0.5), real).verify(candidates, rng())
        accepted = DensityRatio(bound=10).decide(verdicts, candidates, rng()).is_(Decision.ACCEPT)
        off[share] = abs(total[accepted].mean() - aim)
    assert off[0.2] < off[None] / 4
    # A tenth of the distance between the two mean sums, 32 and 38.4, is left to the network's own errors.
    assert off[0.2] < 0.64


def test_calibration_keeps_the_network_ranking(tmp_path: Path) -> None:
    calibrated = fit(CALIBRATED, Striped(0.4), REAL)
    bare = DiscriminatorJudge(calibrated.looks, calibrated.network, Calibration())
    ranking, bare_ranking = (np.argsort(v.verify(POOR, rng()).score) for v in (calibrated, bare))
    assert np.array_equal(ranking, bare_ranking)
    assert calibrated.calibration != Calibration()
    calibrated.save(tmp_path)
    assert DiscriminatorJudge.load(tmp_path).calibration == calibrated.calibration


def test_images_set_aside_are_balanced_and_not_trained_on() -> None:
    label = torch.arange(600) % 3
    train, aside = torch_side.set_aside(label, 0.2, rng())
    assert sorted([*train.tolist(), *aside.tolist()]) == list(range(600))
    assert label[aside].bincount().tolist() == [40, 40, 40]
    with pytest.raises(DataError, match="to calibrate with: got 1, expected at least 2"):
        fit(CALIBRATED, Striped(0.4), REAL.select(slice(1)))
