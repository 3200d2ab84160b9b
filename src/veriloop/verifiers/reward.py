"""A reward model: a sequence classifier from Hugging Face that scores each text."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..hub import to_fetch
from ..model_folders import check_safetensors
from ..nested import Nested
from ..parts import require
from ..samples import Samples
from ..schema import ANY_TEXT, Schema
from ..verdicts import Verdicts
from .base import Verifier

require("llm", "torch", "transformers")


class RewardModel(Verifier, frozen=True):
    """Scores a text by a model with one output, or by its probability of one of several labels.

    With a ``prompt`` the model sees the prompt and the text as a chat of two turns if its tokenizer has a
    chat template (of all turns, where the prompt is a chat), and as a pair of sequences if not.

    A batch has a fixed number of rows and a length that only its own texts' bucket decides, so that a score
    does not depend on the other texts, down to the last bit.

    Attributes:
        model: A local folder, or a name on the Hugging Face hub.
        revision: Of a model on the hub: a commit keeps runs equal.
        text: The column to score; None for the data's completion.
        prompt: The column that the text answers; None for the data's prompt, if they have one; False for the
            text alone.
        label: Of a model with several outputs: the label, or its number, whose probability is the score.
        max_tokens: Longer texts are cut at their end.
        batch_size: Texts at a time.
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
        """Look at the model's configuration.

        Raises:
            DataError: There is none.
            ConfigError: The model has several outputs, and ``label`` names none of them.
        """
        if (folder := Path(self.model)).is_dir():
            check_safetensors(folder)
            self._output(_labels_in(folder))
        elif self.model.startswith((".", "/", "~")) or self.model.count("/") > 1:
            raise DataError(f"no folder {self.model}", expected="a model's folder, or a name on the hub")
        else:
            self.downloads()
            # The hub is asked by its own client, which takes seconds to import.
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
            DataError: The model cannot be loaded, or a column is missing or holds no text.
            ConfigError: The model has several outputs, and ``label`` names none of them.
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
        """Which output is the score; None for the only one."""
        if len(labels) == 1 and self.label is None:
            return None
        number = labels.get(self.label) if isinstance(self.label, str) else self.label
        if number is None or not 0 <= number < len(labels):
            raise ConfigError(
                f"label of {self.model}", got=self.label, expected=f"one of {', '.join(labels)}"
            )
        return number


def _labels_in(folder: Path) -> dict[str, int]:
    """The labels of the model in ``folder`` and their numbers, as Hugging Face writes them."""
    try:
        config: Any = json.loads((folder / "config.json").read_bytes())
        names = {int(number): str(label) for number, label in config.get("id2label", {}).items()}
    except (OSError, ValueError, AttributeError) as e:
        reason = str(e).strip().splitlines()[0]
        raise DataError(
            f"the model {folder} cannot be loaded ({reason})", fix="give a folder with a model's config.json"
        ) from e
    # A configuration with the two labels that are the default does not spell them out.
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
