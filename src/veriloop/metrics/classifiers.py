"""The features in which metrics compare samples: a classifier's, or others that need no labels.

No network is loaded here: see `features`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict
from typing_extensions import override

from ..datasets.images import LABEL, PIXELS
from ..encoding import TableColumns
from ..errors import ConfigError, CorruptFileError
from ..extras import require
from ..parts import did_you_mean
from ..quantity import Quantity
from ..samples import Samples
from ..schema import Image, Schema
from ._seen import Views, of_rows
from .base import Evaluation, Metric

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = ("digits", "mnist", "fashion-mnist")
AUTO = "auto"
RANDOM, PCA = "random", "pca"
UNLABELLED = {RANDOM: "random network", PCA: "principal components"}
"""Features that need no labels, as named in titles."""

MAKE = "restore both files, or create them again with veriloop train-classifier"
TRAIN = "train one on such images: veriloop train-classifier PLAN.yaml --out mine.safetensors"


class Card(BaseModel):
    """Description of a classifier next to its weights: its architecture, and where it comes from.

    Attributes:
        height: Height of images in pixels.
        width: Width of images in pixels.
        levels: Largest pixel value.
        classes: Number of labels.
        channels: Numbers of feature maps of the three convolutions.
        pools: Side of the max-pooling after each convolution; 1 for no pooling.
        features: Width of the last hidden layer.
        command: Training command.
        seed: Seed of the training.
        train_images: Number of real images it was trained on.
        test_images: Number of images it was tested on.
        train_accuracy: Share of training images classified correctly.
        test_accuracy: Share of test images classified correctly.
        sha256: Digest of the weights file.
        image_channels: 1 for grey images, 3 for colour.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

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
    image_channels: int = 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image's array."""
        size = (self.height, self.width)
        return size if self.image_channels == 1 else (*size, self.image_channels)

    def fits(self, image: Image, classes: int) -> bool:
        """Whether the classifier accepts such images and this many labels."""
        size = (image.height, image.width, image.channels)
        same = size == (self.height, self.width, self.image_channels)
        return same and image.levels <= self.levels and classes <= self.classes


def _known(name: str) -> str:
    names = (AUTO, *SHIPPED, *UNLABELLED)
    if name not in names and not name.endswith(".safetensors"):
        raise ConfigError(
            "no such classifier",
            got=name,
            expected=f"one of {', '.join(names)}, or the path of a .safetensors file with its card beside it",
            fix=did_you_mean(name, names),
        )
    return name


FeatureName = Annotated[str, AfterValidator(_known)]
"""``auto``, the name of a bundled classifier, the path of other weights with their card next to them,
``random`` or ``pca``.

``auto`` is the bundled classifier for the images' size that labels the held-out real images best, so that a
change of the data set does not require a change of the metrics. Images of a size without a classifier use
``random``: a network with fixed random weights, the same for everyone. ``pca`` uses the principal components
of the held-out real images. Neither has seen a label, and titles name them.
"""


def files(name: str) -> tuple[Path, Path]:
    """Return the paths of a classifier's weights and card."""
    weights = WEIGHTS / f"{name}.safetensors" if name in SHIPPED else Path(name)
    return weights, weights.with_suffix(".json")


@cache
def load_card(name: str) -> Card:
    """Read a classifier's card.

    Raises:
        CorruptFileError: The card is missing or damaged.
    """
    _, path = files(name)
    try:
        return Card.model_validate_json(path.read_text())
    except (OSError, ValueError) as e:
        raise CorruptFileError(f"card {path} of a classifier cannot be read ({e})", fix=MAKE) from e


def image_columns(metric: Metric, schema: Schema, image: str | None, label: str | None) -> dict[str, str]:
    """Return the image and label columns of a metric, by its setting.

    Raises:
        ConfigError: There is no such column, or several.
    """
    me = f"metric {metric.kind!r}"
    return {
        "image": schema.pick(me, "image", image, "image"),
        "label": schema.pick(me, "label", label, "label"),
    }


def by_features(quantities: Mapping[str, Quantity]) -> Any:
    """Add the name of features without labels to titles of the ``quantities`` of a `FeatureMetric`."""
    return _ByFeatures(quantities)


class _ByFeatures:
    """Result of `by_features`: plain titles on the class, titles with features on a metric."""

    def __init__(self, quantities: Mapping[str, Quantity]) -> None:
        self._plain = quantities

    def __get__(self, metric: "FeatureMetric | None", owner: type) -> Mapping[str, Quantity]:
        if metric is None or metric.features is None:
            return self._plain
        return {name: replace(q, title=f"{q.title} ({metric.features})") for name, q in self._plain.items()}


class FeatureMetric(Metric, frozen=True):
    """A metric in features of images, or in the columns of a table.

    Table rows become vectors as in `veriloop.encoding`, learned from the held-out real rows: numbers in
    standard deviations, categories as one-hot.

    Attributes:
        classifier: Features of images, see :data:`FeatureName`.
        image: Name of the image column; None: the data's only one.
        label: Name of the label column; None: the data's only one.
        table: Kinds of the columns of a table; None for those of the data, and for images.
    """

    classifier: FeatureName = AUTO
    image: str | None = None
    label: str | None = None
    table: TableColumns | None = None

    @property
    def features(self) -> str | None:
        """Name of the features in titles; None for a classifier's."""
        return "columns" if self.table is not None else UNLABELLED.get(self.classifier)

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        if not schema.named("image") and self.image is None:
            table = self.table or TableColumns.of(schema, f"metric {self.kind!r}")
            return suited.model_copy(update={"table": table})
        columns = image_columns(self, schema, self.image, self.label)
        image, classes = schema[columns["image"]], schema[columns["label"]].classes
        unknown = self.classifier == AUTO and not any(load_card(n).fits(image, classes) for n in SHIPPED)
        return suited.model_copy(update=columns | ({"classifier": RANDOM} if unknown else {}))

    def views(self, evaluation: Evaluation) -> Views:
        """Return generated and real samples in these features."""
        if (table := self.table) is not None:
            return evaluation.once(
                ("rows", table), lambda: of_rows(evaluation.generated, evaluation.real, table)
            )
        require("torch")
        from .features import views

        return views(evaluation, self.classifier, self.image or PIXELS, self.label or LABEL)

    @override
    def sources(self) -> Mapping[str, Path]:
        if self.classifier in (AUTO, *SHIPPED, *UNLABELLED):
            return {}
        return {str(path): path for path in files(self.classifier)}

    @override
    def check_ahead(self, schema: Schema) -> None:
        if self.table is not None:
            return
        require("torch")
        if self.classifier in UNLABELLED:
            return
        columns = image_columns(self, schema, self.image, self.label)
        image, classes = schema[columns["image"]], schema[columns["label"]].classes
        names = SHIPPED if self.classifier == AUTO else (self.classifier,)
        cards = [load_card(name) for name in names]
        if not any(card.fits(image, classes) for card in cards):
            known = dict.fromkeys(
                f"{c.height}x{c.width}x{c.image_channels}, up to {c.levels}, {c.classes} labels"
                for c in cards
            )
            raise ConfigError(
                f"metric {self.kind!r}: classifier {self.classifier!r} was not trained on such images",
                got=f"{image.height}x{image.width}x{image.channels}, up to {image.levels}, {classes} labels",
                expected=f"images of {' or '.join(known)}",
                fix=f"{TRAIN}; or use classifier: random",
            )

    @override
    def check_data(self, real: Samples) -> None:
        if self.table is None and self.classifier == AUTO:
            require("torch")
            from .features import familiar_classifier, plainly_named

            familiar_classifier(plainly_named(real, self.image or PIXELS, self.label or LABEL))


class ClassifierMetric(FeatureMetric, frozen=True):
    """A metric of a classifier's predictions for images. Its attributes are those of `FeatureMetric`."""

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        if suited.features is not None:
            raise ConfigError(
                f"metric {self.kind!r} needs a classifier for such samples",
                got=f"features of a {suited.features}" if suited.table is None else "a table",
                expected="images of a bundled classifier, or your own classifier",
                fix=f"remove {self.kind}" if suited.table else f"{TRAIN}; or leave {self.kind} out",
            )
        return suited
