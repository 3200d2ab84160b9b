"""A causal language model with its prompt and decoding settings; and how it is fitted."""

import copy
import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from ...errors import CorruptFileError, DataError
from ...generator import CUT, Generator, Notes
from ...guarded.kept import let_go
from ...remote.completions import Completion
from ...rng import global_torch
from ...samples import Samples
from . import adapters, models
from .adapters import Adapter, Base
from .backends import PLACE, Decoding, Remote, Started, ask, serving
from .control import Asked, Marked
from .decoding import write
from .ends import StopStrings, before
from .lanes import free_unused
from .models import Language
from .precision import settled
from .prompts import Formatter
from .recipe import LoRA, Precision
from .rules import Prompt
from .training import Row, losses, train
from .trl_job import train_in_processes

if TYPE_CHECKING:
    from ..causal_lm import CausalLM

SETTINGS = "causal_lm.json"

LOSS_TOKENS = 2048
"""Tokens per pass without training."""


class CausalLMGenerator(Generator):
    """A language model with its prompt and decoding settings.

    Args:
        language: Model and tokenizer; the model is frozen and must not be changed afterwards.
        prompt: How rows become prompts.
        decoding: How completions are written.
        precision: Number format for writing and measuring; None uses that of the weights.
        adapter: The one whose weights have been added to the model: it is stored in place of the model.

    Raises:
        DataError: The tokenizer does not suit the prompt, or the model has too few positions.
    """

    def __init__(
        self,
        language: Language,
        prompt: Prompt,
        decoding: Decoding,
        precision: Precision | None = None,
        adapter: Adapter | None = None,
    ) -> None:
        self.adapter = adapter
        models.check_places(language, prompt.max_tokens, decoding.max_new_tokens)
        self._formatter = Formatter(prompt, language.tokenizer)
        self._model = language.model.eval().requires_grad_(False)
        self._decoding = decoding
        self._in_bfloat16 = precision == "bfloat16" or (
            precision is None and language.model.dtype == torch.bfloat16
        )

    @cached_property
    def _writer(self) -> PreTrainedModel:
        """The model in the writing precision; created on first use, and never sent to workers."""
        if not self._in_bfloat16 or self._model.dtype == torch.bfloat16:
            return self._model
        rounded: Any = copy.deepcopy(self._model)
        return rounded.to(dtype=torch.bfloat16)

    def free_writer(self) -> None:
        """Free the copy that writes; the next use makes it again."""
        if "_writer" in self.__dict__:
            del self._writer

    @cached_property
    def _weights(self) -> str:
        """The digest of the weights that write."""
        return models.weights_digest(self._writer)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_writer"}

    @property
    def language(self) -> Language:
        """The frozen model and its tokenizer; copy the model before training."""
        return Language(self._model, self._formatter.tokenizer)

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Write a completion for each row of ``condition``; repeat rows to get several per row.

        In float32 a row's text does not depend on the other rows, except if rounding decides between two
        tokens of almost equal probability. Equal calls give equal texts.

        Args:
            n: Number of completions.
            rng: Source of randomness, used when the temperature is above 0.
            condition: ``n`` rows with the template's columns.

        Returns:
            The columns of ``condition`` and the completion.

        Raises:
            DataError: There is no condition, it has another number of rows, or it lacks a column of the
                template.
        """
        return self.sample_with_notes(n, rng, condition)[0]

    def sample_with_notes(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> tuple[Samples, Notes]:
        """As :meth:`sample`, with which completions were cut and why some were not written."""
        return self._write(n, rng, condition, self._decoding)

    @property
    def is_greedy(self) -> bool:
        """Whether :meth:`sample` uses the most likely tokens, as :meth:`greedy` does."""
        return self._decoding.temperature == 0

    def greedy(self, condition: Samples) -> Samples:
        """Write the greedy completion of each row of ``condition``."""
        greedy = self._decoding.model_copy(update={"temperature": 0.0})
        return self._write(len(condition), np.random.default_rng(0), condition, greedy)[0]

    def loss(self, samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return each completion's negative log-likelihood in nats, summed over its tokens, and their number.

        Completions are cut at ``max_new_tokens``, as in training. Two arrays of shape (n,).

        Raises:
            DataError: A column is missing or does not hold text.
        """
        rows = training_rows(self._formatter, samples, self._decoding)
        return losses(self._writer, rows, LOSS_TOKENS)

    def cut(self, condition: Samples) -> NDArray[np.bool_]:
        """Return which prompts are too long, so that their column ``shorten`` is cut, shape (n,)."""
        return self._formatter.too_long(condition)

    def _write(
        self, n: int, rng: np.random.Generator, condition: Samples | None, decoding: Decoding
    ) -> tuple[Samples, Notes]:
        prompt = self._formatter.prompt
        if condition is None or len(condition) != n:
            raise DataError(
                "a language model completes given prompts",
                got="no condition" if condition is None else f"{len(condition)} conditions",
                expected=f"{n} conditions with the columns {', '.join(prompt.columns)}",
            )
        prompts = self._formatter.prompts(condition)
        written, notes = self._by_backend(prompts, decoding, rng)
        return condition.with_columns(**{self._formatter.completion: written}), notes

    def _by_backend(
        self, prompts: list[Marked], decoding: Decoding, rng: np.random.Generator
    ) -> tuple[list[str], Notes]:
        formatter, backend = self._formatter, decoding.backend
        if isinstance(backend, Remote):
            return self._replies(prompts, ask(backend, _plain(prompts), decoding, rng))
        if isinstance(backend, Started):
            writer = Language(self._writer, formatter.tokenizer)
            with serving(backend, self._weights, partial(models.save, writer)) as server:
                return self._replies(prompts, ask(server.remote, _plain(prompts), decoding, rng))
        ids = formatter.prompt_ids(prompts)
        stop = models.stop_tokens(self.language) | {formatter.end}
        strings = StopStrings(decoding.stop, formatter.tokenizer)
        ends = strings.reached if decoding.stop else None
        written = write(self._writer, ids, stop, decoding, backend.batch_tokens, rng, ends)
        # The token that ends a text is not part of it, but counts toward ``max_new_tokens``.
        most = decoding.max_new_tokens
        cut = np.array([len(i) == most and not strings.reached(i) for i in written], bool)
        tokens = np.array([len(i) for i in written], np.int64)
        texts = [formatter.text(i, p, decoding.stop) for i, p in zip(written, prompts, strict=True)]
        return texts, Notes(cut, tokens=tokens)

    def _replies(
        self, prompts: Sequence[Marked], completions: Sequence[Completion]
    ) -> tuple[list[str], Notes]:
        formatter, stop = self._formatter, self._decoding.stop
        cut = np.array([c.cut for c in completions], bool)
        tokens = np.array([c.completion_tokens for c in completions], np.int64)
        # A server need not return counts; if it does, only an empty text has none.
        counted = all(c.completion_tokens or not c.text for c in completions)
        # Some servers leave the stop string in the text.
        texts = [
            formatter.written(before(c.text, stop), p) for c, p in zip(completions, prompts, strict=True)
        ]
        return texts, Notes(cut, [c.reason for c in completions], tokens if counted else None)

    def save(self, directory: Path) -> None:
        """Write a Hugging Face folder, of the model or its adapter, and ``causal_lm.json`` (the settings)."""
        settings = {"prompt": self._formatter.prompt, "decoding": self._decoding}
        content: dict[str, Any] = {name: part.model_dump(mode="json") for name, part in settings.items()}
        content["precision"] = "bfloat16" if self._in_bfloat16 else "float32"
        if self.adapter is None:
            models.save(self.language, directory)
        else:
            adapters.save(self.adapter, directory)
            content["adapter"] = adapters.described(self.adapter)
        (directory / SETTINGS).write_text(json.dumps(content) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote, without a network where the model, or the adapter's, is here.

        Raises:
            CorruptFileError: A file is missing, truncated or changed.
            DataError: An adapter's model is not there.
        """
        path = directory / SETTINGS
        try:
            content = json.loads(path.read_text())
            prompt = Prompt.model_validate(content["prompt"])
            decoding = Decoding.model_validate(content["decoding"])
            precision, adapter = content.get("precision"), content.get("adapter")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as e:
            raise CorruptFileError(f"model description {path} cannot be read ({e})") from e
        if adapter is None:
            return cls(models.load(directory), prompt, decoding, precision)
        language, loaded = adapters.load(directory, adapter)
        return cls(language, prompt, decoding, precision, loaded)

    def whole(self) -> "CausalLMGenerator":
        """Return the same generator, stored as a model even if this one is stored as an adapter."""
        precision = "bfloat16" if self._in_bfloat16 else "float32"
        return CausalLMGenerator(self.language, self._formatter.prompt, self._decoding, precision)


def _plain(prompts: Sequence[Marked]) -> list[Asked]:
    """Return the prompts to send to a server, which has its own tokenizer and chat template."""
    return [prompt.plain for prompt in prompts]


def training_rows(formatter: Formatter, samples: Samples, decoding: Decoding) -> list[Row]:
    """Return prompt and completion of each row as token ids; a completion that was cut has no end token."""
    prompts = formatter.prompts(samples)
    cut = samples.array(CUT) if CUT in samples else None
    completions = formatter.completion_ids(samples, decoding.max_new_tokens, prompts, cut)
    return [Row(p, c) for p, c in zip(formatter.prompt_ids(prompts), completions, strict=True)]


def fit(
    learner: "CausalLM", samples: Samples, init: Generator | None, rng: np.random.Generator
) -> CausalLMGenerator:
    """Implementation of :meth:`veriloop.learners.causal_lm.CausalLM.fit`."""
    learner.prompt.settled()  # before a large model is loaded
    let_go(PLACE)  # on a GPU there may be no room for a server beside a model that is trained
    start = _start(learner, init)
    free_unused()  # of what wrote; training takes most of the memory
    language = start.language
    models.check_places(language, learner.prompt.max_tokens, learner.decoding.max_new_tokens)
    learner = learner.model_copy(update={"precision": settled(learner.precision, language.model)[0]})
    rows = training_rows(Formatter(learner.prompt, language.tokenizer), samples, learner.decoding)
    adapter = None
    if learner.lora is not None:
        tensors = _trained_adapter(learner, learner.lora, start, rows, rng)
        adapters.merge(language.model, learner.lora, tensors)
        adapter = None if start.base is None else Adapter(start.base, learner.lora, tensors)
    elif rows and learner.processes > 1:
        language, _ = train_in_processes(language, rows, learner, int(rng.integers(2**31)))
    elif rows:
        with global_torch(rng):
            train(language.model, rows, learner, rng)
    free_unused()
    return CausalLMGenerator(language, learner.prompt, learner.decoding, learner.precision, adapter)


class _Start(NamedTuple):
    """A copy of a model to train.

    Attributes:
        language: Copy, in float32.
        base: Name and digest of the model, if an adapter can be stored without it.
        adapter: Weights of an adapter to continue with.
    """

    language: Language
    base: Base | None = None
    adapter: adapters.Tensors | None = None


def _start(learner: "CausalLM", init: Generator | None) -> _Start:
    if init is None:
        if learner.lora is not None:
            return _Start(*adapters.found(learner.model))
        language = models.find(learner.model)
        return _Start(Language(language.model.float(), language.tokenizer))
    if not isinstance(init, CausalLMGenerator):
        raise DataError(
            "cannot start from this model",
            got=type(init).__name__,
            expected=CausalLMGenerator.__name__,
            fix="start fresh (warm_start: false)",
        )
    init.free_writer()  # the next round writes with another model
    if init.adapter is not None and init.adapter.lora == learner.lora:
        return _Start(*adapters.found(init.adapter.base.model), init.adapter.tensors)
    language = init.language
    return _Start(Language(copy.deepcopy(language.model).float(), language.tokenizer))


def _trained_adapter(
    learner: "CausalLM", lora: LoRA, start: _Start, rows: Sequence[Row], rng: np.random.Generator
) -> adapters.Tensors:
    """Return the weights of the adapter after training; the model of ``start`` is unchanged."""
    model = start.language.model
    with global_torch(rng):
        begin = start.adapter or adapters.fresh(model, lora)
        if not rows:
            return begin
        if learner.processes == 1:
            with adapters.attached(model, lora, begin) as tensors:
                train(model, rows, learner, rng)
                return tensors()
    _, trained = train_in_processes(start.language, rows, learner, int(rng.integers(2**31)), begin)
    assert trained is not None
    return trained
