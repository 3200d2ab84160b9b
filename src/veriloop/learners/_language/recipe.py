"""What can be set of the training of language models; read without the libraries that do it."""

from typing import Annotated, Literal

from pydantic import Field

from ...parts import Checked


class LoRA(Checked, frozen=True):
    """Low-rank adapters on all linear layers, trained instead of the weights and then added to them.

    The trained model is an ordinary one of full size.

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
        dtype: Of the arithmetic, and of the trained model's weights. ``auto`` takes bfloat16 on GPUs that
            have it. AdamW always updates float32 weights.
        processes: More than one trains data-parallel, one process for each GPU.
    """

    epochs: Annotated[int, Field(ge=1)] = 1
    max_steps: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lora: LoRA | None = None
    tokens_per_pass: Annotated[int, Field(ge=1)] = 4096
    gradient_checkpointing: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    processes: Annotated[int, Field(ge=1)] = 1
