"""Metrics: what is measured of a round's model."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .accuracy import Accuracy
    from .checks import Command, JSONSchema, Math, PythonTests, Regex
    from .distances import Distances
    from .diversity import Diversity
    from .fid import InceptionFID
    from .frechet import Frechet
    from .function import FunctionMean
    from .label_accuracy import LabelAccuracy
    from .loss import Loss
    from .mmd import MMD
    from .modes import Modes
    from .nelbo import NELBO
    from .nll import NLL
    from .of_means import OfMeans
    from .parameter_error import ParameterError
    from .prdc import PRDC
    from .rouge import Rouge
    from .shares import Shares
    from .solved import Solved
    from .spread import Spread
    from .text_diversity import TextDiversity
    from .text_form import TextForm

__all__ = [
    "MMD",
    "NELBO",
    "NLL",
    "PRDC",
    "Accuracy",
    "Command",
    "Distances",
    "Diversity",
    "Frechet",
    "FunctionMean",
    "InceptionFID",
    "JSONSchema",
    "LabelAccuracy",
    "Loss",
    "Math",
    "Modes",
    "OfMeans",
    "ParameterError",
    "PythonTests",
    "Regex",
    "Rouge",
    "Shares",
    "Solved",
    "Spread",
    "TextDiversity",
    "TextForm",
]

export_lazily(
    globals(),
    {
        ".accuracy": ["Accuracy"],
        ".checks": ["Command", "JSONSchema", "Math", "PythonTests", "Regex"],
        ".distances": ["Distances"],
        ".diversity": ["Diversity"],
        ".fid": ["InceptionFID"],
        ".frechet": ["Frechet"],
        ".function": ["FunctionMean"],
        ".label_accuracy": ["LabelAccuracy"],
        ".loss": ["Loss"],
        ".mmd": ["MMD"],
        ".modes": ["Modes"],
        ".nelbo": ["NELBO"],
        ".nll": ["NLL"],
        ".of_means": ["OfMeans"],
        ".parameter_error": ["ParameterError"],
        ".prdc": ["PRDC"],
        ".rouge": ["Rouge"],
        ".shares": ["Shares"],
        ".solved": ["Solved"],
        ".spread": ["Spread"],
        ".text_diversity": ["TextDiversity"],
        ".text_form": ["TextForm"],
    },
)
