"""A reward model: a sequence classifier from Hugging Face that scores each text."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..networks import device, freeze, in_batches
from ..samples import Samples, check_columns
from ..schema import Schema
from ..verdicts import Verdicts
from .base import Verifier

BUCKET = 32
"""Texts are padded to the next multiple of so many tokens, and batched with those of the same length."""


class RewardModel(Verifier, frozen=True):
    """Scores a text by a model with one output, or by its probability of one of several labels.

    With a ``prompt`` the model sees the prompt and the text as a chat of two turns if its tokenizer has a
    chat template, and as a pair of sequences if not.

    A batch has a fixed number of rows and a length that only its own texts' bucket decides, so that a score
    does not depend on the other texts, down to the last bit.

    Attributes:
        model: A local folder, or a name on the Hugging Face hub.
        revision: Of a model on the hub: a commit keeps runs equal.
        text: The column to score.
        prompt: The column that the text answers; None for the text alone.
        label: Of a model with several outputs: the label, or its number, whose probability is the score.
        max_tokens: Longer texts are cut at their end.
        batch_size: Texts at a time.
    """

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    text: str = "text"
    prompt: str | None = None
    label: str | int | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 512
    batch_size: Annotated[int, Field(ge=1)] = 16

    @override
    def check_ahead(self, schema: Schema) -> None:
        check_columns([self.text, *([self.prompt] if self.prompt else [])], schema)
        with _told(self.model):
            config = AutoConfig.from_pretrained(self.model, revision=self.revision)
        self._output(config)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score every text; the decision is left open.

        Raises:
            DataError: The model cannot be loaded, or a column is missing or holds no text.
            ConfigError: The model has several outputs, and ``label`` names none of them.
        """
        tokenizer, network = _loaded(self.model, self.revision)
        output = self._output(network.config)
        if not len(samples):
            return Verdicts([])
        encoded = self._encoded(tokenizer, samples)
        padding = {"input_ids": network.config.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        names = [name for name in padding if name in encoded]
        buckets = np.array([-(-max(len(row), 1) // BUCKET) * BUCKET for row in encoded["input_ids"]])
        score = np.empty(len(samples))

        def forward(*columns: Tensor) -> Tensor:
            logits = network(**dict(zip(names, columns, strict=True))).logits.double()
            return logits[:, 0] if output is None else logits.softmax(1)[:, output]

        for length in np.unique(buckets).tolist():
            here = np.flatnonzero(buckets == length)
            columns = [_padded([encoded[name][i] for i in here], length, padding[name]) for name in names]
            batches = in_batches(forward, *(c.to(network.device) for c in columns), batch=self.batch_size)
            score[here] = torch.cat(list(batches)).cpu().numpy()
        return Verdicts(score)

    def _encoded(self, tokenizer: Any, samples: Samples) -> Mapping[str, list[list[int]]]:
        texts, options = _texts(samples, self.text), {"truncation": True, "max_length": self.max_tokens}
        if self.prompt is None:
            return tokenizer(texts, **options)
        prompts = _texts(samples, self.prompt)
        if tokenizer.chat_template is None:
            return tokenizer(prompts, texts, **options)
        chats = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}], tokenize=False
            )
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        # The template has written the special tokens already.
        return tokenizer(chats, add_special_tokens=False, **options)

    def _output(self, config: Any) -> int | None:
        """Which output is the score; None for the only one."""
        if config.num_labels == 1 and self.label is None:
            return None
        number = config.label2id.get(self.label) if isinstance(self.label, str) else self.label
        if number is None or not 0 <= number < config.num_labels:
            raise ConfigError(
                f"label of {self.model}", got=self.label, expected=f"one of {', '.join(config.label2id)}"
            )
        return number


def _padded(rows: list[list[int]], length: int, filler: int) -> Tensor:
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows])


def _texts(samples: Samples, name: str) -> list[str]:
    column = samples[name]
    if not isinstance(column, list):
        raise DataError(f"column {name!r} holds numbers", expected="text")
    return column


@lru_cache(maxsize=2)
def _loaded(model: str, revision: str | None) -> tuple[Any, Any]:
    with _told(model):
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        network = AutoModelForSequenceClassification.from_pretrained(
            model, revision=revision, use_safetensors=True, dtype=torch.float32
        )
    freeze(network.to(device()))
    if network.config.pad_token_id is None:
        # Classifiers on causal models read the last token that is no padding, and must know which is.
        network.config.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return tokenizer, network


@contextmanager
def _told(model: str) -> Iterator[None]:
    """What is wrong with the files of ``model`` is told in one line."""
    try:
        yield
    except (OSError, ValueError) as e:
        reason = str(e).strip().splitlines()[0]
        raise DataError(
            f"the model {model} cannot be loaded ({reason})", fix="give a local folder, or check the name"
        ) from e
