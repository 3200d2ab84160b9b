"""Causal language models that write a text column: a summary of an article, an answer to a question."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from typing_extensions import override

from ..cards import PromptCard
from ..extras import require
from ..generator import Generator
from ..hub import to_fetch
from ..parts import imported
from ..samples import Samples
from ..schema import Schema
from ._language.backends import Decoding, Remote, Started, Transformers
from ._language.places import adapter_base, check_chat_template, find_folder, folders_of
from ._language.recipe import Training
from ._language.rules import Prompt
from .base import Learner

if TYPE_CHECKING:
    from ._language.generator import CausalLMGenerator

require("transformers", "torch")


class CausalLM(Learner, Training, frozen=True):
    """Fine-tunes a causal language model to write one text column from others.

    Minimises the loss on the completions only, with AdamW and a cosine schedule. There is no padding in
    training: the rows of a pass are joined, and each attends only to itself.

    With one process, training uses veriloop's own loop; with several, TRL's ``SFTTrainer`` under ``torchrun``
    (see :mod:`veriloop.learners._language.trl_job` for the reason).

    Attributes:
        model: Model that a new fit starts from: a local folder, one in ``$VERILOOP_DATA``, or a name on the
            Hugging Face hub.
        prompt: How rows become prompts, and which column is written.
        decoding: How completions are written, and by which backend.

    The other fields are those of :class:`veriloop.learners._language.recipe.Training`.
    """

    generator_type: ClassVar[type[Generator]] = imported(
        "veriloop.learners._language.generator:CausalLMGenerator"
    )

    model: str
    prompt: Prompt = Prompt()
    decoding: Decoding = Decoding()

    @override
    def suited_to(self, schema: Schema) -> Self:
        super().suited_to(schema)
        return self.model_copy(update={"prompt": self.prompt.suited_to(schema, "learner 'causal_lm'")})

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Check that the model exists, that chats have a chat template, and that a server's key is set.

        A name on the hub is only tried when the model is loaded.
        """
        self.downloads()
        if self.lora is not None:
            require("peft")
        if self.prompt.suited_to(schema, "learner 'causal_lm'").chat:
            check_chat_template(folders_of(self.model))
        if isinstance(self.decoding.backend, Remote):
            self.decoding.backend.key()

    @override
    def downloads(self) -> str | None:
        if folder := next(iter(folders_of(self.model)), None):
            base = adapter_base(folder)
            here = base is None or find_folder(base) is not None
            return None if here else to_fetch("model", str(base))
        return to_fetch("model", self.model)

    @override
    def sources(self) -> Mapping[str, Path]:
        names = (self.model, f"{self.model}, the adapter's base")
        return dict(zip(names, folders_of(self.model), strict=False))

    @property
    @override
    def draws(self) -> bool:
        return self.decoding.temperature > 0

    @property
    @override
    def chunk_rows(self) -> int:
        """Four batches, as a kill costs a chunk; more where a server writes many texts at a time."""
        return 2_000 if isinstance(self.decoding.backend, Started) else 128

    @property
    @override
    def fills_cores(self) -> bool:
        """True if the model runs in this process, where batches and passes use all cores."""
        return isinstance(self.decoding.backend, Transformers)

    @override
    def rows_seen(self, n: int) -> int:
        most = self.epochs * n
        return most if self.max_steps is None else min(most, self.max_steps * self.batch_size)

    @override
    def settled(self) -> tuple[Mapping[str, Any], str]:
        """Choose the precision, if it is ``auto``."""
        if self.precision != "auto":
            return {}, ""
        from ..executors.threads import limit_again
        from ._language import models, precision

        with limit_again():
            chosen, why = precision.settled(self.precision, models.find(self.model).model)
        return {"precision": chosen}, why

    @override
    def prompt_card(self) -> PromptCard | None:
        return self.prompt.card()

    @override
    def starts_from(self) -> str | None:
        return self.model

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> "CausalLMGenerator":
        """Train on rows with the template's columns and the completion; see the base class.

        An empty completion teaches the model to stop at once. Completions are cut at
        ``decoding.max_new_tokens``. Without samples, the model is used unchanged, so that a run can start
        with a trained one.

        Raises:
            ConfigError: The prompt's columns are not set, see :meth:`suited_to`.
            DataError: A column is missing or does not hold text, the model is not available, its tokenizer
                does not suit the prompt, or ``init`` is not a language model.
            VeriloopError: The loss became NaN or infinite.
        """
        from ._language.generator import fit  # imports transformers, which takes seconds

        return fit(self, samples, init, rng)
