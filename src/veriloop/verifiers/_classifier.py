"""Hugging Face sequence classifiers: the part of the reward model that imports torch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from ..errors import DataError
from ..networks import device, freeze, in_batches
from ..turns import Turn, in_words

BUCKET = 32
"""Texts are padded to the next multiple of this many tokens, and batched with those of the same length."""


def labels(model: str, revision: str | None) -> dict[str, int]:
    """Return the labels of a model's outputs with their indices; queries the hub unless it is a folder.

    Raises:
        DataError: The model's configuration cannot be loaded.
    """
    with _told(model):
        config: Any = AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    return dict(config.label2id)


class Classifier:
    """A loaded model and its tokenizer.

    Args:
        model: Local folder, or name on the hub.
        revision: Revision of a model on the hub.

    Raises:
        DataError: The model cannot be loaded.
    """

    def __init__(self, model: str, revision: str | None) -> None:
        self._tokenizer, self._network = _loaded(model, revision)
        self.labels: dict[str, int] = dict(self._network.config.label2id)

    def scores(
        self,
        texts: Sequence[str],
        prompts: Sequence[str | list[Turn]] | None,
        output: int | None,
        *,
        max_tokens: int,
        batch_size: int,
    ) -> NDArray[np.float64]:
        """Return the score of each text, shape (n,), n >= 1.

        Args:
            texts: Texts to score.
            prompts: Prompt that each text answers; None to score the texts alone.
            output: Index of the output whose probability is the score; None to use the only output directly.
            max_tokens: Largest number of tokens; longer texts are cut at their end.
            batch_size: Number of texts per batch.
        """
        network = self._network
        encoded = self._encoded(texts, prompts, {"truncation": True, "max_length": max_tokens})
        padding = {"input_ids": network.config.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        names = [name for name in padding if name in encoded]
        buckets = np.array([-(-max(len(row), 1) // BUCKET) * BUCKET for row in encoded["input_ids"]])
        score = np.empty(len(texts))

        def forward(*columns: Tensor) -> Tensor:
            """Return the scores of a batch, shape (batch,), for columns of token ids and masks."""
            logits = network(**dict(zip(names, columns, strict=True))).logits.double()
            return logits[:, 0] if output is None else logits.softmax(1)[:, output]

        for length in np.unique(buckets).tolist():
            here = np.flatnonzero(buckets == length)
            columns = [_padded([encoded[name][i] for i in here], length, padding[name]) for name in names]
            batches = in_batches(forward, *(c.to(network.device) for c in columns), batch=batch_size)
            score[here] = torch.cat(list(batches)).cpu().numpy()
        return score

    def _encoded(
        self, texts: Sequence[str], prompts: Sequence[str | list[Turn]] | None, options: dict[str, Any]
    ) -> Mapping[str, list[list[int]]]:
        tokenizer = self._tokenizer
        if prompts is None:
            return tokenizer(list(texts), **options)
        if tokenizer.chat_template is None:
            said = [p if isinstance(p, str) else in_words(p) for p in prompts]
            return tokenizer(said, list(texts), **options)
        chats = [
            tokenizer.apply_chat_template(
                [*_turns(prompt), {"role": "assistant", "content": text}], tokenize=False
            )
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        # The template has already added the special tokens.
        return tokenizer(chats, add_special_tokens=False, **options)


def _padded(rows: list[list[int]], length: int, filler: int) -> Tensor:
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows])


@lru_cache(maxsize=2)
def _loaded(model: str, revision: str | None) -> tuple[Any, Any]:
    with _told(model):
        # No custom code and no pickles, because loading a model must not run code that came with it.
        safe: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(model, **safe)
        network = AutoModelForSequenceClassification.from_pretrained(
            model, **safe, use_safetensors=True, dtype=torch.float32
        )
    freeze(network.to(device()))
    if network.config.pad_token_id is None:
        # Classifiers on causal models use the last token that is not padding, and must know which it is.
        network.config.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    return tokenizer, network


@contextmanager
def _told(model: str) -> Iterator[None]:
    """Report faults in the files of ``model`` in one line."""
    try:
        yield
    except (OSError, ValueError) as e:
        reason = str(e).strip().splitlines()[0]
        raise DataError(
            f"the model {model} cannot be loaded ({reason})", fix="use a local folder, or check the name"
        ) from e


def _turns(prompt: str | list[Turn]) -> list[Turn]:
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
