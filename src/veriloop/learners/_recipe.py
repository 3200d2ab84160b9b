"""Training settings of the CVAE; readable without the training libraries."""

from typing import Annotated, Literal

from pydantic import Field

from ..parts import Checked

Precision = Literal["float32", "bfloat16"]

Likelihood = Literal["binomial", "logistic"]
"""Distribution of a pixel around the decoder's mean, see `_cvae_likelihood`."""

Prior = Literal["standard", "per_label"]
"""Distribution of the latent vector: standard normal, or a Gaussian of each label."""

COUNTED = 16
"""Largest number of levels for which a pixel counts points, so that the Binomial suits it."""


class Training(Checked, frozen=True):
    """Training settings.

    Attributes:
        epochs: Largest number of passes over the data.
        min_steps: Least number of steps; if the passes make fewer, more passes are allowed. A start set of 25
            images is a single batch, and 30 steps would train nothing.
        batch_size: Number of images per step.
        learning_rate: Learning rate of Adam; its peak with the cosine schedule.
        schedule: ``constant``, or ``cosine``: a linear rise over the first twentieth of all steps, then half
            a cosine down to zero.
        patience: Number of epochs without an improvement of the mean training loss after which to stop; None
            to train all epochs. Of little use with ``cosine``, which needs to reach its end.
        averaging: Share of the latest steps over which weights are averaged for generation; None to use the
            last weights.
        holdout: Share of the images to set aside. ``patience`` then watches their bound, and the weights that
            were best for them are kept; None to train on all images.
    """

    epochs: Annotated[int, Field(ge=1)] = 200
    min_steps: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    patience: Annotated[int, Field(ge=1)] | None = 5
    averaging: Annotated[float, Field(gt=0, lt=1)] | None = None
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
