"""What a CVAE has learned: drawing images, their evidence bound, saving and loading; and how it is fitted."""

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
from ._recipe import COUNTED, Likelihood
from ._training import TrainingImages, train

if TYPE_CHECKING:
    from .cvae import CVAE

WEIGHTS = "cvae.safetensors"
ARCHITECTURE = "cvae.json"

DECODED_TOGETHER = 128
"""Images that the decoder makes at a time on a CPU: their activations stay in the second cache."""


class Bound(NamedTuple):
    """The negative evidence bound of each of n samples, by term, in nats.

    ``reconstruction + kl`` is, on average over the latent draw, at least ``-log p(pixels | label)``.
    """

    reconstruction: NDArray[np.float64]
    kl: NDArray[np.float64]


class CVAEGenerator(Generator):
    """A trained :class:`CVAE`: p(z) standard normal, pixels drawn around the decoder's means.

    Args:
        network: Its weights; frozen, and not to be changed afterwards.
        image: The column of the images.
        label: The column of their labels.
    """

    def __init__(self, network: Network, image: str = PIXELS, label: str = LABEL) -> None:
        freeze(network)
        self._network = network
        self._image, self._label = image, label

    def __reduce__(self) -> tuple[Any, ...]:
        # By way of the CPU: whoever unpickles this may have another device.
        return CVAEGenerator, (copy.deepcopy(self._network).cpu(), self._image, self._label)

    @property
    def architecture(self) -> Architecture:
        """The shapes of the network and its data."""
        return self._network.architecture

    @property
    def network(self) -> Network:
        """The frozen network; copy it to train on."""
        return self._network

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Draw ``n`` images, each pixel from its distribution, never the decoder's mean.

        Means lack the pixel noise of the data; a model retrained on them loses variance every round.

        Args:
            n: How many.
            rng: First the latents are drawn from it, then the pixels.
            condition: ``n`` rows with the column of labels.

        Raises:
            DataError: There is no condition, or it has another length, or a label is out of range.
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
        """Means of the pixels in [0, 1], shape (n, *image shape): for pictures, not for training.

        An equal ``rng`` gives the means of the very images that :meth:`sample` draws.
        """
        label, latent, _ = self._start(n, rng, condition)
        return torch.cat(list(self._decoded(latent, label))).cpu().numpy()

    def _start(
        self, n: int, rng: np.random.Generator, condition: Samples | None
    ) -> tuple[Tensor, Tensor, torch.Generator]:
        """Labels and latents on the device, and the generator that goes on to draw the pixels there."""
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
        """Means of the pixels, batch by batch."""
        net = self._network
        batch = DECODED_TOGETHER if latent.device.type == "cpu" else None
        return in_batches(
            lambda z, y: torch.sigmoid(net.decode(z, net.one_hot(y))), latent, label, batch=batch
        )

    def elbo(self, samples: Samples, rng: np.random.Generator) -> Bound:
        """The negative evidence bound of each of ``samples``, by one latent draw each.

        The sum of both terms bounds the true negative log-likelihood of the counts (of a Binomial, its
        coefficients included).

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
        """Write ``cvae.safetensors`` and ``cvae.json`` (the architecture and the names of the columns)."""
        content = {**dataclasses.asdict(self.architecture), "columns": [self._image, self._label]}
        (directory / ARCHITECTURE).write_text(json.dumps(content) + "\n")
        save_weights(self._network, directory / WEIGHTS)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: A file is missing, cut short or changed.
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
            "images of another size than the model's",
            got="x".join(map(str, pixels.shape[1:])),
            expected="x".join(map(str, architecture.image_shape)),
        )


def suited_likelihood(levels: int) -> Likelihood:
    """The likelihood of pixels that count 0..levels: see `_cvae_likelihood`."""
    return "binomial" if levels <= COUNTED else "logistic"


def fit(learner: "CVAE", samples: Samples, init: Generator | None, rng: np.random.Generator) -> CVAEGenerator:
    """What :meth:`veriloop.learners.cvae.CVAE.fit` does."""
    if learner.levels is None or learner.classes is None:
        raise ConfigError(
            "a CVAE that knows nothing of its data",
            got=f"levels={learner.levels}, classes={learner.classes}",
            expected="how far a pixel counts, and the number of labels",
            fix="take learner.suited_to(dataset.schema()), as a run does, or set levels and classes",
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
    )
    if init is None:
        network = blank(lambda: FastNetwork(architecture))
        initialise(network, torch_generator(rng))
        if network.scale is not None:
            network.scale.start()
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
    return CVAEGenerator(network, *columns)
