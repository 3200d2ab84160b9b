"""Write completions with a model in this process."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from ...advance import Rows as RowsSoFar
from ...errors import VeriloopError
from .backends import Decoding
from .drawing import Repetitions, choose
from .lanes import in_lanes
from .memory import ATTENTION, Memory, remembers
from .packing import Rows

STAYING = 0.75
"""Share of a batch still being written below which the rest is moved to another batch."""

ROWS, BATCHES = 64, 2
"""Largest batch of texts, as the weights are read once for all of them; and least number of batches for many
texts, so that two cores have work until the end."""

READ_TOKENS = 2048
"""Approximate tokens per pass when reading prompts, so that intermediate results stay in cache."""


class _Text(NamedTuple):
    """A completion in progress: its row in the call, and its prompt among the distinct ones."""

    row: int
    prompt: int


def write(
    model: PreTrainedModel,
    prompts: Sequence[list[int]],
    stop: frozenset[int],
    decoding: Decoding,
    batch_tokens: int,
    rng: np.random.Generator,
    ends: Callable[[list[int]], bool] | None = None,
) -> list[list[int]]:
    """Write a completion of each prompt, without its stop token. A text also ends when ``ends`` returns True.

    Prompts of similar length share a batch. Equal prompts are read only once, and completed only once when
    decoding is greedy. Row i samples with its own numbers, row i of ``rng``'s uniforms, so the rows it shares
    a batch with do not matter, apart from rounding in the model's arithmetic. Batches depend only on the
    prompts and the settings. Rows and tokens are reported as they are written, see :mod:`veriloop.advance`.

    Raises:
        VeriloopError: The model produces NaN.
    """
    shape = (len(prompts), decoding.max_new_tokens)
    uniforms = rng.random(shape) if decoding.temperature else np.zeros(shape)
    different: dict[tuple[int, ...], int] = {}
    which = [different.setdefault(tuple(ids), len(different)) for ids in prompts]
    texts = [_Text(row, prompt) for row, prompt in enumerate(which)]
    first: dict[int, _Text] = {}
    if not decoding.temperature:
        texts = [text for text in texts if first.setdefault(text.prompt, text) is text]
    texts.sort(key=lambda text: (-len(prompts[text.row]), text.prompt, text.row))

    so_far = RowsSoFar(len(texts))
    with _attending(model) as remembering:
        one_batch = _write_batch if remembering else _write_padded

        def written(batch: list[_Text]) -> list[list[int]]:
            """Return the token ids of the completions of one batch."""
            some = [prompts[text.row] for text in batch]
            drawn = uniforms[[text.row for text in batch]]
            writing = _Writing(some, stop, decoding, drawn, ends, so_far, model.device)
            return one_batch(model, some, writing, decoding.max_new_tokens)

        batches = _batches(texts, [len(prompts[text.row]) for text in texts], decoding, batch_tokens)
        ids = chain.from_iterable(in_lanes(written, batches))
        done = {text.row: next(ids) for text in chain.from_iterable(batches)}
    if not decoding.temperature:
        return [done[first[prompt].row] for prompt in which]
    return [done[row] for row in range(len(prompts))]


def _batches(
    texts: list[_Text], lengths: list[int], decoding: Decoding, batch_tokens: int
) -> list[list[_Text]]:
    """Divide the texts, in order, into batches of about equal size."""
    most = min(ROWS, max(8, math.ceil(len(texts) / BATCHES)))
    batches = []
    start = 0
    while start < len(texts):
        fitting = max(1, batch_tokens // (lengths[start] + decoding.max_new_tokens))
        left = math.ceil((len(texts) - start) / min(most, fitting))
        number = len(batches) + left
        left += number > 1 and number % 2  # an even number in all, which two cores share well
        end = whole = start + math.ceil((len(texts) - start) / left)
        while start < whole < len(texts) and texts[whole].prompt == texts[whole - 1].prompt:
            whole -= 1
        if whole > start:
            end = whole  # texts of a prompt stay together, so that it is read only once
        batches.append(texts[start:end])
        start = end
    return batches


@contextmanager
def _attending(model: PreTrainedModel) -> Iterator[bool]:
    """Let the model attend with a `Memory` inside the block if possible; yields whether it does."""
    if not remembers(model):
        yield False
        return
    before: Any = model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    try:
        yield True
    finally:
        model.set_attn_implementation(before)


class _Writing:
    """The texts of a batch in progress: the tokens so far, and the unfinished ones.

    Args:
        prompts: Token ids of each row's prompt.
        stop: Tokens that end a text.
        decoding: Settings for choosing a token.
        uniforms: Uniform number of each row at each step, shape (n, most tokens).
        ends: Function that returns whether a text also ends without a stop token.
        so_far: Function that receives the numbers of rows and tokens so far.
        device: Device of the model.

    Attributes:
        written: Token ids of each row, without one that ends it.
    """

    def __init__(
        self,
        prompts: Sequence[list[int]],
        stop: frozenset[int],
        decoding: Decoding,
        uniforms: NDArray[np.float64],
        ends: Callable[[list[int]], bool] | None,
        so_far: RowsSoFar,
        device: torch.device,
    ) -> None:
        self.written: list[list[int]] = [[] for _ in prompts]
        self._decoding, self._ends, self._so_far = decoding, ends, so_far
        self._uniforms = torch.from_numpy(uniforms).to(device)
        self._stops = torch.tensor(sorted(stop), device=device)
        self._rows = torch.arange(len(prompts), device=device)
        self._going = torch.ones(len(prompts), dtype=torch.bool, device=device)
        self._left, self._step = len(prompts), 0
        self._repetitions = Repetitions(decoding.repetition_penalty, prompts)

    def add(self, logits: Tensor) -> Tensor | None:
        """Choose the next token of each row that is here; gives them, or None when all texts are done."""
        rows = self._rows
        damped = self._repetitions.damp(logits, rows)
        tokens = choose(damped, self._decoding, self._uniforms[rows, self._step])
        self._step += 1
        self._going &= ~torch.isin(tokens, self._stops)
        going = self._going
        self._repetitions.add(rows[going], tokens[going])
        for row, token in zip(rows[going].tolist(), tokens[going].tolist(), strict=True):
            self.written[row].append(token)
        if self._ends is not None:
            self._going &= torch.tensor(
                [not self._ends(self.written[row]) for row in rows.tolist()], device=rows.device
            )
        before, self._left = self._left, int(self._going.sum())
        self._so_far.add(before - self._left, tokens=self._left)
        if self._left and self._step < self._decoding.max_new_tokens:
            return tokens
        self._so_far.add(self._left)
        return None

    def leaving(self) -> Tensor | None:
        """Return the places of the unfinished rows once enough rows have ended; only these remain."""
        if self._left > STAYING * len(self._going):
            return None
        stay = self._going.nonzero()[:, 0]
        self._rows, self._going = self._rows[stay], self._going[stay]
        return stay


@torch.inference_mode()
def _write_batch(
    model: PreTrainedModel, prompts: list[list[int]], writing: _Writing, most: int
) -> list[list[int]]:
    """Write up to ``most`` tokens after each prompt by a `Memory`; equal prompts are read once."""
    different: dict[tuple[int, ...], int] = {}
    which = [different.setdefault(tuple(ids), len(different)) for ids in prompts]
    memory = Memory([len(ids) for ids in different], most, model.device)
    logits = _read(model, [list(ids) for ids in different], memory)[which]
    memory.spread(which)
    while (tokens := writing.add(logits)) is not None:
        if (stay := writing.leaving()) is not None:
            memory.select(stay)
            tokens = tokens[stay]
        places = memory.step()
        logits = model(input_ids=tokens[:, None], position_ids=places, use_cache=False, memory=memory).logits[
            :, -1
        ]
    return writing.written


def _read(model: PreTrainedModel, prompts: list[list[int]], memory: Memory) -> Tensor:
    """Read prompts into the memory, several joined per pass; return the logits after each.

    Raises:
        VeriloopError: The logits are NaN.
    """
    found: list[Tensor] = []
    while len(found) < len(prompts):
        some, size = prompts[len(found) : len(found) + 1], 0
        for ids in prompts[len(found) + 1 :]:
            size += len(some[-1])
            if size + len(ids) > READ_TOKENS:
                break
            some.append(ids)
        layout = Rows([len(ids) for ids in some], model.device)
        memory.read(layout, first=len(found))
        ends = torch.tensor([len(ids) for ids in some], device=model.device).cumsum(0) - 1
        logits = model(
            input_ids=torch.tensor([list(chain(*some))], device=model.device),
            position_ids=layout.positions,
            use_cache=False,
            logits_to_keep=ends,
            memory=memory,
        ).logits[0]
        if logits.isnan().any():
            raise no_numbers()
        found += logits.unbind()
    return torch.stack(found)


def no_numbers() -> VeriloopError:
    """Return the error for a model with broken weights."""
    return VeriloopError(
        "the language model returns NaN",
        fix="check its weights; a model that was trained here may need a lower learning_rate",
    )


@torch.inference_mode()
def _write_padded(
    model: PreTrainedModel, prompts: list[list[int]], writing: _Writing, most: int
) -> list[list[int]]:
    """As `_write_batch`, with the library's own cache and attention."""
    longest, device = max(map(len, prompts)), model.device
    padded = any(len(p) < longest for p in prompts)
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=device)
    mask = torch.zeros(len(prompts), longest + most, dtype=torch.long, device=device)
    for i, p in enumerate(prompts):
        mask[i, longest - len(p) :] = 1
    positions = (mask[:, :longest].cumsum(1) - 1).clamp(min=0)
    cache = _cache(model, mask.shape[1])
    direct = isinstance(cache.layers[0], _Reserved) and model.config._attn_implementation == "sdpa"
    for seen in count(longest):
        logits = model(
            input_ids=ids,
            attention_mask=_seen(mask[:, :seen], one_token=seen > longest and direct) if padded else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if seen == longest and logits.isnan().any():
            raise no_numbers()
        if (tokens := writing.add(logits)) is None:
            break
        if (stay := writing.leaving()) is not None:
            cache.batch_select_indices(stay)
            tokens, mask, positions = tokens[stay], mask[stay], positions[stay]
        ids, positions = tokens[:, None], positions[:, -1:] + 1
    return writing.written


def _seen(mask: Tensor, one_token: bool) -> Tensor:
    """Return the mask for one new token in the form that attention needs; models rebuild it at each step."""
    return mask[:, None, None].bool() if one_token else mask


class _Reserved(DynamicLayer):
    """Keys and values of one layer in preallocated memory; the library's cache copies all per token."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room, self._used = room, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate memory for all tokens, with the dtype and device of the first."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._all = [x.new_empty(*x.shape[:2], self._room, x.shape[3]) for x in (key_states, value_states)]
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new tokens, and return those of all tokens so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before, self._used = self._used, self._used + key_states.shape[2]
        for kept, new in zip(self._all, (key_states, value_states), strict=True):
            kept[:, :, before : self._used] = new
        return self._show()

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only the texts at ``indices``."""
        self._all = [kept.index_select(0, indices) for kept in self._all]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (kept[:, :, : self._used] for kept in self._all)
        return self.keys, self.values


def _cache(model: PreTrainedModel, room: int) -> Cache:
    cache = DynamicCache(config=model.config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return Cache(layers=[_Reserved(room) for _ in cache.layers])
    return cache  # layers with a window or another kind of state
