"""Training settings of language models; readable without the training libraries."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from ...parts import Checked

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
"""A number format, or ``auto`` for the one measured to be faster."""


class LoRA(Checked, frozen=True):
    """Low-rank adapters on all linear layers, trained instead of the weights and then merged into them.

    Rounds store the adapter alone, with the name and digest of the model that it is for. With a warm start a
    round goes on with the adapter of the round before.

    Attributes:
        rank: Rank of each adapter.
        alpha: Scale of the adapters, which count ``alpha / rank`` times.
        dropout: Dropout of the adapters' inputs.
    """

    rank: Annotated[int, Field(gt=0)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Training(Checked, frozen=True):
    """Training settings; fields of :class:`veriloop.learners.causal_lm.CausalLM`.

    Attributes:
        epochs: Number of passes over the data.
        max_steps: Number of steps after which to stop; the learning rate then falls to zero by that step.
        batch_size: Number of rows per step.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        lora: Settings of low-rank adapters; None to train all weights.
        tokens_per_pass: Number of tokens per pass; the rows of a step are divided into passes. It limits
            memory and affects results only by rounding.
        gradient_checkpointing: Whether to recompute activations instead of storing them.
        precision: Number format for training and writing. ``auto`` is bfloat16 on GPUs that support it. On a
            CPU, both formats are timed with the model when a run starts, and bfloat16 is used if it is
            clearly faster. The run's manifest stores the choice, so that a resume on another machine uses the
            same. Weights are always float32, because small changes would be lost in rounding.
        processes: Number of processes; more than one trains data-parallel, one process per GPU.
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
