"""Cards: what a run says of itself, once, in its manifest. Readers read cards, never the configuration."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .parts import Checked
from .quantity import Quantity
from .records import RoundRecord
from .rng import START
from .schema import ColumnType, Schema


class Example(Checked, frozen=True):
    """A sample that shows people how to judge.

    Attributes:
        answer: The right verdict.
        words: What is seen of it, by column.
        why: In a sentence.
    """

    answer: Literal["accept", "reject", "abstain"]
    words: dict[str, str]
    why: str = ""


class Choice(Checked, frozen=True):
    """An answer that people can give.

    Attributes:
        key: The letter or digit that gives it.
        label: What its button says.
    """

    key: Annotated[str, Field(pattern=r"^[a-z0-9]$")]
    label: Annotated[str, Field(min_length=1, max_length=24)]


CHOICES = {
    "accept": Choice(key="y", label="Yes"),
    "reject": Choice(key="n", label="No"),
    "abstain": Choice(key="s", label="Skip"),
}
"""What people answer where a plan says nothing else."""


class Brief(BaseModel):
    """What people are asked.

    Attributes:
        question: In a line; "" where the plan asks none.
        guidelines: How to decide, in paragraphs.
        judged: The columns that they judge; the others are there to judge them by.
        examples: Judged samples to learn from.
        choices: The answers, by verdict.
    """

    model_config = ConfigDict(frozen=True)

    question: str = ""
    guidelines: str = ""
    judged: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    choices: dict[str, Choice] = CHOICES


class ArmCard(BaseModel):
    """What an arm is.

    Attributes:
        role: ``chain``: rounds of its own samples. ``bound``: one model of all real data.
        verified: Whether a verifier judges its candidates.
        verifier: That verifier's kind; None without one.
        last_round: The last round that the plan gives it.
        verdict_stores: The data bases in which people judge its candidates, as URLs.
        brief: What people are asked there; None without people.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    role: Literal["chain", "bound"] = "chain"
    verified: bool = False
    verifier: str | None = None
    last_round: int
    verdict_stores: tuple[str, ...] = ()
    brief: Brief | None = None


class PromptCard(BaseModel):
    """How a language model's prompts are made.

    Attributes:
        template: With the names of columns in braces.
        chat: Whether the model's chat template makes the prompt: of the filled template as a user's turn, or
            of the turns that its one column holds.
        between: What stands between a prompt and its completion; None leaves it to the prompt.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    template: str
    chat: bool = False
    between: str | None = None

    def joint(self, filled: str) -> str:
        """What stands between the prompt ``filled`` and its completion: a space, where nothing else was said.

        Nothing where the prompt ends in white space, as code does that is to be gone on with, or in a chat.
        """
        if self.between is not None:
            return self.between
        return "" if self.chat or filled[-1:].isspace() else " "


ERROR = 0.05
"""The probability of naming a round that is not better by default."""


class Gate(Checked, frozen=True):
    """What a round has to show before it is named as the one to ship.

    Attributes:
        quantity: One that has a direction; the run's headline when None.
        error: The probability of naming a round that is not better, over all looks together.
        than: ``start``, or the name of another arm, whose round of the same number is to be beaten.
    """

    quantity: str | None = None
    error: Annotated[float, Field(gt=0, lt=0.5)] = ERROR
    than: str = START


class RunCard(BaseModel):
    """What a run is.

    Attributes:
        arms: By name, in the order of the plan.
        quantities: What is measured, by name, in the order of the plan's metrics.
        columns: What each column of the data is, see `schema`.
        keeps_models: Which rounds' models are kept: all, those of the start and the last ones, or these and
            the best ones by the headline.
        prompt: How a language model's prompts are made: the template, and whether it is a chat message;
            None where the learner writes no text.
        ship: What the round to ship has to show.
        base_model: The model that the start model was made from, by the name that the plan gives; None where
            models are trained from nothing.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    arms: dict[str, ArmCard] = {}
    quantities: dict[str, Quantity] = {}
    columns: dict[str, ColumnType] = {}
    prompt: PromptCard | None = None
    keeps_models: Literal["all", "last", "best"] = "all"
    ship: Gate = Gate()
    base_model: str | None = None

    @property
    def data(self) -> Schema:
        """The columns, with what can be asked of them."""
        return Schema(self.columns)

    @property
    def rounds(self) -> int:
        """The last round of all arms."""
        return max((arm.last_round for arm in self.arms.values()), default=0)

    @property
    def bounds(self) -> list[str]:
        """The arms that are one model of all real data, and no chain of rounds."""
        return [name for name, arm in self.arms.items() if arm.role == "bound"]

    @property
    def verdict_stores(self) -> list[str]:
        """The data bases in which people judge, of all arms."""
        return list(dict.fromkeys(store for arm in self.arms.values() for store in arm.verdict_stores))

    def with_models(self, records: Iterable[RoundRecord]) -> set[tuple[str, int]]:
        """Of which of the finished rounds the models are kept, as arm and round.

        The best round of an arm is the first of those from round 1 on whose headline is best, on the
        validation split where there is one.
        """
        chains: dict[str, list[RoundRecord]] = {}
        for record in sorted(records, key=lambda r: r.round):
            chains.setdefault(record.arm, []).append(record)
        kept: set[tuple[str, int]] = set()
        for arm, chain in chains.items():
            best = self._best(chain[1:]) if self.keeps_models == "best" else None
            of_all = chain if self.keeps_models == "all" else [chain[0], chain[-1], *([best] if best else [])]
            kept |= {(arm, record.round) for record in of_all}
        return kept

    def _best(self, chain: Sequence[RoundRecord]) -> RoundRecord | None:
        name = self.headline
        measured = [r for r in chain if name in r.decisive and not math.isnan(r.decisive[name].value)]
        if name is None or not measured:
            return None
        values = np.array([r.decisive[name].value for r in measured])
        return measured[int(np.argmin(self.quantity(name).loss(values)))]

    def quantity(self, name: str) -> Quantity:
        """What ``name`` means. One that the run does not know has its name for a title, and no direction."""
        known = self.quantities.get(name, Quantity())
        return replace(known, title=known.title or name)

    def parts_of(self, whole: str, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that are a part of ``whole``, such as ``accuracy_3`` of ``accuracy``."""
        return [name for name in names if self.quantity(name).part_of == whole]

    def wholes(self, names: Sequence[str]) -> list[str]:
        """``names`` without those that are a part of another one of them."""
        return [name for name in names if self.quantity(name).part_of not in names]

    def headline_of(self, names: Sequence[str]) -> str | None:
        """The one of ``names`` that stands for a model's quality: the headline, or else the next best."""
        known = {name: self.quantity(name) for name in (*self.quantities, *names) if name in names}
        return RunCard(quantities=known).headline

    @property
    def headline(self) -> str | None:
        """The quantity that stands for a model's quality: the first one that has a direction."""
        whole = [name for name, quantity in self.quantities.items() if quantity.part_of is None]
        return next(
            (name for name in whole if self.quantities[name].better is not None), next(iter(whole), None)
        )
