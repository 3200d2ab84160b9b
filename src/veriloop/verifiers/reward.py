"""A reward model: a Hugging Face sequence classifier that scores each text."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..extras import require
from ..hub import to_fetch
from ..model_folders import check_safetensors
from ..nested import Nested
from ..samples import Samples
from ..schema import ANY_TEXT, Schema
from ..verdicts import Verdicts
from .base import Verifier

require("transformers", "torch")


class RewardModel(Verifier, frozen=True):
    """Scores a text with the output of a model, or with its probability for one of several labels.

    With a ``prompt``, the model sees prompt and text as a chat of two turns if its tokenizer has a chat
    template (of all turns, if the prompt is a chat), and otherwise as a pair of sequences.

    A batch has a fixed number of rows, and a length that depends only on its own texts' bucket, so a score
    does not depend on the other texts, down to the last bit.

    Attributes:
        model: Local folder, or name on the Hugging Face hub.
        revision: Revision of a model on the hub; a commit keeps runs reproducible.
        text: Name of the column to score; None for the data's completion.
        prompt: Name of the column that the text answers; None for the data's prompt, if there is one; False
            to score the text alone.
        label: For a model with several outputs, the label, or its index, whose probability is the score.
        max_tokens: Largest number of tokens; longer texts are cut at their end.
        batch_size: Number of texts per batch.
    """

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    text: str | None = None
    prompt: str | Literal[False] | None = None
    label: str | int | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 512
    batch_size: Annotated[int, Field(ge=1)] = 16

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me, prompt = f"verifier {self.kind!r}", self.prompt
        if prompt is None and not schema.named("prompt") and not schema.named("messages"):
            prompt = False
        if prompt is not False:
            prompt = schema.pick(me, "prompt", prompt, "prompt", "messages", also=ANY_TEXT)
        text = schema.pick(me, "text", self.text, "completion", also=ANY_TEXT)
        return super().suited_to(schema).model_copy(update={"text": text, "prompt": prompt})

    @override
    def check_ahead(self, schema: Schema) -> None:
        """Check the model's configuration.

        Raises:
            DataError: There is none.
            ConfigError: The model has several outputs, and ``label`` is not one of them.
        """
        if (folder := Path(self.model)).is_dir():
            check_safetensors(folder)
            self._output(_labels_in(folder))
        elif self.model.startswith((".", "/", "~")) or self.model.count("/") > 1:
            raise DataError(f"no folder {self.model}", expected="a model's folder, or a name on the hub")
        else:
            self.downloads()
            # The hub's own client, used otherwise, takes seconds to import.
            from ._classifier import labels

            self._output(labels(self.model, self.revision))

    @override
    def downloads(self) -> str | None:
        if Path(self.model).is_dir():
            return None
        return to_fetch("model", self.model)

    @override
    def sources(self) -> Mapping[str, Path]:
        folder = Path(self.model)
        return {f"model {self.model}": folder} if folder.is_dir() else {}

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score every text; the decision is left open.

        Raises:
            DataError: The model cannot be loaded, or a column is missing or does not hold text.
            ConfigError: The model has several outputs, and ``label`` is not one of them.
        """
        from ._classifier import Classifier

        classifier = Classifier(self.model, self.revision)
        output = self._output(classifier.labels)
        texts = _texts(samples, self.text or "completion")
        prompt = ("prompt" if "prompt" in samples else False) if self.prompt is None else self.prompt
        prompts = None if prompt is False else _prompts(samples, prompt)
        if not texts:
            return Verdicts([])
        size = {"max_tokens": self.max_tokens, "batch_size": self.batch_size}
        return Verdicts(classifier.scores(texts, prompts, output, **size))

    def _output(self, labels: Mapping[str, int]) -> int | None:
        """Return the index of the output that is the score; None for the only one."""
        if len(labels) == 1 and self.label is None:
            return None
        number = labels.get(self.label) if isinstance(self.label, str) else self.label
        if number is None or not 0 <= number < len(labels):
            raise ConfigError(
                f"label of {self.model}", got=self.label, expected=f"one of {', '.join(labels)}"
            )
        return number


def _labels_in(folder: Path) -> dict[str, int]:
    """Return the labels of the model in ``folder`` with their indices, as Hugging Face writes them."""
    try:
        config: Any = json.loads((folder / "config.json").read_bytes())
        names = {int(number): str(label) for number, label in config.get("id2label", {}).items()}
    except (OSError, ValueError, AttributeError) as e:
        reason = str(e).strip().splitlines()[0]
        raise DataError(
            f"the model {folder} cannot be loaded ({reason})", fix="use a folder with a model's config.json"
        ) from e
    # A configuration with the two default labels does not list them.
    names = names or {0: "LABEL_0", 1: "LABEL_1"}
    return {label: number for number, label in sorted(names.items())}


def _prompts(samples: Samples, name: str) -> list[Any]:
    column = _texts(samples, name)
    return column.values() if isinstance(column, Nested) else column


def _texts(samples: Samples, name: str) -> list[str]:
    column = samples[name]
    if not isinstance(column, list):
        raise DataError(f"column {name!r} holds numbers", expected="text")
    return column
