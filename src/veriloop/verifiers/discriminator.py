"""A discriminator: a small classifier that distinguishes real samples from the generator's."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..datasets.images import LABEL, PIXELS, balanced_order, labels
from ..encoding import TableColumns
from ..errors import ConfigError
from ..extras import require
from ..generator import Generator
from ..judge import Judge
from ..parts import imported
from ..rng import Address
from ..samples import Samples
from ..schema import Schema, agreed
from .base import Verifier

require("torch")


class Discriminator(Verifier, frozen=True):
    """Scores a sample with the probability that it is real rather than drawn from the generator.

    Each fit trains a new network on the real samples against as many from the current generator, drawn for
    the real samples' labels (arXiv 2510.16657, section 5). For images, grey or in colour, it sees
    pixels/levels and the one-hot label; for tables, standardised numbers and one-hot categories.

    The targets are smoothed to s and 1 - s, so the score of an optimal network is s + (1 - 2s) p(real), which
    lies in [s, 1 - s]; and a trained network is overconfident. This is enough to rank samples. If a score has
    to be p(real) itself, set ``calibration``.

    Attributes:
        refit: ``each_round`` trains a new network on each round's generator; ``once`` trains in the first
            round and keeps that judge.
        real_images: Largest number of real images, or rows, to learn from, balanced over the classes and the
            same in every round: fewer make a weaker verifier. None for all.
        hidden: Widths of the hidden layers.
        epochs: Number of passes over real and synthetic images.
        batch_size: Number of images per step, real and synthetic mixed.
        learning_rate: Learning rate of Adam.
        dropout: Share of hidden units dropped in training.
        label_smoothing: The number s above.
        calibration: Share of the real images, and of as many generated ones, that is not used for training
            but to map the network's logits to p(real), see `Calibration`. The map is increasing, so the
            ranking of samples does not change. None to use the network's scores directly.
        levels: Largest pixel value; None for that of the data.
        classes: Number of labels; None for that of the data.
        image: Name of the image column; None for that of the data.
        label: Name of the label column; None for that of the data.
        table: Kinds of the columns of a table; None for those of the data, and for images.
    """

    judge_type: ClassVar[type[Judge]] = imported("veriloop.verifiers._discriminator_judge:DiscriminatorJudge")
    renamed: ClassVar[Mapping[str, str]] = {"mode": "use refit: each_round for per_round, once for fixed"}

    refit: Literal["each_round", "once"] = "each_round"
    real_images: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (512, 256, 128, 64)
    epochs: Annotated[int, Field(ge=1)] = 20
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    calibration: Annotated[float, Field(gt=0, lt=1)] | None = None
    levels: Annotated[int, Field(ge=1, le=255)] | None = None
    classes: Annotated[int, Field(ge=1)] | None = None
    image: str | None = None
    label: str | None = None
    table: TableColumns | None = None

    @property
    @override
    def calibrated(self) -> bool:
        """Whether ``calibration`` is set; if fitted once, the ratio is only that of the first generator."""
        return self.calibration is not None and self.refit == "each_round"

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "verifier 'discriminator'"
        if not schema.named("image") and self.image is None:
            table = self.table or TableColumns.of(schema, me)
            return super().suited_to(schema).model_copy(update={"table": table})
        image = schema.pick(me, "image", self.image, "image")
        label = schema.pick(me, "label", self.label, "label")
        filled = {
            "image": image,
            "label": label,
            "levels": agreed(me, "levels", self.levels, schema[image].levels, image),
            "classes": agreed(me, "classes", self.classes, schema[label].classes, label),
        }
        return super().suited_to(schema).model_copy(update=filled)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """Train against ``generator``; with ``refit: once`` only if there is no judge yet.

        Raises:
            ConfigError: ``levels`` or ``classes`` is not set.
            DataError: The real or the generated samples are not images with ``levels`` and ``classes``, or
                there are too few to set some aside.
        """
        if self.refit == "once" and previous is not None:
            return previous
        from . import _discriminator_judge as torch_side

        if self.table is not None:
            real = self._seen(real, self.table.stratum(real))
            given = real.only(self.table.given) if self.table.given else None
            looks = torch_side.TableLooks.at_rows(real, self.table)
        else:
            looks = torch_side.Looks(*self._looks())
            real = self._seen(real, labels(real, looks.classes, looks.label))
            given = real.only([looks.label])
        return torch_side.trained(self, looks, real, generator.sample(len(real), rng, given), rng)

    def _looks(self) -> tuple[str, str, int, int]:
        """Return the image and label columns, levels and classes."""
        if self.levels is None or self.classes is None:
            open_ = "levels" if self.levels is None else "classes"
            raise ConfigError(
                f"verifier 'discriminator': {open_} is not set",
                expected="a number, or data that define it",
                fix=f"set {open_}, or call suited_to(dataset.schema()) first",
            )
        return self.image or PIXELS, self.label or LABEL, self.levels, self.classes

    def _seen(self, real: Samples, label: NDArray[np.int64]) -> Samples:
        """Return the real samples that this verifier may use: the same draw in every round."""
        if self.real_images is None:
            return real
        order = balanced_order(label, Address(seed=0, arm="discriminator").rng())
        return real.select(order[: self.real_images])
