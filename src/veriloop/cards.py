"""Cards: what a run says of itself, once, in its manifest. Readers read cards, never the configuration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from .quantity import Quantity
from .schema import ColumnType, Schema


class ArmCard(BaseModel):
    """What an arm is.

    Attributes:
        role: ``chain``: rounds of its own samples. ``bound``: one model of all real data.
        verified: Whether a verifier judges its candidates.
        verifier: That verifier's kind; None without one.
        last_round: The last round that the plan gives it.
    """

    model_config = ConfigDict(frozen=True)

    role: Literal["chain", "bound"] = "chain"
    verified: bool = False
    verifier: str | None = None
    last_round: int


class PromptCard(BaseModel):
    """How a language model's prompts are made.

    Attributes:
        template: With the names of columns in braces.
        chat: Whether the filled template is sent as a user's message.
    """

    model_config = ConfigDict(frozen=True)

    template: str
    chat: bool = False


class RunCard(BaseModel):
    """What a run is.

    Attributes:
        arms: By name, in the order of the plan.
        quantities: What is measured, by name, in the order of the plan's metrics.
        columns: What each column of the data is, see `schema`.
        prompt: How a language model's prompts are made: the template, and whether it is a chat message;
            None where the learner writes no text.
    """

    model_config = ConfigDict(frozen=True)

    arms: dict[str, ArmCard] = {}
    quantities: dict[str, Quantity] = {}
    columns: dict[str, ColumnType] = {}
    prompt: PromptCard | None = None

    @property
    def data(self) -> Schema:
        """The columns, with what can be asked of them."""
        return Schema(self.columns)

    @property
    def rounds(self) -> int:
        """The last round of all arms."""
        return max((arm.last_round for arm in self.arms.values()), default=0)

    @property
    def headline(self) -> str | None:
        """The quantity that stands for a model's quality: the first one that has a direction."""
        whole = [name for name, quantity in self.quantities.items() if quantity.part_of is None]
        return next(
            (name for name in whole if self.quantities[name].better is not None), next(iter(whole), None)
        )
