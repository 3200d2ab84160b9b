"""The rules of a round: acceptance, data policy, schedule."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .acceptance import AcceptAll, DensityRatio, Threshold, TopFraction, TopOfCells
    from .choice import Choice
    from .policy import Accumulate, AccumulateSubsample, Fresh, Mix, Replace
    from .schedule import Constant, Geometric, Linear, Listed

__all__ = [
    "AcceptAll",
    "Accumulate",
    "AccumulateSubsample",
    "Choice",
    "Constant",
    "DensityRatio",
    "Fresh",
    "Geometric",
    "Linear",
    "Listed",
    "Mix",
    "Replace",
    "Threshold",
    "TopFraction",
    "TopOfCells",
]

export_lazily(
    globals(),
    {
        ".acceptance": ["AcceptAll", "DensityRatio", "Threshold", "TopFraction", "TopOfCells"],
        ".choice": ["Choice"],
        ".policy": ["Accumulate", "AccumulateSubsample", "Fresh", "Mix", "Replace"],
        ".schedule": ["Constant", "Geometric", "Linear", "Listed"],
    },
)
