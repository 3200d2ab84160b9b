"""Results of ``veriloop calibrate`` for one verifier, judge, or group of annotators."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from ..records import Number
from .agreement import Agreement
from .calibration import Calibration
from .intervals import Interval, Share, nothing
from .preference import Preference

FOLDER = "calibration"
"""Folder in a run folder with one JSON file per `Calibrated`."""


class Annotator(BaseModel):
    """How one person judges.

    Attributes:
        verdicts: Number of verdicts, on all samples.
        seconds: Median time per sample; NaN if unknown.
        sensitivity: Share of known good samples accepted, among those decided.
        specificity: Share of known bad samples rejected.
        early: Share of correct answers in the first half of their known samples.
        late: Share of correct answers in the second half.
        drift: ``late`` minus ``early``.
        with_others: Share of verdicts that agree with most others on the same sample.
        accuracy: Probability of giving the joint label, by Dawid and Skene; NaN if fewer than three people
            judged the same samples.
        weight: Weight in a majority weighted by accuracy; see `veriloop.advise.people`.
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
    """Results of a calibration, with a description of its subject.

    Attributes:
        subject: What was calibrated.
        good_are: Source of the known good samples.
        bad_are: Source of the known bad samples.
        calibration: Verdicts compared with the truth; None if only annotators were compared.
        preferences: Preferences for irrelevant traits, such as ``length of text``.
        positions: Accuracy at each position.
        agreement: Agreement of annotators.
        annotators: Results by name, for people with verdicts in a store.
        left_out: Number of table rows that were not counted, by what they lack.
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
