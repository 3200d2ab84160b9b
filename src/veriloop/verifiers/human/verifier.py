"""A person, or several, as verifier."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator
from typing_extensions import override

from ...errors import CorruptFileError, MissingExtraError
from ...generator import Generator
from ...judge import Judge
from ...samples import Samples, concat
from ...schema import Schema
from ...verdicts import Decision, Verdicts
from ..base import AwaitingVerdicts, Verifier
from .content import content_keys, full_ink

try:
    from .database import checked_url
    from .store import KnownSamples, Store, Tally, check_there
except ModuleNotFoundError as e:
    if e.name != "sqlalchemy":
        raise
    raise MissingExtraError.of("SQLAlchemy", "web") from e


STATE = "human.json"
KNOWN = "known.npz"


class HumanJudge(Judge):
    """People, and the known samples that are mixed in among those they are asked about.

    Args:
        verifier: Its configuration.
        known: Mixed in; None for none.
    """

    def __init__(self, verifier: "Human", known: KnownSamples | None = None) -> None:
        self.verifier, self.known = verifier, known

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        store, wanted = self.verifier.store, self.verifier.annotators_per_sample
        keys = content_keys(samples)
        tallies = Store(store).tallies(keys)
        missing = {key: row for row, key in enumerate(keys) if tallies[key].total < wanted}
        if missing:
            rows = np.array(sorted(missing.values()))
            where = checked_url(store).render_as_string(hide_password=True)
            raise AwaitingVerdicts(len(rows), where, [partial(self._ask, samples.select(rows))])
        judged = [_verdict(tallies[key]) for key in keys]
        return Verdicts(
            np.array([score for score, _, _ in judged], np.float64),
            np.array([decision for _, decision, _ in judged], np.int8),
            [reason for _, _, reason in judged],
        )

    @override
    def save(self, directory: Path) -> None:
        """Write ``human.json``, and ``known.npz`` where there are known samples."""
        state = {
            "verifier": self.verifier.model_dump(mode="json"),
            "largest": self.known and self.known.largest,
        }
        (directory / STATE).write_text(json.dumps(state) + "\n")
        if self.known is not None:
            good, bad = self.known.good, self.known.bad
            is_good = np.arange(len(good) + len(bad)) < len(good)
            concat([good, bad]).with_columns(_good=is_good).save(directory / KNOWN)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        path = directory / STATE
        try:
            state = json.loads(path.read_text())
            verifier, largest = Human.model_validate(state["verifier"]), state["largest"]
        except (OSError, ValueError, TypeError, KeyError) as e:
            raise CorruptFileError(f"state of the people's judge {path} cannot be read ({e})") from e
        if largest is None:
            return cls(verifier)
        both = Samples.load(directory / KNOWN)
        known, is_good = both.only([name for name in both if name != "_good"]), both.array("_good")
        return cls(verifier, KnownSamples(known.select(is_good), known.select(~is_good), largest))

    def _ask(self, samples: Samples) -> None:
        verifier = self.verifier
        Store(verifier.store).post(
            samples, self.known, wanted=verifier.annotators_per_sample, queue=verifier.queue
        )


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
        known: How many known samples each round mixes in, half of them real and half of them bad.
        condition: The column that says what a sample should be. None for the data's label, or else its
            prompt; without one, all known samples are real ones.
    """

    judge_type: ClassVar[type[Judge]] = HumanJudge
    renamed: ClassVar[Mapping[str, str]] = {"gold": "use known"}

    store: str = "sqlite:///verdicts.db"
    annotators_per_sample: Annotated[int, Field(ge=1)] = 1
    queue: Annotated[int, Field(ge=1)] = 500
    known: Annotated[int, Field(ge=0)] = 20
    condition: str | None = None

    @field_validator("store")
    @classmethod
    def _is_url(cls, url: str) -> str:
        checked_url(url)
        return url

    @override
    def verdict_stores(self) -> tuple[str, ...]:
        return (self.store,)

    @override
    def check_verdicts(self, asked: bool) -> None:
        check_there(self.store, asked)

    @override
    def suited_to(self, schema: Schema) -> Self:
        if self.condition is not None:
            schema.column(self.condition, f"verifier {self.kind!r}: condition")
            return super().suited_to(schema)
        candidates = schema.named("label") or schema.named("prompt")
        condition = candidates[0] if len(candidates) == 1 else None
        return super().suited_to(schema).model_copy(update={"condition": condition})

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Open the store.

        Raises:
            StorageError: It cannot be reached.
        """
        Store(self.store)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """Draw the round's known samples; nothing is learned."""
        return HumanJudge(self, self._draw_known(real, rng))

    def _draw_known(self, real: Samples, rng: np.random.Generator) -> KnownSamples:
        """Known samples, the real ones first, and how dark real images get."""
        largest = full_ink(real)
        order = rng.permutation(len(real))
        good = real.select(order[: (self.known + 1) // 2])
        if self.condition is None or self.condition not in real:
            return KnownSamples(good, good.select(slice(0)), largest)
        # A bad one keeps the content of a real one, and takes the condition of one with another condition.
        condition = np.asarray(real[self.condition])
        rows, others = [], []
        for row in order[len(good) : len(good) + self.known // 2]:
            unlike = np.flatnonzero(condition != condition[row])
            if len(unlike):
                rows.append(row)
                others.append(rng.choice(unlike))
        swapped = real.select(np.array(others, np.int64))[self.condition]
        bad = real.select(np.array(rows, np.int64)).with_columns(**{self.condition: swapped})
        return KnownSamples(good, bad, largest)


def _verdict(tally: Tally) -> tuple[float, Decision, str]:
    decided = tally.accept + tally.reject
    if decided == 0:
        return float("nan"), Decision.ABSTAIN, "nobody could tell"
    share = tally.accept / decided
    if tally.accept == tally.reject:
        return share, Decision.ABSTAIN, f"{tally.accept} against {tally.reject}"
    return share, Decision.ACCEPT if share > 0.5 else Decision.REJECT, ""
