"""Pretraining of a small language model, from which an experiment starts.

The model has Llama's architecture and a byte-level BPE vocabulary, both made here from the text of the
articles. It reads no summaries; it learns about them from the experiment's start set. Rows that repeat a text
teach it to copy. Gap sentences (see `gap_sentences`) then teach it the form of the prompt, and to use an
article's words.
"""

import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ..errors import CorruptFileError, DataError
from ..executors.threads import limit_threads
from ..learners._language.models import Language, save
from ..rng import Address, Stage, global_torch
from ..store.atomic import place_directory, storage_errors, sync
from ..store.digests import settle
from .gap_sentences import Ids, Layout, gap_rows, repeated_rows, sentences
from .study_files import Pretraining

CARD = "pretraining.json"
"""File next to the model that says how it was made."""

END, PAD = "<|endoftext|>", "<|pad|>"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def pretrain(
    articles: Sequence[str],
    size: Pretraining,
    template: str,
    folder: Path,
    tell: Callable[[str], None] = _to_stderr,
) -> None:
    """Make the model in ``folder``, in Hugging Face's format, unless it is already there.

    The folder appears once it is complete. If the process is killed, pretraining starts again.

    Args:
        articles: Text of each article.
        size: Size of the model and of its training.
        template: Template of the prompts that it will receive, such as ``"Text: {text} Title:"``.
        folder: Folder for ``config.json``, ``model.safetensors``, ``tokenizer.json`` and `CARD`.
        tell: Called with a line about every 100 steps.

    Raises:
        DataError: No article is long enough for a row, or the folder holds a model made in another way.
        StorageError: The folder cannot be written.
    """
    asked = {**size.model_dump(), "articles": len(articles)}
    if (card := read_card(folder)) is not None:
        if different := [key for key, value in asked.items() if card.get(key) != value]:
            raise DataError(
                f"the model in {folder} was pretrained with other settings",
                got=", ".join(f"{key}={card.get(key)}" for key in different),
                expected=", ".join(f"{key}={asked[key]}" for key in different),
                fix="choose another folder, or delete this one",
            )
        return
    began = time.perf_counter()
    with limit_threads(1):
        tokenizer = _learn_vocabulary(articles, size.vocabulary)
        model, loss = _train(tokenizer, articles, size, template, tell)
    aside = folder.with_name(f".{folder.name}.aside")
    with storage_errors(folder):
        aside.mkdir(parents=True, exist_ok=True)
        end_and_pad = {"eos_token": END, "pad_token": PAD}
        save(Language(model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, **end_and_pad)), aside)
        card = {
            **asked,
            "parameters": model.num_parameters(),
            "tokens": size.steps * size.batch_size * size.row_tokens,
            "loss": round(loss, 4),
            "seconds": round(time.perf_counter() - began),
        }
        (aside / CARD).write_text(json.dumps(card, indent=1) + "\n")
        settle(aside)
        place_directory(aside, folder)
        sync(folder.parent)


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return how the model in ``folder`` was made; None if there is no model.

    Raises:
        CorruptFileError: `CARD` cannot be read.
    """
    path = folder / CARD
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as e:
        raise CorruptFileError(
            f"{path} cannot be read ({e})", fix="delete its folder, so that the model is made again"
        ) from e


def _learn_vocabulary(articles: Sequence[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(articles, trainer)
    return tokenizer


def _train(
    tokenizer: Tokenizer,
    articles: Sequence[str],
    size: Pretraining,
    template: str,
    tell: Callable[[str], None],
) -> tuple[LlamaForCausalLM, float]:
    """Return the trained model, and the mean loss of the last tenth of its steps, in nats per token."""
    rng = Address(size.seed, "pretraining").at(Stage.FIT).rng()
    ids = tokenizer.get_vocab()
    model = _fresh(size, len(ids), ids[END], ids[PAD], rng)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        betas=(0.9, 0.95),
        fused=True,
    )
    before, between = (tokenizer.encode(text).ids for text in _around(template))
    layout = Layout(before, between, ids[END], size.row_tokens)
    losses: list[float] = []
    for batch in _batches(_encoded(tokenizer, articles), layout, size, rng):
        for group in optimizer.param_groups:
            group["lr"] = size.learning_rate * _share(len(losses), size)
        loss = _loss(model, torch.from_numpy(batch))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % 100 == 0:
            tell(f"pretraining: step {len(losses)} of {size.steps}, loss {np.mean(losses[-100:]):.3f}")
    return model, float(np.mean(losses[-max(1, size.steps // 10) :]))


def _around(template: str) -> tuple[str, str]:
    """Return the template's tokens before and after the text. Sentences here begin with a space."""
    before, _, between = re.split(r"({\w+})", template, maxsplit=1)
    return before.removesuffix(" "), between


def _fresh(
    size: Pretraining, vocabulary: int, end: int, pad: int, rng: np.random.Generator
) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )
    with global_torch(rng):
        return LlamaForCausalLM(config)


def _encoded(tokenizer: Tokenizer, articles: Sequence[str]) -> list[list[Ids]]:
    """Return the token ids of each sentence, with the space before it."""
    return [
        [e.ids for e in tokenizer.encode_batch([f" {sentence}" for sentence in sentences(article)])]
        for article in articles
    ]


def _batches(
    articles: Sequence[Sequence[Ids]], layout: Layout, size: Pretraining, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield ``size.steps`` batches. Each pass over the articles starts one sentence later, for new rows."""
    made = first = 0
    while made < size.steps:
        repeated = made < size.repeated
        if repeated:
            rows = repeated_rows(articles, layout, first, rng)
        else:
            rows = gap_rows(articles, layout, first, size.copied, rng)
        if len(rows) < size.batch_size:
            raise DataError(
                "too little text to pretrain on",
                got=f"{len(rows)} rows of {size.row_tokens} tokens",
                expected=f"at least one batch of {size.batch_size}",
            )
        order = rng.permutation(len(rows))
        wanted = min(size.repeated, size.steps) if repeated else size.steps
        whole = min(len(rows) // size.batch_size, wanted - made)
        for chosen in order[: whole * size.batch_size].reshape(whole, size.batch_size):
            yield rows[chosen]
        made += whole
        first += 1


def _loss(model: LlamaForCausalLM, ids: Tensor) -> Tensor:
    """Return the mean negative log-likelihood per token, in nats, given the tokens before it."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def _share(step: int, size: Pretraining) -> float:
    """Return the share of the peak learning rate: it rises and falls over each of the two kinds of rows."""
    begin, end = (0, size.repeated) if step < size.repeated else (size.repeated, size.steps)
    done, steps = step - begin, end - begin
    rise = (done + 1) / min(100, math.ceil(steps / 10))
    return min(1.0, rise) * (1 + math.cos(math.pi * done / steps)) / 2
