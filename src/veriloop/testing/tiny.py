"""Tiny parts that train in a millisecond: Gaussians in the plane, for tests of the loop and of plug-ins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..datasets.base import Dataset, RealData
from ..errors import DataError
from ..generator import Generator
from ..judge import Judge
from ..learners.base import Learner
from ..metrics.base import Evaluation, Metric
from ..quantity import Quantity
from ..records import Estimate
from ..rng import Address
from ..samples import Samples
from ..verdicts import Decision, Verdicts
from ..verifiers.base import Verifier

_CENTERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


class TinyData(Dataset, frozen=True):
    """Three classes of points in the plane: column ``x`` of shape (n, 2), and ``label``."""

    start: Annotated[int, Field(gt=0)] = 30
    train: Annotated[int, Field(gt=0)] = 300
    test: Annotated[int, Field(gt=0)] = 300
    validation: Annotated[int, Field(ge=0)] = 300

    @override
    def load(self, seed: int) -> RealData:
        rng = Address(seed).rng()
        label = np.arange(self.train + self.test + self.validation) % 3
        points = Samples(x=_CENTERS[label] + rng.standard_normal((len(label), 2)), label=label)
        train = points.select(slice(self.train))
        return RealData(
            start=train.select(slice(self.start)),
            train=train,
            test=points.select(slice(self.train, self.train + self.test)),
            conditions=Samples(label=np.arange(3)),
            validation=points.select(slice(self.train + self.test, None)),
        )


class TinyGenerator(Generator):
    """One Gaussian per class: ``mean`` and ``spread`` of shape (3, 2)."""

    def __init__(self, mean: NDArray[Any], spread: NDArray[Any]) -> None:
        self.mean: NDArray[Any] = mean
        self.spread: NDArray[Any] = spread

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if condition is None or len(condition) != n:
            raise DataError("condition", got=condition and len(condition), expected=f"{n} labels")
        label = condition.array("label")
        noise = rng.standard_normal((n, 2))
        return condition.with_columns(x=self.mean[label] + self.spread[label] * noise)

    @override
    def save(self, directory: Path) -> None:
        from safetensors.numpy import save

        weights = save({"mean": self.mean, "spread": self.spread})
        (directory / "model.safetensors").write_bytes(weights)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        from safetensors.numpy import load_file

        weights = load_file(directory / "model.safetensors")
        return cls(weights["mean"], weights["spread"])


class TinyLearner(Learner, frozen=True):
    """Means and spreads by class; a warm start moves only half of the way to them."""

    generator_type: ClassVar[type[Generator]] = TinyGenerator

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> TinyGenerator:
        x, label = samples.array("x"), samples.array("label")
        mean = np.array([x[label == c].mean(axis=0) for c in range(3)])
        spread = np.array([x[label == c].std(axis=0) for c in range(3)])
        # Draws, like a real learner, so that tests notice a wrong stream.
        mean = mean + 1e-9 * rng.standard_normal(mean.shape)
        if isinstance(init, TinyGenerator):
            mean, spread = (mean + init.mean) / 2, (spread + init.spread) / 2
        return TinyGenerator(mean, spread)


class TinyVerifier(Verifier, frozen=True):
    """Scores by closeness to the real class means, which it learns from the real samples.

    Attributes:
        mode: Whether to return scores, or to decide: accept within a distance of 1.
        abstain: Share of random abstentions.
        bias: Offset of the first coordinate of the learned means.
    """

    mode: Literal["score", "decide"] = "score"
    abstain: Annotated[float, Field(ge=0, le=1)] = 0.0
    bias: float = 0.0

    @property
    @override
    def only_scores(self) -> bool:
        return self.mode == "score"

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> "TinyJudge":
        x, label = real.array("x"), real.array("label")
        means = np.array([x[label == c].mean(axis=0) for c in range(3)])
        return TinyJudge(self, means + [self.bias, 0.0])


class TinyJudge(Judge):
    """A `TinyVerifier` and the class means that it learned, shape (3, 2)."""

    def __init__(self, verifier: TinyVerifier, means: NDArray[Any]) -> None:
        self.verifier: TinyVerifier = verifier
        self.means: NDArray[Any] = means

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        means = self.means
        distance = np.linalg.norm(samples.array("x") - means[samples.array("label")], axis=1)
        if self.verifier.mode == "score":
            decision = np.full(len(samples), Decision.OPEN)
        else:
            decision = np.where(distance <= 1, Decision.ACCEPT, Decision.REJECT)
        decision = np.where(rng.random(len(samples)) < self.verifier.abstain, Decision.ABSTAIN, decision)
        return Verdicts(-distance, decision)

    @override
    def save(self, directory: Path) -> None:
        (directory / "verifier.json").write_text(self.verifier.model_dump_json())
        Samples(means=self.means).save(directory / "means.npz")

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        verifier = TinyVerifier.model_validate_json((directory / "verifier.json").read_text())
        return cls(verifier, Samples.load(directory / "means.npz").array("means"))


TinyVerifier.judge_type = TinyJudge


class TinyMetric(Metric, frozen=True):
    """``gap``: the distance between the means of generated and real samples."""

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "gap": Quantity(
            "Gap", better="lower", low=0, meaning="The distance of the samples' mean from the real one."
        )
    }

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        x = evaluation.generated.array("x")
        gap = np.linalg.norm(x.mean(axis=0) - evaluation.real.array("x").mean(axis=0))
        return {"gap": Estimate(float(gap), float(np.linalg.norm(x.std(axis=0)) / np.sqrt(len(x))))}
