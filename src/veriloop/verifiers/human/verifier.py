"""A person, or several, as verifier."""

from functools import partial
from typing import Annotated, Self

import numpy as np
from pydantic import Field, PrivateAttr, field_validator
from typing_extensions import override

from ...errors import MissingExtraError
from ...generator import Generator
from ...samples import Samples
from ...schema import Schema
from ...verdicts import Decision, Verdicts
from ..base import AwaitingVerdicts, Verifier
from .content import PIXELS, content_keys

try:
    from .database import checked_url
    from .store import Gold, Store, Tally
except ModuleNotFoundError as e:
    if e.name != "sqlalchemy":
        raise
    raise MissingExtraError.of("SQLAlchemy", "web") from e


class Human(Verifier, frozen=True):
    """Looks up what people said of a sample; samples that they have not seen yet are put before them.

    Several people decide by majority: accepted if more accept than reject, and the score is the share that
    accepts. It abstains where they are evenly split, or nobody could tell. The verdicts lie in a store, known
    by the content of the sample, and a resumed round makes the same samples again. So a run ends when
    verdicts are missing, and goes on when they are there.

    To see how carefully people judge, known samples are mixed in, unmarked: real ones, and bad ones, which
    are real ones with another one's condition.

    Attributes:
        store: Where verdicts lie, as an SQLAlchemy URL: ``sqlite:///FILE`` or ``postgresql://...``. A
            relative file is taken from the directory in which veriloop is started.
        annotators_per_sample: So many people judge each sample.
        queue: The most samples that wait for people at a time.
        gold: How many known samples each round mixes in, half of them real and half of them bad.
        condition: The column that says what a sample should be, such as a label or a prompt.
    """

    store: str = "sqlite:///verdicts.db"
    annotators_per_sample: Annotated[int, Field(ge=1)] = 1
    queue: Annotated[int, Field(ge=1)] = 500
    gold: Annotated[int, Field(ge=0)] = 20
    condition: str = "label"
    _gold: Gold | None = PrivateAttr(None)

    @field_validator("store")
    @classmethod
    def _is_url(cls, url: str) -> str:
        checked_url(url)
        return url

    @override
    def verdict_stores(self) -> tuple[str, ...]:
        return (self.store,)

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Open the store.

        Raises:
            StorageError: It cannot be reached.
        """
        Store(self.store)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        keys = content_keys(samples)
        tallies = Store(self.store).tallies(keys)
        missing = {
            key: row for row, key in enumerate(keys) if tallies[key].total < self.annotators_per_sample
        }
        if missing:
            rows = np.array(sorted(missing.values()))
            where = checked_url(self.store).render_as_string(hide_password=True)
            raise AwaitingVerdicts(len(rows), where, [partial(self._ask, samples.select(rows))])
        judged = [_verdict(tallies[key]) for key in keys]
        return Verdicts(
            np.array([score for score, _, _ in judged], np.float64),
            np.array([decision for _, decision, _ in judged], np.int8),
            [reason for _, _, reason in judged],
        )

    @override
    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        """Draws the known samples; nothing is learned."""
        drawn = self.model_copy()
        drawn._gold = self._draw_gold(real, rng)  # pyright: ignore[reportAttributeAccessIssue]  # private
        return drawn

    def _ask(self, samples: Samples) -> None:
        Store(self.store).post(samples, self._gold, wanted=self.annotators_per_sample, queue=self.queue)

    def _draw_gold(self, real: Samples, rng: np.random.Generator) -> Gold:
        """Known samples, the real ones first, and how dark real images get."""
        largest = float(real.array(PIXELS).max()) if PIXELS in real and len(real) else 1.0
        order = rng.permutation(len(real))
        good = real.select(order[: (self.gold + 1) // 2])
        if self.condition not in real:
            return Gold(good, good.select(slice(0)), largest)
        # A bad one keeps the content of a real one, and takes the condition of one with another condition.
        condition = np.asarray(real[self.condition])
        rows, others = [], []
        for row in order[len(good) : len(good) + self.gold // 2]:
            unlike = np.flatnonzero(condition != condition[row])
            if len(unlike):
                rows.append(row)
                others.append(rng.choice(unlike))
        swapped = real.select(np.array(others, np.int64))[self.condition]
        bad = real.select(np.array(rows, np.int64)).with_columns(**{self.condition: swapped})
        return Gold(good, bad, largest)


def _verdict(tally: Tally) -> tuple[float, Decision, str]:
    decided = tally.accept + tally.reject
    if decided == 0:
        return float("nan"), Decision.ABSTAIN, "nobody could tell"
    share = tally.accept / decided
    if tally.accept == tally.reject:
        return share, Decision.ABSTAIN, f"{tally.accept} against {tally.reject}"
    return share, Decision.ACCEPT if share > 0.5 else Decision.REJECT, ""
