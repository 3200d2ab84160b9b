"""A trained CVAE: drawing images, their evidence bound, saving, loading and fitting."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.images import LABEL, PIXELS, images, labels
from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..networks import blank, device, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import torch_generator
from ..samples import Samples
from ._cvae_fast import FastNetwork
from ._cvae_likelihood import draw, log_coefficients
from ._cvae_network import Architecture, Network
from ._cvae_prior import LabelPrior
from ._recipe import COUNTED, Likelihood
from ._training import TrainingImages, train

if TYPE_CHECKING:
    from .cvae import CVAE

WEIGHTS = "cvae.safetensors"
ARCHITECTURE = "cvae.json"

DECODED_TOGETHER = 128
"""Images decoded at a time on a CPU, so that their activations stay in the second-level cache."""


class Bound(NamedTuple):
    """The negative evidence bound of each of n samples, by term, in nats.

    On average over the latent draw, ``reconstruction + kl`` is at least ``-log p(pixels | label)``.
    """

    reconstruction: NDArray[np.float64]
    kl: NDArray[np.float64]


class CVAEGenerator(Generator):
    """A trained :class:`CVAE`: z is drawn from its prior, and pixels are drawn around the decoder's means.

    Args:
        network: Frozen network, which must not be changed afterwards.
        image: Name of the image column.
        label: Name of the label column.
    """

    def __init__(self, network: Network, image: str = PIXELS, label: str = LABEL) -> None:
        freeze(network)
        self._network = network
        self._image, self._label = image, label

    def __reduce__(self) -> tuple[Any, ...]:
        # By way of the CPU, because the unpickling process may have another device.
        return CVAEGenerator, (copy.deepcopy(self._network).cpu(), self._image, self._label)

    @property
    def architecture(self) -> Architecture:
        """Shapes of the network and its data."""
        return self._network.architecture

    @property
    def network(self) -> Network:
        """The frozen network; copy it before training."""
        return self._network

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Draw ``n`` images, with each pixel drawn from its distribution instead of set to its mean.

        Means lack the pixel noise of the data; a model retrained on them loses variance in every round.

        Args:
            n: Number of images.
            rng: Source of the latents first, then of the pixels.
            condition: ``n`` rows with the label column.

        Raises:
            DataError: There is no condition, it has another number of rows, or a label is out of range.
        """
        label, latent, generator = self._start(n, rng, condition)
        a = self.architecture
        pixels = np.empty((n, *a.image_shape), np.uint8)
        done = 0
        for p in self._decoded(latent, label):
            drawn = draw(p, a.levels, self._network.scale, generator)
            pixels[done : done + len(p)] = drawn.cpu().numpy()
            done += len(p)
        assert condition is not None  # _start refuses it
        return Samples(**{self._image: pixels, **{k: v for k, v in condition.items() if k != self._image}})

    def means(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> NDArray[np.float32]:
        """Return means of the pixels in [0, 1], shape (n, *image shape): for display, not for training.

        An equal ``rng`` gives the means of exactly the images that :meth:`sample` draws.
        """
        label, latent, _ = self._start(n, rng, condition)
        return torch.cat(list(self._decoded(latent, label))).cpu().numpy()

    def _start(
        self, n: int, rng: np.random.Generator, condition: Samples | None
    ) -> tuple[Tensor, Tensor, torch.Generator]:
        """Return labels and latents on the device, and the generator that then draws the pixels."""
        if condition is None or len(condition) != n:
            raise DataError(
                "a CVAE draws images of given labels",
                got="no condition" if condition is None else f"{len(condition)} conditions",
                expected=f"{n} conditions with a column {self._label!r}",
            )
        where = device()
        label = torch.from_numpy(labels(condition, self.architecture.classes, self._label)).to(where)
        latent = torch.from_numpy(rng.standard_normal((n, self.architecture.latent_dim), dtype=np.float32))
        return label, latent.to(where), torch_generator(rng, str(where))

    def _decoded(self, latent: Tensor, label: Tensor) -> Iterator[Tensor]:
        """Yield the means of the pixels, batch by batch."""
        net = self._network
        batch = DECODED_TOGETHER if latent.device.type == "cpu" else None

        def means(z: Tensor, y: Tensor) -> Tensor:
            """Return the means of the pixels for noise and labels."""
            placed = z if net.prior is None else net.prior.place(z, y)
            return torch.sigmoid(net.decode(placed, net.one_hot(y)) / net.architecture.temperature)

        return in_batches(means, latent, label, batch=batch)

    def elbo(self, samples: Samples, rng: np.random.Generator) -> Bound:
        """Return the negative evidence bound of each of ``samples``, with one latent draw each.

        The sum of both terms bounds the true negative log-likelihood of the counts (for a Binomial, including
        its coefficients).

        Raises:
            DataError: The samples are not images of this model's shape, levels and classes.
        """
        a = self.architecture
        pixels, label = images(samples, a.levels, a.classes, self._image, self._label)
        _check_shape(pixels, a)
        noise = rng.standard_normal((len(pixels), a.latent_dim), dtype=np.float32)
        terms = in_batches(
            lambda *columns: torch.stack(self._network.bound(*columns), 1),
            torch.tensor(pixels),
            torch.from_numpy(label),
            torch.from_numpy(noise),
        )
        reconstruction, kl = torch.cat(list(terms)).double().numpy().T
        if a.likelihood == "binomial":
            reconstruction = reconstruction - log_coefficients(pixels, a.levels)
        return Bound(reconstruction, kl.copy())

    def save(self, directory: Path) -> None:
        """Write ``cvae.safetensors`` and ``cvae.json`` (the architecture and the column names)."""
        content = {**dataclasses.asdict(self.architecture), "columns": [self._image, self._label]}
        (directory / ARCHITECTURE).write_text(json.dumps(content) + "\n")
        save_weights(self._network, directory / WEIGHTS)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: A file is missing, truncated or changed.
        """
        path = directory / ARCHITECTURE
        try:
            fields = json.loads(path.read_text())
            image, label = fields.pop("columns")
            architecture = Architecture(**{**fields, "channels": tuple(fields["channels"])})
            network = blank(lambda: FastNetwork(architecture))
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"model description {path} cannot be read ({e})") from e
        load_weights(network, directory / WEIGHTS)
        return cls(network, image, label)


def _check_shape(pixels: NDArray[np.uint8], architecture: Architecture) -> None:
    if pixels.shape[1:] != architecture.image_shape:
        raise DataError(
            "images differ in size from the model's",
            got="x".join(map(str, pixels.shape[1:])),
            expected="x".join(map(str, architecture.image_shape)),
        )


def suited_likelihood(levels: int) -> Likelihood:
    """Return the default likelihood of pixels with values 0..levels: see `_cvae_likelihood`."""
    return "binomial" if levels <= COUNTED else "logistic"


def fit(learner: "CVAE", samples: Samples, init: Generator | None, rng: np.random.Generator) -> CVAEGenerator:
    """Implementation of :meth:`veriloop.learners.cvae.CVAE.fit`."""
    if learner.levels is None or learner.classes is None:
        raise ConfigError(
            "the CVAE is not configured for its data",
            got=f"levels={learner.levels}, classes={learner.classes}",
            expected="the largest pixel value, and the number of labels",
            fix="use learner.suited_to(dataset.schema()), as a run does, or set levels and classes",
        )
    columns = learner.image or PIXELS, learner.label or LABEL
    pixels, label = images(samples, learner.levels, learner.classes, *columns)
    n, height, width, *colour = pixels.shape
    if pixels.size == 0:
        raise DataError("training images", got=f"{n} of {height}x{width}", expected="at least one")
    architecture = Architecture(
        height,
        width,
        learner.levels,
        learner.classes,
        learner.latent_dim,
        learner.channels,
        learner.kernel,
        learner.precision,
        colour[0] if colour else 1,
        learner.likelihood or suited_likelihood(learner.levels),
        learner.prior,
        learner.temperature,
    )
    if init is None:
        network = blank(lambda: FastNetwork(architecture))
        initialise(network, torch_generator(rng))
        for part in (network.scale, network.prior):
            if part is not None:
                part.start()
    elif isinstance(init, CVAEGenerator) and init.architecture == architecture:
        network = copy.deepcopy(init.network).train().requires_grad_(True)
    else:
        raise DataError(
            "cannot start from this model",
            got=str(getattr(init, "architecture", type(init).__name__)),
            expected=str(architecture),
            fix="start fresh, or keep the learner's architecture fixed",
        )
    where = device()
    training_images = TrainingImages(pixels, label, learner.levels, where)
    train(network.to(where), training_images, learner, torch_generator(rng, str(where)))
    if network.prior is not None:
        _place_prior(network, network.prior, training_images)
    return CVAEGenerator(network, *columns)


def _place_prior(network: Network, prior: LabelPrior, training: TrainingImages) -> None:
    """Set the prior of each label to the codes of the training images."""

    def code(rows: Tensor) -> Tensor:
        """Return the means and log-variances of q, side by side."""
        counts, label = training.at(rows)
        return torch.cat(network.encode(counts.float(), network.one_hot(label)), 1)

    codes = torch.cat(list(in_batches(code, torch.arange(len(training), device=training.label.device))))
    mean, log_variance = codes.chunk(2, 1)
    prior.fit(mean, log_variance, training.label)
