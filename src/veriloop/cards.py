"""Cards: what a run states about itself, once, in its manifest. Readers use cards, not the configuration."""

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
    """A judged sample that shows people how to judge.

    Attributes:
        answer: Correct verdict.
        words: What people see of the sample, by column.
        why: Explanation in one sentence.
    """

    answer: Literal["accept", "reject", "abstain"]
    words: dict[str, str]
    why: str = ""


class Choice(Checked, frozen=True):
    """An answer that people can give.

    Attributes:
        key: Letter or digit on the keyboard for this answer.
        label: Text on its button.
    """

    key: Annotated[str, Field(pattern=r"^[a-z0-9]$")]
    label: Annotated[str, Field(min_length=1, max_length=24)]


CHOICES = {
    "accept": Choice(key="y", label="Yes"),
    "reject": Choice(key="n", label="No"),
    "abstain": Choice(key="s", label="Skip"),
}
"""The answers people can give unless the plan sets others."""


class Brief(BaseModel):
    """The task as shown to people who judge.

    Attributes:
        question: Question in one line; "" if the plan sets none.
        guidelines: How to decide, in one or more paragraphs.
        judged: Columns to judge; the other columns are shown as context.
        examples: Judged samples to learn from.
        choices: Possible answers, by verdict.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    question: str = ""
    guidelines: str = ""
    judged: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    choices: dict[str, Choice] = CHOICES


class ArmCard(BaseModel):
    """Description of an arm.

    Attributes:
        role: ``chain`` for rounds trained on its own samples, ``bound`` for one model trained on all real
            data.
        verified: Whether a verifier judges its candidates.
        verifier: Kind of that verifier; None if there is none.
        last_round: Number of its last planned round.
        verdict_stores: URLs of the databases in which people judge its candidates.
        brief: The task as shown to those people; None if nobody judges.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    role: Literal["chain", "bound"] = "chain"
    verified: bool = False
    verifier: str | None = None
    last_round: int
    verdict_stores: tuple[str, ...] = ()
    brief: Brief | None = None


class PromptCard(BaseModel):
    """How a language model's prompts are built.

    Attributes:
        template: Text with column names in braces.
        chat: Whether the model's chat template builds the prompt, either from the filled template as a user
            turn or from the turns in its one column.
        between: Text between a prompt and its completion; None to decide by the prompt.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    template: str
    chat: bool = False
    between: str | None = None

    def joint(self, filled: str) -> str:
        """Return the text between the prompt ``filled`` and its completion: a space unless set otherwise.

        It is empty in a chat, or if the prompt ends in white space, as a piece of code to continue may.
        """
        if self.between is not None:
            return self.between
        return "" if self.chat or filled[-1:].isspace() else " "


ERROR = 0.05
"""Default probability of naming a round that is not better."""


class Gate(Checked, frozen=True):
    """What a round must show before it is recommended to ship.

    Attributes:
        quantity: Name of a quantity with a direction; the run's headline when None.
        error: Probability of naming a round that is not better, over all looks together.
        than: What to beat: ``start``, or another arm's name for its round of the same number.
    """

    quantity: str | None = None
    error: Annotated[float, Field(gt=0, lt=0.5)] = ERROR
    than: str = START


class RunCard(BaseModel):
    """Description of a run.

    Attributes:
        arms: Arms by name, in the order of the plan.
        quantities: Measured quantities by name, in the order of the plan's metrics.
        columns: Type of each data column, see `schema`.
        keeps_models: Which rounds keep their models: all of them, the first and the last, or also the best by
            the headline.
        prompt: How a language model's prompts are built; None if the learner does not write text.
        ship: What a round must show before it is recommended to ship.
        base_model: Name of the pretrained model behind the start model, as the plan gives it; None if models
            are trained from scratch.
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
        """The columns as a `Schema`."""
        return Schema(self.columns)

    @property
    def rounds(self) -> int:
        """Number of the last round over all arms."""
        return max((arm.last_round for arm in self.arms.values()), default=0)

    @property
    def bounds(self) -> list[str]:
        """Names of the arms that are one model trained on all real data."""
        return [name for name, arm in self.arms.items() if arm.role == "bound"]

    @property
    def verdict_stores(self) -> list[str]:
        """Databases of all arms in which people judge."""
        return list(dict.fromkeys(store for arm in self.arms.values() for store in arm.verdict_stores))

    def with_models(self, records: Iterable[RoundRecord]) -> set[tuple[str, int]]:
        """Return the finished rounds whose models are kept, as pairs of arm and round.

        The best round of an arm is the first one from round 1 on with the best headline, measured on the
        validation split if there is one.
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
        """Return the quantity ``name``. An unknown one gets its name as title and has no direction."""
        known = self.quantities.get(name, Quantity())
        return replace(known, title=known.title or name)

    def parts_of(self, whole: str, names: Iterable[str]) -> list[str]:
        """Return those of ``names`` that are part of ``whole``, such as ``accuracy_3`` of ``accuracy``."""
        return [name for name in names if self.quantity(name).part_of == whole]

    def wholes(self, names: Sequence[str]) -> list[str]:
        """Return ``names`` without those that are part of another of them."""
        return [name for name in names if self.quantity(name).part_of not in names]

    def headline_of(self, names: Sequence[str]) -> str | None:
        """Return the one of ``names`` that best shows a model's quality: the headline, or the next best."""
        known = {name: self.quantity(name) for name in (*self.quantities, *names) if name in names}
        return RunCard(quantities=known).headline

    @property
    def headline(self) -> str | None:
        """Name of the quantity that stands for a model's quality: the first one with a direction."""
        whole = [name for name, quantity in self.quantities.items() if quantity.part_of is None]
        return next(
            (name for name in whole if self.quantities[name].better is not None), next(iter(whole), None)
        )
