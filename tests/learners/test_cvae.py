"""The CVAE against PyTorch's own layers, brute-force integration, and its contract."""

import dataclasses
import itertools
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from veriloop import networks
from veriloop.errors import ConfigError, CorruptFileError, DataError, MissingExtraError, VeriloopError
from veriloop.extras import require
from veriloop.learners import _cvae_generator
from veriloop.learners._cvae_fast import FastNetwork
from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.learners._cvae_likelihood import binomial
from veriloop.learners.cvae import CVAE
from veriloop.networks import one_cycle
from veriloop.samples import Samples
from veriloop.schema import Image, Label, Number, Schema
from veriloop.testing import check_learner

TINY = CVAE(levels=16, latent_dim=3, channels=(4, 8), epochs=3, batch_size=32, classes=3)
CONDITION = Samples(label=np.arange(700) % 3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_kinds_of_image(n: int = 90, side: int = 8) -> Samples:
    label = np.arange(n) % 3
    p = np.where(np.arange(side * side) % 3 == label[:, None], 0.9, 0.1).reshape(n, side, side)
    return Samples(pixels=rng(1).binomial(16, p).astype(np.uint8), label=label)


@pytest.fixture(scope="module")
def generator() -> CVAEGenerator:
    return TINY.fit(two_kinds_of_image(), None, rng())


def weights(generator: CVAEGenerator) -> NDArray[np.float32]:
    return torch.cat([p.flatten() for p in generator.network.parameters()]).numpy()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kernel", [2, 4])
def test_keeps_the_contract(kernel: int, precision: str) -> None:
    learner = TINY.model_validate({**TINY.model_dump(), "kernel": kernel, "precision": precision})
    check_learner(learner, two_kinds_of_image(), Samples(label=np.arange(3)))


@pytest.mark.parametrize("prior", ["standard", "per_label"])
def test_the_bound_is_below_the_brute_force_likelihood_and_near_it_once_trained(prior: str) -> None:
    learner = TINY.model_copy(update={"latent_dim": 1, "epochs": 150, "learning_rate": 5e-3, "prior": prior})
    generator = learner.fit(two_kinds_of_image(), None, rng())
    held_out = two_kinds_of_image().select(slice(30))
    draws = [generator.elbo(held_out, rng(i)) for i in range(200)]
    per_draw = np.array([b.reconstruction + b.kl for b in draws])
    nelbo, se = per_draw.mean(0), per_draw.std(0, ddof=1) / np.sqrt(len(draws))

    grid = np.linspace(-8, 8, 2001, dtype=np.float32)
    pixels, label = held_out.array("pixels"), torch.tensor(held_out.array("label"))
    network = generator.network
    of_label = [(0.0, 1.0)] * 3
    if network.prior is not None:
        of_label = list(
            zip(network.prior.mean[:, 0].tolist(), network.prior.root[:, 0, 0].tolist(), strict=True)
        )
    nll = []
    for x, y in zip(pixels, network.one_hot(label), strict=True):
        log_prior = stats.norm.logpdf(grid, *of_label[int(y.argmax())])
        logits = network.decode(torch.from_numpy(grid)[:, None], y.expand(len(grid), -1)).double()
        likelihood = stats.binom.logpmf(x, 16, torch.sigmoid(logits).numpy()).sum((1, 2))
        nll.append(-np.logaddexp.reduce(likelihood + log_prior) - math.log(grid[1] - grid[0]))
    assert (nelbo > np.array(nll) - 4 * se).all(), "a bound that is beaten is none"
    assert (nelbo - nll).mean() < 1.0, "q is Gaussian, and so nearly is the posterior here"


def test_terms_of_the_bound_against_their_definitions(generator: CVAEGenerator) -> None:
    samples = two_kinds_of_image().select(slice(5))
    bound = generator.elbo(samples, rng(3))
    network = generator.network
    counts = torch.tensor(samples.array("pixels")).float()
    one_hot = network.one_hot(torch.tensor(samples.array("label")))
    mean, log_variance = network.encode(counts, one_hot)
    noise = torch.from_numpy(rng(3).standard_normal((5, 3), dtype=np.float32))
    logits = network.decode(mean + noise * torch.exp(log_variance / 2), one_hot)
    q = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    likelihood = torch.distributions.Binomial(16, logits=logits).log_prob(counts).sum((1, 2))
    np.testing.assert_allclose(bound.kl, kl.numpy(), rtol=1e-4)
    np.testing.assert_allclose(bound.reconstruction, -likelihood.numpy(), rtol=1e-4)


@pytest.mark.parametrize("levels", [1, 16])
def test_samples_are_binomial_draws_around_the_means(levels: int) -> None:
    data = two_kinds_of_image()
    data = data.with_columns(pixels=np.minimum(data.array("pixels"), levels).astype(np.uint8))
    generator = TINY.model_copy(update={"levels": levels}).fit(data, None, rng())
    n = 6000
    condition = Samples(label=np.zeros(n, np.int64))
    means = generator.means(n, rng(1), condition)
    pixels = generator.sample(n, rng(1), condition).array("pixels")
    assert pixels.dtype == np.uint8
    assert pixels.max() <= levels
    variance = levels * means * (1 - means)
    z = (pixels - levels * means).sum(0) / np.sqrt(variance.sum(0))
    assert np.abs(z).max() < 5
    squared = (pixels - levels * means) ** 2 / variance
    assert abs(squared.mean() - 1) < 5 * squared.std() / math.sqrt(squared.size), "not the decoder's means"


def test_a_temperature_below_1_divides_the_logits_and_leaves_the_bound_alone() -> None:
    data = two_kinds_of_image()
    data = data.with_columns(pixels=np.minimum(data.array("pixels"), 1).astype(np.uint8))
    plain = TINY.model_copy(update={"levels": 1})
    usual, sharp = (plain.model_copy(update={"temperature": t}).fit(data, None, rng()) for t in (1.0, 0.5))
    n = 20_000
    condition = Samples(label=np.zeros(n, np.int64))
    means = usual.means(n, rng(1), condition).astype(np.float64)
    assert np.array_equal(sharp.elbo(data, rng(2)).kl, usual.elbo(data, rng(2)).kl)
    p = means**2 / (means**2 + (1 - means) ** 2)  # logits divided by 0.5
    np.testing.assert_allclose(sharp.means(n, rng(1), condition), p, atol=1e-5)
    pixels = sharp.sample(n, rng(1), condition).array("pixels")
    z = (pixels - p).sum(0) / np.sqrt((p * (1 - p)).sum(0))
    assert np.abs(z).max() < 5
    assert np.abs((pixels - means).sum(0) / np.sqrt((means * (1 - means)).sum(0))).max() > 10, (
        "nothing divided"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: CVAE(levels=16, temperature=0.5),
        lambda: CVAE(temperature=0.5).suited_to(PICTURES),
    ],
    ids=["made", "suited"],
)
def test_a_temperature_is_for_binary_pixels(make: Callable[[], CVAE]) -> None:
    expected = r"got '0\.5 for pixels of 17 values', expected pixels of two values"
    with pytest.raises(ConfigError, match=expected):
        make()


def test_sixteen_bits_draw_a_pixel_without_bias() -> None:
    p = torch.tensor([0.0, 1e-3, 0.1, 0.5, 0.999, 1.0, 1 / 3, 2 / 3]).repeat(200_000, 2).view(-1, 4, 4)
    drawn = binomial(1, p, torch.Generator().manual_seed(0)).double()
    mean, sure = drawn.view(-1, 8).mean(0), p.view(-1, 8)[0].double()
    standard_error = (sure * (1 - sure) / (drawn.numel() / 8)).sqrt()
    assert bool(((mean - sure).abs() <= 4.5 * standard_error).all()), "0 and 1 exactly"


@pytest.mark.parametrize("batch", [1, 7, 100, 333, 1000])
def test_the_internal_batch_size_changes_nothing(
    generator: CVAEGenerator, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    samples, bound = generator.sample(700, rng(), CONDITION), generator.elbo(two_kinds_of_image(), rng())

    def in_other_batches(f, *columns, **_):
        return networks.in_batches(f, *columns, batch=batch)

    monkeypatch.setattr(_cvae_generator, "in_batches", in_other_batches)
    assert generator.sample(700, rng(), CONDITION).same_as(samples)
    np.testing.assert_allclose(generator.elbo(two_kinds_of_image(), rng()).kl, bound.kl, rtol=1e-5)


def test_the_first_samples_do_not_depend_on_how_many_follow(generator: CVAEGenerator) -> None:
    """Latents come before pixels in the stream, so only the means of a shorter draw are a prefix."""
    long, short = (generator.means(n, rng(), CONDITION.select(slice(n))) for n in (700, 20))
    assert np.array_equal(long[:20], short)


def test_equal_streams_equal_weights_other_streams_other_weights() -> None:
    data = two_kinds_of_image()
    torch.manual_seed(1)
    first = weights(TINY.fit(data, None, rng()))
    torch.manual_seed(2)
    again = weights(TINY.fit(data, None, rng()))
    assert np.array_equal(first, again), "the global generator must not matter"
    assert not np.array_equal(first, weights(TINY.fit(data, None, rng(1))))


def test_fitting_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    TINY.fit(two_kinds_of_image(), None, rng()).sample(3, rng(), CONDITION.select(slice(3)))
    assert torch.equal(before, torch.get_rng_state())


def test_survives_a_save_and_pickling_bit_for_bit(generator: CVAEGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"cvae.safetensors", "cvae.json"}
    for copy in (CVAEGenerator.load(tmp_path), pickle.loads(pickle.dumps(generator))):
        assert copy.architecture == generator.architecture
        assert copy.sample(700, rng(), CONDITION).same_as(generator.sample(700, rng(), CONDITION))
        assert np.array_equal(
            copy.elbo(two_kinds_of_image(), rng()).kl, generator.elbo(two_kinds_of_image(), rng()).kl
        )


@pytest.mark.parametrize("kernel", [2, 4])
def test_bfloat16_changes_the_bound_by_its_rounding_only(kernel: int) -> None:
    """Products of 8 significant bits, some three layers deep: a few times 2^-8 of each logit."""
    exact = TINY.model_validate({**TINY.model_dump(), "kernel": kernel})
    images = two_kinds_of_image()
    generator = exact.fit(images, None, rng())
    rounded = FastNetwork(dataclasses.replace(generator.architecture, precision="bfloat16"))
    rounded.load_state_dict(generator.network.state_dict())
    one, other = (np.sum(g.elbo(images, rng(1)), axis=0) for g in (generator, CVAEGenerator(rounded)))
    np.testing.assert_allclose(other, one, rtol=0.02)
    assert (other != one).any()


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99, None])
@pytest.mark.parametrize("name", ["cvae.safetensors", "cvae.json"])
def test_a_damaged_file_is_a_corrupt_file_error(
    generator: CVAEGenerator, tmp_path: Path, name: str, keep: float | None
) -> None:
    generator.save(tmp_path)
    path = tmp_path / name
    if keep is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * (len(content) - 2))])
    with pytest.raises(CorruptFileError, match=name) as caught:
        CVAEGenerator.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_refused(generator: CVAEGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    text = (tmp_path / "cvae.json").read_text()
    (tmp_path / "cvae.json").write_text(text.replace('"latent_dim": 3', '"latent_dim": 4'))
    with pytest.raises(CorruptFileError, match=r"cvae\.safetensors"):
        CVAEGenerator.load(tmp_path)


def test_training_lowers_the_held_out_bound() -> None:
    data = two_kinds_of_image(300)
    train, test = data.select(slice(240)), data.select(slice(240, None))

    def nelbo(epochs: int) -> float:
        generator = TINY.model_copy(update={"epochs": epochs, "patience": None}).fit(train, None, rng())
        return float(np.sum(generator.elbo(test, rng())))

    assert nelbo(1) > nelbo(5) > nelbo(40)


def test_a_warm_start_continues_and_a_foreign_model_is_refused(generator: CVAEGenerator) -> None:
    data = two_kinds_of_image()
    before = weights(generator)
    warm = TINY.fit(data, generator, rng(5))
    assert np.array_equal(weights(generator), before)
    assert np.sum(warm.elbo(data, rng())) < np.sum(generator.elbo(data, rng()))
    still = TINY.model_copy(update={"learning_rate": 1e-12}).fit(data, generator, rng(5))
    np.testing.assert_allclose(weights(still), before, atol=1e-9)
    with pytest.raises(DataError, match="cannot start from this model"):
        TINY.model_copy(update={"latent_dim": 4}).fit(data, generator, rng())


def test_patience_stops_early_and_none_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing can be learned from one pixel value at a rate this small: the loss is noise.
    learner = TINY.model_copy(update={"epochs": 40, "learning_rate": 1e-12})
    epochs: list[int] = []
    randperm = torch.randperm

    def counted(n: int, **options: object) -> torch.Tensor:
        epochs.append(n)
        return randperm(n, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]

    monkeypatch.setattr(torch, "randperm", counted)
    learner.model_copy(update={"patience": 2}).fit(two_kinds_of_image(), None, rng())
    assert len(epochs) - 1 < 40, "one more order of the images says which are held out"
    epochs.clear()
    learner.model_copy(update={"patience": None}).fit(two_kinds_of_image(), None, rng())
    assert len(epochs) - 1 == 40


def test_min_steps_adds_passes_over_few_images() -> None:
    data = two_kinds_of_image(6)
    learner = TINY.model_copy(update={"patience": None, "epochs": 1})
    short, long, same = (
        weights(learner.model_copy(update=u).fit(data, None, rng()))
        for u in ({"min_steps": 1}, {"min_steps": 10}, {"epochs": 10})
    )
    assert np.array_equal(long, same)
    assert not np.array_equal(long, short)


def test_the_cosine_schedule_rises_falls_and_ends_at_zero() -> None:
    rates = [one_cycle(i / 100) for i in range(1, 101)]
    assert rates.index(max(rates)) == 4
    assert all(a < b for a, b in itertools.pairwise(rates[:5]))
    assert all(a > b for a, b in itertools.pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)


def test_divergence_is_told() -> None:
    learner = TINY.model_copy(update={"learning_rate": 0.99, "epochs": 200, "patience": None})
    learner = learner.model_copy(update={"levels": 255, "batch_size": 4})
    noise = Samples(pixels=rng().integers(0, 256, (90, 8, 8), np.uint8), label=np.arange(90) % 3)
    with pytest.raises(VeriloopError, match=r"training diverged.*Lower learning_rate"):
        learner.fit(noise, None, rng())


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (two_kinds_of_image().select(slice(0)), "0 of 8x8"),
        (two_kinds_of_image().with_columns(label=np.arange(90)), "out of range"),
        (two_kinds_of_image().only(["pixels"]), "no such column"),
    ],
)
def test_wrong_training_data_are_refused(samples: Samples, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TINY.fit(samples, None, rng())


@pytest.mark.parametrize("levels", [1, 16, 255])
@pytest.mark.parametrize("shape", [(7, 5), (8, 8, 3), (3, 9, 3)], ids=str)
def test_colour_and_odd_sides_keep_the_contract(shape: tuple[int, ...], levels: int, tmp_path: Path) -> None:
    pixels = rng().integers(0, levels + 1, (40, *shape), np.uint8)
    data = Samples(pixels=pixels, label=np.arange(40) % 3)
    learner = TINY.model_copy(update={"levels": levels, "epochs": 1})
    generator = check_learner(learner, data, Samples(label=np.arange(3)))
    assert isinstance(generator, CVAEGenerator)
    assert generator.means(4, rng(), CONDITION.select(slice(4))).shape == (4, *shape)
    assert np.isfinite(generator.elbo(data, rng()).reconstruction).all()
    assert generator.architecture.likelihood == ("logistic" if levels == 255 else "binomial")


def test_a_logistic_pixel_is_explained_by_a_scale_that_is_learned() -> None:
    """Noise of 20 counts around one image: a Binomial of 255 levels has at most 8, and pays for it."""
    noise = np.clip(np.round(rng().normal(127, 20, (400, 8, 8))), 0, 255).astype(np.uint8)
    data = Samples(pixels=noise, label=np.zeros(400, np.int64))
    settings = {"levels": 255, "classes": 1, "epochs": 80, "patience": None, "learning_rate": 1e-2}
    logistic, binomial = (
        TINY.model_copy(update={**settings, "likelihood": likelihood}).fit(data, None, rng())
        for likelihood in ("logistic", "binomial")
    )
    condition = Samples(label=np.zeros(1000, np.int64))
    spread = logistic.sample(1000, rng(1), condition).array("pixels").std(0).mean()
    assert spread == pytest.approx(20, rel=0.15)
    held_out = Samples(
        pixels=np.clip(np.round(rng(2).normal(127, 20, (100, 8, 8))), 0, 255).astype(np.uint8),
        label=np.zeros(100, np.int64),
    )
    nats = [float(np.sum(g.elbo(held_out, rng())) / 100) for g in (logistic, binomial)]
    truth = 64 * (np.log(20) + 0.5 * np.log(2 * np.pi * np.e))
    assert nats[0] == pytest.approx(truth, rel=0.05)
    assert nats[1] > 1.3 * truth


@pytest.mark.parametrize("condition", [None, CONDITION, Samples(label=np.array([0, 1, 3]))])
def test_wrong_conditions_are_refused(generator: CVAEGenerator, condition: Samples | None) -> None:
    with pytest.raises(DataError):
        generator.sample(3, rng(), condition)


def test_images_of_another_size_have_no_bound(generator: CVAEGenerator) -> None:
    with pytest.raises(DataError, match="got '12x12', expected 8x8"):
        generator.elbo(two_kinds_of_image(6, side=12), rng())


def test_no_samples_are_no_problem(generator: CVAEGenerator) -> None:
    none = generator.sample(0, rng(), CONDITION.select(slice(0)))
    assert none.array("pixels").shape == (0, 8, 8)
    assert len(generator.elbo(none, rng()).kl) == 0


@pytest.mark.parametrize(
    "field", [{"levels": 0}, {"levels": 256}, {"kernel": 3}, {"learning_rate": 0}, {"channels": (1,)}]
)
def test_impossible_settings_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CVAE.model_validate(field)


PICTURES = Schema({"picture": Image(height=8, width=8, levels=16), "kind": Label(classes=3)})


def test_levels_classes_and_columns_are_the_datas(tmp_path: Path) -> None:
    learner = TINY.model_copy(update={"levels": None, "classes": None})
    with pytest.raises(ConfigError, match=r"is not configured for its data.*suited_to"):
        learner.fit(two_kinds_of_image(), None, rng())
    suited = learner.suited_to(PICTURES)
    assert (suited.levels, suited.classes, suited.image, suited.label) == (16, 3, "picture", "kind")
    assert suited.suited_to(PICTURES) == suited
    images = two_kinds_of_image()
    pictures = Samples(picture=images["pixels"], kind=images["label"])
    generator = check_learner(suited, pictures, Samples(kind=np.arange(3)))
    assert isinstance(generator, CVAEGenerator)
    generator.save(tmp_path)
    condition = pictures.only(["kind"])
    drawn = CVAEGenerator.load(tmp_path).sample(len(pictures), rng(), condition)
    # The names are all that differs.
    same = TINY.fit(images, None, rng()).sample(len(images), rng(), images.only(["label"]))
    other = suited.fit(pictures, None, rng()).sample(len(pictures), rng(), condition)
    assert np.array_equal(same.array("pixels"), other.array("picture"))
    assert list(drawn) == ["picture", "kind"]
    assert generator.elbo(pictures, rng()).kl.shape == (90,)


@pytest.mark.parametrize(
    ("fields", "columns", "message"),
    [
        ({"levels": 1}, {}, "levels: got 1, the data have levels up to 16. Leave levels out"),
        ({"classes": 10}, {}, "classes: got 10, the data have 3"),
        ({"image": "pixels"}, {}, "learner 'cvae': image: got 'pixels'"),
        ({"image": "kind"}, {}, "column 'kind': got 'label', expected a column of role image"),
        ({}, {"kind": Number()}, "needs one column of role 'label'"),
        ({}, {"other": Image(height=8, width=8, levels=1)}, "needs one column of role 'image': got"),
    ],
)
def test_data_that_do_not_suit_are_refused(fields: dict, columns: dict, message: str) -> None:
    learner = CVAE.model_validate(fields)
    with pytest.raises(ConfigError, match=message):
        learner.suited_to(Schema({**PICTURES, **columns}))


def test_a_named_column_need_not_be_the_only_one() -> None:
    both = Schema({**PICTURES, "other": Image(height=4, width=4, levels=1)})
    assert CVAE(image="other").suited_to(both).levels == 1


def test_a_configuration_is_read_without_torch() -> None:
    code = (
        "import sys, veriloop.learners.causal_lm; from veriloop.learners.cvae import CVAE; "
        "from veriloop.datasets.digits import Digits; CVAE().suited_to(Digits().schema()); "
        "print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"veriloop\[torch\]"):
        require("torch")
