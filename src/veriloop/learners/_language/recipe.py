"""What can be set of the training of language models; read without the libraries that do it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from ...parts import Checked

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
"""An arithmetic, or the one that is measured to be faster."""


class LoRA(Checked, frozen=True):
    """Low-rank adapters on all linear layers, trained instead of the weights and then added to them.

    Rounds store the adapter alone, with the name and digest of the model that it is for. With a warm start a
    round goes on with the adapter of the round before.

    Attributes:
        rank: Of each adapter.
        alpha: Adapters count ``alpha / rank`` times.
        dropout: Of the adapters' inputs.
    """

    rank: Annotated[int, Field(gt=0)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Training(Checked, frozen=True):
    """How to train; the fields of :class:`veriloop.learners.causal_lm.CausalLM` that say so.

    Attributes:
        epochs: Passes over the data.
        max_steps: Stop after so many steps; the learning rate then falls to zero by that step.
        batch_size: Rows per step.
        learning_rate: AdamW's, at its peak.
        weight_decay: AdamW's.
        lora: Train low-rank adapters; None to train all weights.
        tokens_per_pass: A step's rows go through the model in passes of so many tokens. Bounds memory;
            nothing else depends on it but rounding.
        gradient_checkpointing: Compute activations twice instead of keeping them.
        precision: Of the arithmetic in training and writing. ``auto`` is bfloat16 on GPUs that have it; on a
            CPU both are timed with the model itself when a run begins, and bfloat16 is taken where it is
            clearly faster. The run's manifest keeps the choice, so that a resume elsewhere computes alike.
            Weights are float32 in any case: what a few steps change would be rounded away.
        processes: More than one trains data-parallel, one process for each GPU.
    """

    renamed: ClassVar[Mapping[str, str]] = {"dtype": "use precision"}

    epochs: Annotated[int, Field(ge=1)] = 1
    max_steps: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lora: LoRA | None = None
    tokens_per_pass: Annotated[int, Field(ge=1)] = 1024
    gradient_checkpointing: bool = False
    precision: Precision = "auto"
    processes: Annotated[int, Field(ge=1)] = 1
