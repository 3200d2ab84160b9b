"""What can be set of the training of the CVAE; read without the libraries that do it."""

from typing import Annotated, Literal

from pydantic import Field

from ..parts import Checked

Precision = Literal["float32", "bfloat16"]

Likelihood = Literal["binomial", "logistic"]
"""How a pixel is distributed around the decoder's mean, see `_cvae_likelihood`."""

COUNTED = 16
"""Up to this number of levels a pixel is a count of points, for which the Binomial is right."""


class Training(Checked, frozen=True):
    """The recipe of a training.

    Attributes:
        epochs: Passes over the data, at most.
        min_steps: Where so many passes make fewer steps than this, more passes are allowed: a start set
            of 25 images is a single batch, and 30 steps train nothing.
        batch_size: Images per step.
        learning_rate: Adam's; its peak under the cosine schedule.
        schedule: ``constant``, or ``cosine``: a linear rise over the first twentieth of all steps, then
            half a cosine down to zero.
        patience: Stop when the mean training loss of an epoch has not improved for so many epochs; None
            to train all epochs. Of little use under ``cosine``, which needs its end.
        averaging: Generate with weights averaged over about this last share of the steps so far; None for
            the last weights.
        holdout: Set this share of the images aside. ``patience`` then watches the bound of these, and the
            weights that were best for them are kept; None to train on all images.
    """

    epochs: Annotated[int, Field(ge=1)] = 200
    min_steps: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    patience: Annotated[int, Field(ge=1)] | None = 5
    averaging: Annotated[float, Field(gt=0, lt=1)] | None = None
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
