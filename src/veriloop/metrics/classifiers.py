"""Which classifier's features the metrics of images see: its name, its card, and whom it knows.

Nothing here loads a network: see `features`.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict
from typing_extensions import override

from ..datasets.images import LABEL, PIXELS
from ..errors import ConfigError, CorruptFileError
from ..parts import did_you_mean, require
from ..schema import Schema
from .base import Evaluation, Metric

if TYPE_CHECKING:
    from .features import Views

require("torch", "torch")

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = ("digits", "mnist", "fashion-mnist")
AUTO = "auto"
MAKE = "restore both files, or make them anew with tools/train_classifier.py"


class Card(BaseModel):
    """What stands beside a classifier's weights: its architecture, and where it comes from.

    Attributes:
        height: Pixels.
        width: Pixels.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        channels: Feature maps of the three convolutions.
        pools: Side of the max-pooling after each convolution; 1 for none.
        features: Width of the last hidden layer.
        command: How it was trained.
        seed: Of the training.
        train_images: How many real images it was trained on.
        test_images: How many it was tested on.
        train_accuracy: Share of them that it labels right.
        test_accuracy: Share of them that it labels right.
        sha256: Of the weights file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int
    width: int
    levels: int
    classes: int
    channels: tuple[int, int, int]
    pools: tuple[int, int, int]
    features: int
    command: str
    seed: int
    train_images: int
    test_images: int
    train_accuracy: float
    test_accuracy: float
    sha256: str


def _known(name: str) -> str:
    names = (AUTO, *SHIPPED)
    if name not in names and not name.endswith(".safetensors"):
        raise ConfigError(
            "no such classifier",
            got=name,
            expected=f"one of {', '.join(names)}, or the path of a .safetensors file with its card beside it",
            fix=did_you_mean(name, names),
        )
    return name


ClassifierName = Annotated[str, AfterValidator(_known)]
"""``auto``, a shipped classifier's name, or the path of one's own weights with their card beside them.

``auto`` is the shipped classifier of the images' size that labels the held-out real images best, so that a
change of the data set needs no change of the metrics.
"""


def files(name: str) -> tuple[Path, Path]:
    """Where a classifier's weights and its card are."""
    weights = WEIGHTS / f"{name}.safetensors" if name in SHIPPED else Path(name)
    return weights, weights.with_suffix(".json")


@cache
def load_card(name: str) -> Card:
    """A classifier's card.

    Raises:
        CorruptFileError: It is missing or damaged.
    """
    _, path = files(name)
    try:
        return Card.model_validate_json(path.read_text())
    except (OSError, ValueError) as e:
        raise CorruptFileError(f"card {path} of a classifier cannot be read ({e})", fix=MAKE) from e


def image_columns(metric: Metric, schema: Schema, image: str | None, label: str | None) -> dict[str, str]:
    """The columns of images and of labels that a metric looks at, by its setting.

    Raises:
        ConfigError: There is no such column, or several.
    """
    me = f"metric {metric.kind!r}"
    return {
        "image": schema.pick(me, "image", image, "image"),
        "label": schema.pick(me, "label", label, "label"),
    }


class ClassifierMetric(Metric, frozen=True):
    """A metric in the features of a classifier.

    Attributes:
        classifier: Which one, see :data:`ClassifierName`.
        image: The column of the images; None: the data's only one.
        label: The column of their labels; None: the data's only one.
    """

    classifier: ClassifierName = AUTO
    image: str | None = None
    label: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        return (
            super().suited_to(schema).model_copy(update=image_columns(self, schema, self.image, self.label))
        )

    def views(self, evaluation: Evaluation) -> "Views":
        """What the classifier makes of generated and real samples."""
        from .features import views  # which imports torch

        return views(evaluation, self.classifier, self.image or PIXELS, self.label or LABEL)

    @override
    def check_ahead(self, schema: Schema) -> None:
        asked_by = f"metric {self.kind!r}"
        columns = image_columns(self, schema, self.image, self.label)
        image, classes = schema[columns["image"]], schema[columns["label"]].classes
        names = SHIPPED if self.classifier == AUTO else (self.classifier,)
        cards = [load_card(name) for name in names]
        if not any(
            (image.height, image.width, image.channels) == (card.height, card.width, 1)
            and image.levels <= card.levels
            and classes <= card.classes
            for card in cards
        ):
            known = dict.fromkeys(
                f"{c.height}x{c.width}, up to {c.levels}, {c.classes} labels" for c in cards
            )
            raise ConfigError(
                f"{asked_by}: classifier {self.classifier!r} does not know such images",
                got=f"{image.height}x{image.width}x{image.channels}, up to {image.levels}, {classes} labels",
                expected=f"grey images of {' or '.join(known)}",
                fix="name your own classifier (a .safetensors file), or leave out the metrics that need one",
            )
