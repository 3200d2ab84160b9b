"""Logistic regression as a generative model of labels: it draws a label for given numbers."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import log_softmax
from typing_extensions import override

from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ._distributions import draw_category
from ._numbers import NUMERIC, Floats, Layout, load_model, save_model, training_rows
from .base import Learner
from .discrete import tempered

MODEL, VALUES = "logistic.safetensors", "logistic-values.npz"


class LabelGenerator(Generator):
    """Labels for given numbers.

    Args:
        weight: Weights of each label, shape (k, d).
        intercept: Intercept of each label, shape (k,).
        values: The k labels, in a column with the label's name.
        layout: Columns that the d numbers belong to.
        temperature: Sampling temperature; 0 uses the most likely label.
        flips: Share of labels that are then replaced by another one at random.
    """

    def __init__(
        self,
        weight: Floats,
        intercept: Floats,
        values: Samples,
        layout: Layout,
        temperature: float = 1.0,
        flips: float = 0.0,
    ) -> None:
        self.weight: Floats = weight
        self.intercept: Floats = intercept
        self.values: Samples = values
        self.layout: Layout = layout
        self.temperature: float = temperature
        self.flips: float = flips

    def _log_shares(self, samples: Samples) -> Floats:
        return log_softmax(self.layout.matrix(samples) @ self.weight.T + self.intercept, axis=1)

    def _shares(self, samples: Samples) -> Floats:
        """Return the probability of drawing each label, shape (n, k)."""
        share = tempered(np.exp(self._log_shares(samples)), self.temperature)
        others = share.shape[1] - 1
        return (1 - self.flips) * share + self.flips * (1 - share) / others if others else share

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if condition is None or len(condition) != n:
            got = "none" if condition is None else len(condition)
            expected = f"{n} rows with {', '.join(self.layout.names)}"
            raise DataError("conditions of a logistic model", got=got, expected=expected)
        drawn = draw_category(self._shares(condition), rng)
        return condition.with_columns(**dict(self.values.select(drawn)))

    def classify(self, samples: Samples) -> Samples:
        """Return the most likely label of each of n samples, in a column with the label's name."""
        return self.values.select(self._log_shares(samples).argmax(axis=1))

    def log_density(self, samples: Samples) -> Floats:
        """Return the log probability of each sample's label given its numbers, in nats, shape (n,)."""
        (name,) = self.values
        own = np.asarray(samples[name])[:, None] == np.asarray(self.values[name])
        with np.errstate(divide="ignore"):
            return np.where(own, np.log(self._shares(samples)), -np.inf).max(axis=1, initial=-np.inf)

    @override
    def save(self, directory: Path) -> None:
        self.values.save(directory / VALUES)
        arrays = {"weight": self.weight, "intercept": self.intercept}
        settings = {"temperature": self.temperature, "flips": self.flips}
        save_model(directory / MODEL, arrays, self.layout, **settings)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        arrays, layout, settings = load_model(directory / MODEL)
        values = Samples.load(directory / VALUES)
        if len(values) != len(arrays["intercept"]):
            raise CorruptFileError(f"labels {directory / VALUES} do not belong to their model")
        drawn = (float(str(settings[name])) for name in ("temperature", "flips"))
        return cls(arrays["weight"], arrays["intercept"], values, layout, *drawn)


class Logistic(Learner, frozen=True):
    """A label or category, given numbers and vectors.

    Attributes:
        penalty: Penalty on squared weights; scikit-learn's 1 / C.
        temperature: Sampling bias: probabilities are raised to 1 / temperature. 1 samples the model itself, 0
            uses the most likely label.
        flips: Share of drawn labels that are replaced by another one at random, like a careless annotator.
        label: Name of the label column; None: the data's only generated column.
    """

    generator_type: ClassVar[type[Generator]] = LabelGenerator

    penalty: Annotated[float, Field(gt=0)] = 1.0
    temperature: Annotated[float, Field(ge=0)] = 1.0
    flips: Annotated[float, Field(ge=0, lt=1)] = 0.0
    label: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        asked_by = "learner 'logistic'"
        label = self.label or (schema.made[0] if len(schema.made) == 1 else None)
        if label is None:
            raise ConfigError(
                f"{asked_by} generates one column, a label or category",
                got=f"{', '.join(schema.made) or 'none'} to generate, of {schema.described()}",
                expected="one",
            )
        schema.column(label, asked_by, "label", "category")
        given = [name for name in schema.given if schema[name].role in NUMERIC]
        if not given or schema.made != [label]:
            raise ConfigError(
                f"{asked_by} generates {label!r} from given numbers",
                got=f"{', '.join(given) or 'no numbers'} given, {', '.join(schema.made)} generated",
                expected="a given vector or number, and nothing else to generate",
            )
        return super().suited_to(schema).model_copy(update={"label": label})

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> LabelGenerator:
        label = self.label or "label"
        names = [n for n in samples if n != label and isinstance(samples[n], np.ndarray)]
        layout, rows = training_rows(samples, names, "learner 'logistic'")
        weight, intercept, values = self._fitted(rows, samples.only([label]))
        return LabelGenerator(weight, intercept, values, layout, self.temperature, self.flips)

    def _fitted(self, rows: Floats, label: Samples) -> tuple[Floats, Floats, Samples]:
        from sklearn.linear_model import LogisticRegression

        (name,) = label
        known, first, code = np.unique(np.asarray(label[name]), return_index=True, return_inverse=True)
        values = label.select(first)
        if len(known) == 1:
            return np.zeros((1, rows.shape[1])), np.zeros(1), values
        model = LogisticRegression(C=1 / self.penalty, max_iter=1000).fit(rows, code)
        if len(known) > 2:
            return model.coef_, model.intercept_, values
        both: list[NDArray[np.float64]] = [
            np.concatenate([-w / 2, w / 2]) for w in (model.coef_, model.intercept_)
        ]
        return both[0], both[1], values
