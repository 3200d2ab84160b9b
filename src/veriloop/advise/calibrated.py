"""What ``veriloop calibrate`` finds: one verifier, or judge, or group of annotators."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from ..records import Number
from .agreement import Agreement
from .calibration import Calibration
from .intervals import Interval, Share, nothing
from .preference import Preference

FOLDER = "calibration"
"""Where in a run folder each `Calibrated` lies, as a JSON file of its own."""


class Annotator(BaseModel):
    """How one person judges.

    Attributes:
        verdicts: How many they have given, on all samples.
        seconds: The median time that they looked at a sample; NaN where that is not known.
        sensitivity: The share of known good samples that they accept, of those that they decide on.
        specificity: The share of known bad ones that they reject.
        early: The share of right answers in the first half of their known samples.
        late: Likewise, in the second half.
        drift: ``late`` less ``early``.
        with_others: The share of their verdicts that are those of most others who judged the same sample.
        accuracy: The chance that they give the label that all mean, by Dawid and Skene; NaN where fewer than
            three people judged the same samples as others.
        weight: What they count for where a majority is weighed by accuracy; see `veriloop.advise.people`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    verdicts: int
    seconds: Number
    sensitivity: Share
    specificity: Share
    early: Share
    late: Share
    drift: Interval = nothing()
    with_others: Share = nothing()
    accuracy: Number = float("nan")
    weight: Number = float("nan")


class Calibrated(BaseModel):
    """The finding, with what it is about in words.

    Attributes:
        subject: What was calibrated.
        good_are: Where the known good samples come from.
        bad_are: Where the known bad ones come from.
        calibration: Verdicts against what is known; None when only annotators were compared.
        preferences: By what should not matter, such as ``length of text``.
        positions: Accuracy at each position.
        agreement: Of annotators.
        annotators: By name, people whose verdicts a store holds.
        left_out: How many rows of a table were not counted, by what they lack.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    subject: str
    good_are: str
    bad_are: str
    calibration: Calibration | None = None
    preferences: dict[str, Preference] = {}
    positions: dict[str, Share] = {}
    agreement: Agreement | None = None
    annotators: dict[str, Annotator] = {}
    left_out: dict[str, int] = {}
