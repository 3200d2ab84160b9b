"""A person, or several, as verifier."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from ...advise.people import weight
from ...cards import CHOICES, Brief, Choice, Example
from ...errors import ConfigError, CorruptFileError
from ...extras import explained
from ...generator import Generator
from ...judge import Judge
from ...samples import Column, Samples, concat
from ...schema import Schema
from ...verdicts import Decision, Verdicts
from ..base import AwaitingVerdicts, Verifier
from .content import content_keys, full_ink

with explained():
    from .database import checked_url
    from .store import KnownSamples, Opinion, Store, Tally, check_there

STATE = "human.json"
KNOWN = "known.npz"

PAGE_KEYS = ("u", "c", "g", "l")
"""Keys reserved on the page: undo, comment, grid and list."""


class HumanJudge(Judge):
    """People, and the known samples that are mixed in among theirs.

    Args:
        verifier: Configuration.
        known: Known samples to mix in; None for none.
    """

    def __init__(self, verifier: "Human", known: KnownSamples | None = None) -> None:
        self.verifier: Human = verifier
        self.known: KnownSamples | None = known

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
        if self.verifier.weigh == "accuracy":
            judged = _weighed(Store(store), keys)
        else:
            judged = [verdict_of(tallies[key]) for key in keys]
        return Verdicts(
            np.array([score for score, _, _ in judged], np.float64),
            np.array([decision for _, decision, _ in judged], np.int8),
            [reason for _, _, reason in judged],
        )

    @override
    def save(self, directory: Path) -> None:
        """Write ``human.json``, and ``known.npz`` if there are known samples."""
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
            samples,
            self.known,
            wanted=verifier.annotators_per_sample,
            queue=verifier.queue,
            show=verifier.show,
        )


class Human(Verifier, frozen=True):
    """Looks up people's verdicts on a sample; new samples are submitted to them.

    Several people decide by majority: accepted if more accept than reject, and the score is the share that
    accepts. A tie, or only abstentions, is an abstention. Verdicts are stored by the content of the sample,
    and a resumed round makes the same samples again. So a run ends when verdicts are missing, and continues
    once they are there.

    To measure how carefully people judge, known samples are mixed in, unmarked: real ones, and bad ones,
    which are real ones with another sample's condition, such as another prompt's completion. Without a
    condition, a bad one is a real one with its words or pixels in random order.

    Attributes:
        store: Location of the verdicts as an SQLAlchemy URL: ``sqlite:///FILE`` or ``postgresql://...``. A
            relative file is relative to the directory in which veriloop is started.
        annotators_per_sample: Number of people who judge each sample.
        queue: Largest number of samples that wait for people at a time.
        known: Number of known samples that each round mixes in, half of them real and half bad.
        weigh: How people are weighted: ``equally``, or by their ``accuracy`` on the known samples judged so
            far, see `veriloop.advise.people.weight`.
        condition: Column that says what a sample should be. None for the data's label, or else its prompt.
        judged: Columns that people judge. None for those that a model generates.
        show: Columns that people see, in this order. None for all except references and ids.
        hide: Columns that people do not see.
        question: Question in a line above the sample.
        guidelines: How to decide, in one or more paragraphs.
        examples: Judged samples to learn from: ``{answer: reject, words: {summary: ...}, why: ...}``.
        choices: Keys and labels for some of the answers: ``{accept: {key: j, label: Fine}}``.
    """

    judge_type: ClassVar[type[Judge]] = HumanJudge
    renamed: ClassVar[Mapping[str, str]] = {"gold": "use known"}

    store: str = "sqlite:///verdicts.db"
    annotators_per_sample: Annotated[int, Field(ge=1)] = 1
    queue: Annotated[int, Field(ge=1)] = 500
    known: Annotated[int, Field(ge=0)] = 20
    weigh: Literal["equally", "accuracy"] = "equally"
    condition: str | None = None
    judged: tuple[str, ...] | None = None
    show: tuple[str, ...] | None = None
    hide: tuple[str, ...] = ()
    question: str = ""
    guidelines: str = ""
    examples: tuple[Example, ...] = ()
    choices: dict[Opinion, Choice] = Field(default_factory=dict)

    @field_validator("store")
    @classmethod
    def _is_url(cls, url: str) -> str:
        checked_url(url)
        return url

    @field_validator("choices")
    @classmethod
    def _are_distinct(cls, choices: dict[Opinion, Choice]) -> dict[Opinion, Choice]:
        keys = [choice.key for choice in {**CHOICES, **choices}.values()]
        if len(set(keys)) < len(keys) or set(keys) & set(PAGE_KEYS):
            raise ValueError(
                f"keys of choices: got {', '.join(keys)}, expected a different one each, none of"
                f" {', '.join(PAGE_KEYS)}, which the page reserves"
            )
        return choices

    @model_validator(mode="after")
    def _can_be_weighed(self) -> Self:
        if self.weigh == "accuracy":
            if self.annotators_per_sample < 2:
                raise ValueError(
                    "weigh: got accuracy, with annotators_per_sample: 1, expected two or more people on a"
                    " sample, or weigh: equally"
                )
            if self.known == 0:
                raise ValueError(
                    "weigh: got accuracy, with known: 0, expected known samples by which to weigh people,"
                    " or weigh: equally"
                )
        return self

    @override
    def brief(self) -> Brief:
        return Brief(
            question=self.question,
            guidelines=self.guidelines,
            judged=self.judged or (),
            examples=self.examples,
            choices={**CHOICES, **self.choices},
        )

    @override
    def verdict_stores(self) -> tuple[str, ...]:
        return (self.store,)

    @override
    def check_verdicts(self, asked: bool) -> None:
        check_there(self.store, asked)

    @override
    def suited_to(self, schema: Schema) -> Self:
        for setting in ("judged", "show", "hide"):
            for name in getattr(self, setting) or ():
                schema.column(name, f"verifier {self.kind!r}: {setting}")
        condition = self.condition
        if condition is not None:
            schema.column(condition, f"verifier {self.kind!r}: condition")
        else:
            candidates = schema.named("label") or schema.named("prompt") or schema.named("messages")
            condition = candidates[0] if len(candidates) == 1 else None
        own = {name: column for name, column in schema.items() if not name.startswith("_")}
        judged = self.judged or tuple(name for name, column in own.items() if not column.given)
        shown = tuple(
            name
            for name in self.show or [n for n, c in own.items() if c.role not in ("reference", "id")]
            if name not in self.hide
        )
        if not set(judged) <= set(shown):
            raise ConfigError(
                f"verifier {self.kind!r}: show and hide",
                got=f"people see {', '.join(shown) or 'nothing'}",
                expected=f"what they judge among it: {', '.join(judged)}",
            )
        resolved = {"condition": condition, "judged": judged, "show": shown}
        return super().suited_to(schema).model_copy(update=resolved)

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Open the store, and check that known samples can be made.

        Raises:
            StorageError: The store cannot be reached.
            ConfigError: They cannot, or would be recognised.
        """
        Store(self.store)
        if self.known == 0:
            return
        for name in self.show or ():
            if getattr(schema[name], "copy_of", None) in (self.judged or ()):
                raise ConfigError(
                    f"verifier {self.kind!r}: show",
                    got=f"{name}, which in a good known sample equals what people judge",
                    expected="other columns",
                    fix="remove it from show, or set known: 0",
                )
        if not all(getattr(schema[name], "in_data", True) for name in self.judged or ()):
            why = "the data have only prompts, so no good ones are known"
        elif self.condition is None and not any(
            schema[name].role in ("image", "completion") for name in self.judged or ()
        ):
            why = "without a label or a prompt, or text or images to shuffle, no bad ones can be made"
        else:
            return
        raise ConfigError(
            f"verifier {self.kind!r}: known",
            got=f"{self.known}, but {why}",
            expected="0",
            fix="set known: 0, or set condition to the column that says what a sample should be",
        )

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """Draw the round's known samples; nothing is learned."""
        return HumanJudge(self, self._draw_known(real, rng))

    def _draw_known(self, real: Samples, rng: np.random.Generator) -> KnownSamples:
        """Return known samples, real ones first, and the largest pixel value of real images."""
        largest = full_ink(real)
        order = rng.permutation(len(real))
        good = real.select(order[: (self.known + 1) // 2])
        rest = order[len(good) : len(good) + self.known // 2]
        judged = [name for name in self.judged or () if name in real]
        if self.condition is None or self.condition not in real:
            return KnownSamples(good, _shuffled(real.select(rest), judged, rng), largest)
        # A bad one combines the judged part of one real sample with the condition of another.
        condition = _comparable(real[self.condition])
        texts = [_comparable(real[name]) for name in judged if isinstance(real[name], list)]
        rows, others = [], []
        for row in rest:
            # Two prompts may have the same correct answer, which would not be a bad sample for either.
            differs = [column != column[row] for column in (condition, *texts)]
            unlike = np.flatnonzero(np.logical_and.reduce(differs))
            if len(unlike):
                rows.append(row)
                others.append(rng.choice(unlike))
        own, other = (real.select(np.array(some, np.int64)) for some in (rows, others))
        if judged:
            return KnownSamples(good, other.with_columns(**dict(own.only(judged))), largest)
        return KnownSamples(good, own.with_columns(**{self.condition: other[self.condition]}), largest)


def _comparable(column: Column) -> NDArray[Any]:
    """Return a value per row that is equal exactly where the column's values are."""
    return column if isinstance(column, np.ndarray) else np.array(content_keys(Samples(column=column)))


def _shuffled(real: Samples, judged: Sequence[str], rng: np.random.Generator) -> Samples:
    """Return samples with their words or pixels in random order, without those that do not change."""
    changed: dict[str, Column] = {}
    for name in judged:
        column = real[name]
        if isinstance(column, np.ndarray) and column.ndim >= 3:
            changed[name] = rng.permuted(column.reshape(len(column), -1), axis=1).reshape(column.shape)
        elif isinstance(column, list):
            changed[name] = [" ".join(rng.permutation(text.split()).tolist()) for text in column]
    shuffled = real.with_columns(**changed)
    same = np.array(content_keys(shuffled)) == np.array(content_keys(real))
    return shuffled.select(np.flatnonzero(~same))


def verdict_of(tally: Tally) -> tuple[float, Decision, str]:
    """Return the joint score and decision of several people, and the reason for an abstention."""
    decided = tally.accept + tally.reject
    if decided == 0:
        return float("nan"), Decision.ABSTAIN, "nobody could tell"
    share = tally.accept / decided
    if tally.accept == tally.reject:
        return share, Decision.ABSTAIN, f"{tally.accept} against {tally.reject}"
    return share, Decision.ACCEPT if share > 0.5 else Decision.REJECT, ""


def _weighed(store: Store, keys: Sequence[str]) -> list[tuple[float, Decision, str]]:
    """Return score, decision and reason for each sample, with people weighted by accuracy."""
    votes = store.votes(keys)
    weights = store.weights(max((vote.number for vote in votes), default=0))
    of_sample: dict[str, list[tuple[Opinion, float]]] = defaultdict(list)
    for vote in votes:
        of_sample[vote.key].append((vote.answer, weights.get(vote.annotator, weight(0, 0))))
    return [weighed_verdict(of_sample[key]) for key in keys]


def weighed_verdict(votes: Sequence[tuple[Opinion, float]]) -> tuple[float, Decision, str]:
    """Return the joint verdict as `verdict_of` does, for weighted opinions."""
    accept, reject = (math.fsum(w for said, w in votes if said == one) for one in ("accept", "reject"))
    if all(said == "abstain" for said, _ in votes):
        return float("nan"), Decision.ABSTAIN, "nobody could tell"
    if accept + reject == 0:
        return float("nan"), Decision.ABSTAIN, "nobody who judged it is accurate enough"
    share = accept / (accept + reject)
    if math.isclose(accept, reject):
        return share, Decision.ABSTAIN, f"weights of {accept:.2f} against {reject:.2f}"
    return share, Decision.ACCEPT if accept > reject else Decision.REJECT, ""
