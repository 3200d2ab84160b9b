"""pass@k: how many prompts a model solves in k tries, and which of them the start model solved."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..errors import ConfigError
from ..functions.check import Check
from ..parts import Checked
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from .base import Evaluation
from .standard_errors import mean

Positive = Annotated[int, Field(gt=0)]

Solves = Callable[[Samples], NDArray[np.bool_]]
"""Function that returns which texts solve their prompts, shape (n,)."""

SHARES = ("solved_both", "solved_only_now", "solved_no_longer")


class PassAt(Checked, frozen=True):
    """The settings of a check for measuring pass@k.

    For each held-out prompt, ``samples_per_prompt`` texts are drawn in the same way as candidates. With c of
    n accepted, 1 - C(n - c, k) / C(n, k) is the chance that k of them, drawn without replacement, include an
    accepted one; its mean is unbiased for the chance with k new texts (M. Chen et al. 2021, arXiv
    2107.03374). A text on which the check abstains is not accepted. Standard errors and rows are over the
    prompts, which are the same in each round and arm, so that differences are paired.

    For the largest k, ``solved_both``, ``solved_only_now`` and ``solved_no_longer`` are the shares of prompts
    that are solved in k tries by both the start model and this one, by this one only, and by the start model
    only. Each model has its own tries, so a prompt that is solved by luck counts in all three. If nothing has
    changed, the latter two are equal on average, not zero.

    Attributes:
        pass_at: Values of k; empty to measure none.
        samples_per_prompt: Number of texts per held-out prompt; the largest k when None. More texts make the
            numbers more precise.
        solved_at: Lowest score that counts as accepted, if the check gives scores.
    """

    pass_at: tuple[Positive, ...] = ()
    samples_per_prompt: Positive | None = None
    solved_at: float = 0.5

    @model_validator(mode="after")
    def _enough(self) -> Self:
        check_tries("pass_at", self.pass_at, self.samples_per_prompt)
        return self

    @property
    def texts_for_each(self) -> int:
        """Number of texts drawn per held-out prompt; 0 if pass@k is not measured."""
        return self.samples_per_prompt or max(self.pass_at, default=0)

    def pass_quantities(self, prefix: str) -> dict[str, Quantity]:
        """Return the measured quantities by name; names start with ``prefix``."""
        found = {
            f"{prefix}pass@{k}": Quantity(
                f"pass@{k}",
                better="higher",
                low=0,
                high=1,
                meaning=f"Share of prompts for which at least one of {k} texts is accepted."
                if k > 1
                else "Chance that a text is accepted.",
            )
            for k in self.pass_at
        }
        if not found:
            return {}
        tries = f"in {most} tries" if (most := max(self.pass_at)) > 1 else "in one try"
        meanings = {
            "solved_both": ("Solved by start and now", f"that the start model and this one solve {tries}."),
            "solved_only_now": ("Solved only now", f"that this model solves {tries} and the start did not."),
            "solved_no_longer": (
                "Solved no longer",
                f"that the start model solved {tries} and this one does not.",
            ),
        }
        return found | {
            f"{prefix}{name}": Quantity(
                title,
                better="lower" if name == "solved_no_longer" else "higher",
                low=0,
                high=1,
                meaning=f"Share of prompts {meaning}",
            )
            for name, (title, meaning) in meanings.items()
        }

    def measure_pass(
        self, evaluation: Evaluation, column: str, prefix: str, solves: Solves, rng: np.random.Generator
    ) -> dict[str, Estimate]:
        """Return the numbers of `pass_quantities`, each with its standard error and rows over the prompts.

        Args:
            evaluation: Model of a round.
            column: Name of the written column.
            prefix: Prefix, as in `pass_quantities`.
            solves: Check of the texts.
            rng: Source of randomness for the texts.
        """
        if not self.pass_at:
            return {}
        generated, n = evaluation.generated, self.texts_for_each
        prompts = generated.only([name for name in generated if name != column])
        asked = prompts.select(np.repeat(np.arange(len(prompts)), n))
        accepted = solves(evaluation.generator.sample(len(asked), rng, asked)).reshape(-1, n).sum(axis=1)
        found = {f"{prefix}pass@{k}": pass_at(k, n, accepted) for k in self.pass_at}
        name = f"{prefix}pass@{max(self.pass_at)}"
        shares = solved_since(evaluation.start(name), found[name])
        estimates = {name: mean(values) for name, values in found.items()}
        return estimates | {f"{prefix}{name}": mean(values) for name, values in shares.items()}


def check_tries(setting: str, ks: Sequence[int], n: int | None) -> None:
    """Check that the numbers of tries are consistent.

    Args:
        setting: Name of the setting with the values of k.
        ks: Values of k.
        n: Number of texts drawn for each prompt; None if undecided.

    Raises:
        ConfigError: A k is larger than ``n`` or occurs twice, or there is none.
    """
    most = max(ks, default=0)
    if n is not None and not ks:
        raise ConfigError(f"samples_per_prompt needs {setting}", expected=f"such as {setting}: [1, 8]")
    if n is not None and n < most:
        raise ConfigError(
            "samples_per_prompt", got=n, expected=f"at least {most}, the largest k of {setting}"
        )
    if len(set(ks)) < len(ks):
        raise ConfigError(f"{setting}: a number twice", got=", ".join(map(str, ks)))


def pass_at(k: int, n: int, accepted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 - C(n - c, k) / C(n, k) of each prompt, shape (prompts,); ``accepted`` is c of its n texts."""
    tries = np.arange(k)
    # The chance that none of k texts is accepted, one after the other.
    rejected = np.maximum(n - accepted[:, None] - tries, 0) / (n - tries)
    return 1 - rejected.prod(axis=1)


def solved_since(
    start: NDArray[np.floating] | None, now: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    """Compare each prompt's pass@k at the start and now, by the names of `SHARES`; shape (prompts,).

    Args:
        start: The start model's pass@k by prompt; None if ``now`` is the start model's own.
        now: This model's pass@k. Both were drawn independently, so the mean of their product is unbiased.
    """
    if start is None:
        return dict(zip(SHARES, (now, np.zeros_like(now), np.zeros_like(now)), strict=True))
    then = start.astype(float)
    return dict(zip(SHARES, (then * now, (1 - then) * now, then * (1 - now)), strict=True))


def accepted_by(check: Check, at: float) -> Solves:
    """Return what a check accepts: True, or a score of at least ``at``."""

    def solves(samples: Samples) -> NDArray[np.bool_]:
        """Return which samples the check accepts, shape (n,)."""
        score = np.array([score for score, _, _ in check.said(samples).answers], float)
        return score >= at  # an abstention has no score, so it is not accepted

    return solves
