"""The original Fréchet inception distance, with torchmetrics and torch-fidelity."""

import importlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..datasets.images import LABEL, PIXELS
from ..errors import ConfigError, DataError, VeriloopError
from ..extras import require
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from ..schema import Schema
from .base import Evaluation, Metric
from .classifiers import image_columns
from .frechet import frechet_distance

FEATURES = 2048
WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
BATCH = 50
"""Images per forward pass: Inception uses 299x299 pixels, and 256 of these would need gigabytes."""


class InceptionFID(Metric, frozen=True):
    """Fréchet inception distance: the Fréchet distance in the last pooling layer of Inception-v3.

    The features are those of torchmetrics (torch-fidelity's port of the original TensorFlow weights), which
    downloads 91 MB once unless ``weights`` is set. Images are drawn (for the decoder's means, see `OfMeans`),
    scaled to 0..255 and repeated over three channels, real and generated alike. ImageNet features suit digits
    poorly, but published numbers use them. (M. Heusel et al., NeurIPS 2017.)

    With 2,048 features it has a large bias for few samples: 10,000 on each side is usual. The standard error
    is that of drawing the generated samples, by the influence function.

    Cost: about 0.1 s per image on one CPU thread, so 15 minutes for 10,000; a few seconds on a GPU.

    Attributes:
        weights: Path of ``weights-inception-2015-12-05-6726825d.pth``, if it cannot be downloaded.
        missing: Without the weights or packages, ``refuse`` ends the run before it trains anything; ``skip``
            says so and leaves the number out.
        image: Name of the image column; None: the data's only one.
        label: Name of the label column; None: the data's only one.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "fid": Quantity("FID", better="lower", low=0, meaning="Fréchet distance in Inception features."),
    }

    weights: Path | None = None
    missing: Literal["refuse", "skip"] = "refuse"
    image: str | None = None
    label: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        return (
            super().suited_to(schema).model_copy(update=image_columns(self, schema, self.image, self.label))
        )

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        """Check the images' channels, the packages and the weights; with ``skip``, load or download these."""
        image = image_columns(self, schema, self.image, self.label)["image"]
        if (channels := schema[image].channels) != 1:
            raise ConfigError(
                f"metric {self.kind!r} needs grey images",
                got=f"{channels} channels",
                expected=1,
                fix="remove fid from the metrics",
            )
        if self.missing == "skip":
            found = _inception_or_error(self.weights)
            return [f"{self.kind} is left out: {found}"] if isinstance(found, VeriloopError) else []
        require("torch_fidelity", "torchmetrics")
        if self.weights is not None and not self.weights.is_file():
            raise DataError(
                "no Inception weights", got=f"weights={self.weights}", expected=f"the path of {WEIGHTS}"
            )
        return []

    @override
    def check_data(self, real: Samples) -> None:
        """Load the network now, so that a failed download costs no training."""
        if self.missing == "refuse":
            load_inception(self.weights)

    @override
    def downloads(self) -> str | None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        fetched = Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints" / WEIGHTS
        return (
            None
            if self.weights or self.missing == "skip" or fetched.is_file()
            else f"{WEIGHTS} (91 MB), as torchmetrics does"
        )

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return ``fid``; NaN with ``skip`` if it cannot be measured here.

        Raises:
            MissingExtraError: torchmetrics or torch-fidelity is not installed.
            DataError: The Inception weights are missing and cannot be downloaded.
        """
        if self.missing == "skip":
            inception = _inception_or_error(self.weights)
            if isinstance(inception, VeriloopError):
                return {"fid": Estimate(np.nan, np.nan)}
        else:
            inception = load_inception(self.weights)
        image = self.image or PIXELS
        generated, real = evaluation.generated.array(image), evaluation.real.array(image)
        brightest = max(generated.max(initial=0), real.max(initial=0), 1)
        made, true = (_features(x * (255.0 / brightest), inception) for x in (generated, real))
        return {"fid": frechet_distance(true, made, evaluation.generated.array(self.label or LABEL))}


@cache
def load_inception(weights: Path | None) -> Any:
    """Load the Inception network of torchmetrics: uint8 images (n, 3, h, w) to features (n, 2048)."""
    require("torch_fidelity", "torchmetrics")
    fid = importlib.import_module("torchmetrics.image.fid")
    path = None if weights is None else str(weights)
    try:
        metric = fid.FrechetInceptionDistance(feature=FEATURES, feature_extractor_weights_path=path)
    except Exception as e:  # downloads and checkpoints raise many types
        raise DataError(
            f"no Inception weights ({type(e).__name__}: {e})",
            got=f"weights={weights}",
            fix=f"set weights to the path of {WEIGHTS}",
        ) from e
    from ..networks import device  # imports torch

    return metric.inception.to(device())


@cache
def _inception_or_error(weights: Path | None) -> Any:
    """Return the network, or why there is none; one process tries to download it once."""
    try:
        return load_inception(weights)
    except VeriloopError as e:
        return e


def _features(grey: NDArray[np.float64], inception: Any) -> NDArray[np.float64]:
    import torch

    from ..networks import in_batches

    rgb = torch.from_numpy(grey.round().astype(np.uint8))[:, None].expand(-1, 3, -1, -1)
    return torch.cat(list(in_batches(inception, rgb, batch=BATCH))).double().numpy()
