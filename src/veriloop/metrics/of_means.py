"""Metrics of a model's means: images whose pixels are not drawn, as some papers measure them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny
from typing_extensions import override

from ..datasets.images import PIXELS
from ..errors import ConfigError
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from ..schema import Role, Schema, agreed
from .base import Evaluation, Metric

SUFFIX = "_of_means"


@runtime_checkable
class HasMeans(Protocol):
    """A generator that knows the means of its pixels, as a :class:`veriloop.learners.cvae.CVAE` does."""

    def means(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> NDArray[np.float32]:
        """Return means of the pixels as shares of the brightest value, shape (n, *image shape)."""
        ...


class OfMeans(Metric, frozen=True):
    """Other metrics, of images whose pixels are set to their means instead of drawn.

    ``frechet`` becomes ``frechet_of_means``, and so on. A model is trained and verified on drawn pixels;
    its means are clearer and less varied, so compare them only with numbers of means. Means are not rounded:
    the image column holds float32 numbers between 0 and the largest pixel value. They are of as many new
    images as there are samples, for the same labels; held-out images stay as they are. Standard errors and
    rows are those of the other metrics. A metric that looks only at held-out images, such as ``nelbo``, gives
    the same number again.

    Cost: that of the other metrics, and decoding the images once.

    Attributes:
        metrics: What to measure.
        image: Name of the image column; None: the data's only one.
        levels: Largest pixel value; that of the data when None.
    """

    needs: ClassVar[tuple[Role, ...]] = ("image",)

    metrics: Annotated[tuple[SerializeAsAny[Metric], ...], Field(min_length=1)]
    image: str | None = None
    levels: Annotated[int, Field(ge=1, le=255)] | None = None

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the metrics, with ``_of_means`` after each name."""
        return {
            name + SUFFIX: replace(
                quantity,
                title=f"{quantity.title or name}, of means",
                part_of=quantity.part_of and quantity.part_of + SUFFIX,
            )
            for metric in self.metrics
            for name, quantity in metric.quantities.items()
        }

    @property
    @override
    def draws_again(self) -> bool:
        return any(metric.draws_again for metric in self.metrics)

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        image = schema.pick(f"metric {self.kind!r}", "image", self.image, "image")
        metrics = tuple(metric.suited_to(schema) for metric in self.metrics)
        levels = agreed(f"metric {self.kind!r}", "levels", self.levels, schema[image].levels, image)
        return suited.model_copy(update={"metrics": metrics, "image": image, "levels": levels})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        notes = [metric.check_ahead(schema) or () for metric in self.metrics]
        return [note for some in notes for note in some]

    @override
    def check_data(self, real: Samples) -> None:
        for metric in self.metrics:
            metric.check_data(real)

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return the numbers in `quantities`.

        Raises:
            ConfigError: The generator has no means.
        """
        generator, image = evaluation.generator, self.image or PIXELS
        if not isinstance(generator, HasMeans):
            raise ConfigError(
                f"metric {self.kind!r} needs a generator that knows the means of its pixels",
                got=type(generator).__name__,
                expected="one with a method means(n, rng, condition), such as a cvae",
                fix=f"remove {self.kind} from the metrics",
            )
        drawn = evaluation.generated
        shares = generator.means(len(drawn), rng, drawn)
        pixels = np.asarray(shares, np.float32) * (self.levels or 1)
        means = Evaluation(
            generator,
            drawn.with_columns(**{image: pixels}),
            evaluation.real,
            start=lambda name: evaluation.start(name + SUFFIX),
        )
        streams = zip(self.metrics, rng.spawn(len(self.metrics)), strict=True)
        return {
            name + SUFFIX: found
            for metric, stream in streams
            for name, found in metric.measure(means, stream).items()
        }
