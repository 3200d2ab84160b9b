"""A convolutional conditional variational autoencoder for small labelled images."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..generator import Generator
from ..parts import imported
from ..samples import Samples
from ..schema import Role, Schema
from ._recipe import Likelihood, Precision, Prior, Training
from .base import Learner

if TYPE_CHECKING:
    from ._cvae_generator import CVAEGenerator

require("torch")


class CVAE(Learner, Training, frozen=True):
    """Convolutional conditional VAE for small images, grey or in colour.

    Maximises the evidence bound E[log p(pixels | z, label)] - KL(q(z | pixels, label) || N(0, I)), summed
    over pixels, with Adam on shuffled batches. The one-hot label is joined to the latent vector and to the
    encoder's features. `veriloop.learners._cvae_network` shows the network in plain layers.

    Defaults follow the paper's protocol (arXiv 2510.16657, section 5). With a small budget, ``batch_size=64,
    learning_rate=3e-3, averaging=0.2, patience=None`` does much better: on 5,000 MNIST images (one seed), 15
    epochs reach a held-out bound of 101.0 nats, or 103.7 with ``schedule="cosine"`` instead of ``averaging``;
    the defaults need 60 epochs to reach 102. ``benchmarks/mnist.py`` measures this.

    Attributes:
        latent_dim: Length of the latent vector.
        levels: Largest pixel value; None: that of the data.
        classes: Number of labels; None: that of the data.
        image: Name of the image column; None: the data's only one.
        label: Name of the label column; None: the data's only one.
        channels: Number of feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels. 2 makes disjoint patches, two to three times faster; the
            overlap of 4 generalises better from few images (500 MNIST images: 124 nats against 129).
        precision: Number format of the layers' products; weights, sums and the optimiser stay in float32.
            ``bfloat16`` is up to twice as fast on processors with hardware support (Intel's AMX, GPUs), and
            slower on others.
        likelihood: Distribution of a pixel around the decoder's mean. ``binomial``: a count of ``levels``
            points; with ``levels=1``, the Bernoulli likelihood of binarised images. ``logistic``: a value
            with noise whose size is learned. None: ``binomial`` up to 16 levels, ``logistic`` above.
        prior: Distribution of the latent vector. ``standard``: N(0, I) for every label, as in the paper.
            ``per_label``: after training, the Gaussian of each label that maximises the bound on the training
            images. Draws then fall where the model has seen codes.
        temperature: Divides the logits of the pixels when images are drawn, for ``levels=1`` only. At 1, each
            pixel is drawn by itself from the decoder's distribution, and the next model learns the noise at
            the strokes' edges. Below 1, drawn images are sharper, the next model keeps more of their variety,
            and its bound on held-out images is worse.

    The other fields are those of :class:`veriloop.learners._training.Training`.
    """

    generator_type: ClassVar[type[Generator]] = imported("veriloop.learners._cvae_generator:CVAEGenerator")
    needs: ClassVar[tuple[Role, ...]] = ("image", "label")

    latent_dim: Annotated[int, Field(ge=1)] = 20
    levels: Annotated[int, Field(ge=1, le=255)] | None = None
    classes: Annotated[int, Field(ge=1)] | None = None
    image: str | None = None
    label: str | None = None
    channels: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (32, 64)
    kernel: Literal[2, 4] = 4
    precision: Precision = "float32"
    likelihood: Likelihood | None = None
    prior: Prior = "standard"
    temperature: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _temperature_suits(self) -> Self:
        _check_temperature(self.temperature, self.levels)
        return self

    @override
    def suited_to(self, schema: Schema) -> Self:
        # If the column is set, it need not be the only one of its role, as `needs` would require.
        asked_by = "learner 'cvae'"
        image = self.image or schema.one("image", asked_by)
        label = self.label or schema.one("label", asked_by)
        pixels = schema.column(image, f"{asked_by}: image", "image")
        classes = schema.column(label, f"{asked_by}: label", "label").classes
        _check_temperature(self.temperature, pixels.levels)
        return self.model_copy(
            update={
                "levels": _agreed("levels", self.levels, pixels.levels, "the data have levels up to"),
                "classes": _agreed("classes", self.classes, classes, "the data have"),
                "image": image,
                "label": label,
            }
        )

    @override
    def rows_seen(self, n: int) -> int:
        batches = math.ceil(n / self.batch_size)
        return n * max(self.epochs, math.ceil(self.min_steps / max(batches, 1)))

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> "CVAEGenerator":
        """Train on image samples; see the base class.

        Raises:
            ConfigError: ``levels`` or ``classes`` is not set, see :meth:`suited_to`.
            DataError: The samples are not images with ``levels`` and ``classes``, there are none, or ``init``
                is a model of another architecture.
            VeriloopError: The loss became NaN or infinite.
        """
        from ._cvae_generator import fit  # imports torch, which takes seconds

        return fit(self, samples, init, rng)


def _agreed(name: str, said: int | None, known: int, data: str) -> int:
    if said not in (None, known):
        raise ConfigError(
            f"learner 'cvae': {name}: got {said}, {data} {known}",
            fix=f"leave {name} out to use that of the data",
        )
    return known


def _check_temperature(temperature: float, levels: int | None) -> None:
    if temperature != 1 and levels not in (None, 1):
        raise ConfigError(
            "temperature",
            got=f"{temperature} for pixels of {levels + 1} values",
            expected="pixels of two values",
            fix="leave temperature out, or binarise the images",
        )
