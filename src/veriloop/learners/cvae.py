"""A convolutional conditional variational autoencoder for small labelled images."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..generator import Generator
from ..parts import imported, require
from ..samples import Samples
from ..schema import Role, Schema
from ._recipe import Likelihood, Precision, Training
from .base import Learner

if TYPE_CHECKING:
    from ._cvae_generator import CVAEGenerator

require("torch", "torch")


class CVAE(Learner, Training, frozen=True):
    """Convolutional conditional VAE for small images, grey or in colour.

    Maximises the evidence bound E[log p(pixels | z, label)] - KL(q(z | pixels, label) || N(0, I)), summed
    over pixels, by Adam on shuffled batches. The label joins the latent vector and the encoder's features as
    one-hot. `veriloop.learners._cvae_network` shows the network in plain layers.

    Defaults follow the paper's protocol (arXiv 2510.16657, section 5). Small budgets get much further with
    ``batch_size=64, learning_rate=3e-3, averaging=0.2, patience=None``: on 5,000 MNIST images (one seed)
    15 epochs lead to a held-out bound of 101.0 nats, or 103.7 with ``schedule="cosine"`` in place of
    ``averaging``; the defaults need 60 epochs to 102. ``benchmarks/mnist.py`` measures it.

    Attributes:
        latent_dim: Length of the latent vector.
        levels: A pixel counts 0..levels; None: as the data do.
        classes: Number of labels; None: as many as the data have.
        image: The column of the images; None: the data's only one.
        label: The column of their labels; None: the data's only one.
        channels: Feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels. 2 makes disjoint patches, two to three times faster; the
            overlap of 4 generalises better from few images (500 MNIST images: 124 nats against 129).
        precision: In which the layers multiply; weights, sums and the optimiser stay in float32. ``bfloat16``
            is up to twice as fast on processors that multiply it themselves (Intel's with AMX, GPUs), and
            slower on others.
        likelihood: How a pixel is distributed around the decoder's mean. ``binomial``: as a count of
            ``levels`` points; with ``levels=1``, the Bernoulli likelihood of binarised images. ``logistic``:
            as a value with noise, whose size is learned. None:
            ``binomial`` up to 16 levels, ``logistic`` above.

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

    @override
    def suited_to(self, schema: Schema) -> Self:
        # A column that is named need not be the only one of its role, as `needs` has it.
        asked_by = "learner 'cvae'"
        image = self.image or schema.one("image", asked_by)
        label = self.label or schema.one("label", asked_by)
        pixels = schema.column(image, f"{asked_by}: image", "image")
        classes = schema.column(label, f"{asked_by}: label", "label").classes
        return self.model_copy(
            update={
                "levels": _agreed("levels", self.levels, pixels.levels, "the data count to"),
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
            ConfigError: ``levels`` or ``classes`` are not known, see :meth:`suited_to`.
            DataError: The samples are no images of ``levels`` and ``classes``, there are none, or ``init`` is
                a model of another architecture.
            VeriloopError: The loss is no longer a number.
        """
        from ._cvae_generator import fit  # brings torch, which takes seconds to import

        return fit(self, samples, init, rng)


def _agreed(name: str, said: int | None, known: int, data: str) -> int:
    if said not in (None, known):
        raise ConfigError(
            f"learner 'cvae': {name}: got {said}, {data} {known}", fix=f"leave {name} out, it is the data's"
        )
    return known
