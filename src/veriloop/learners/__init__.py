"""Learners: they turn samples into a generator."""

from typing import TYPE_CHECKING

from ..lazy import export_lazily

if TYPE_CHECKING:
    from .causal_lm import CausalLM
    from .cvae import CVAE
    from .ddpm import DDPM
    from .discrete import Discrete
    from .gaussian import Gaussian
    from .gmm import GMM
    from .kde import KDE
    from .logistic import Logistic
    from .ols import OLS
    from .table import TableMixture

__all__ = [
    "CVAE",
    "DDPM",
    "GMM",
    "KDE",
    "OLS",
    "CausalLM",
    "Discrete",
    "Gaussian",
    "Logistic",
    "TableMixture",
]

export_lazily(
    globals(),
    {
        ".causal_lm": ["CausalLM"],
        ".cvae": ["CVAE"],
        ".ddpm": ["DDPM"],
        ".discrete": ["Discrete"],
        ".gaussian": ["Gaussian"],
        ".gmm": ["GMM"],
        ".kde": ["KDE"],
        ".logistic": ["Logistic"],
        ".ols": ["OLS"],
        ".table": ["TableMixture"],
    },
)
