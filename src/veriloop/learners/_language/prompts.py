"""From columns of text to token ids and back: the template, the cut of what is too long, the completion."""

import string
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from transformers import PreTrainedTokenizerBase

from ...errors import ConfigError, DataError
from ...parts import Checked
from ...samples import Samples

Ids = list[int]
"""Token ids of one text."""


class Prompt(Checked, frozen=True):
    """How rows become prompts, and which column is written.

    Attributes:
        template: Names columns in braces, as :meth:`str.format` does.
        shorten: The column that is cut at its end where a prompt is too long. All else stays whole.
        completion: The column that the model writes.
        chat: Whether to send the filled template as a user's message, in the tokenizer's chat template.
        max_tokens: The longest prompt.
    """

    template: str = "Article: {document} Summary:"
    shorten: str = "document"
    completion: str = "summary"
    chat: bool = False
    max_tokens: Annotated[int, Field(gt=0)] = 1024

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            if not all(self.columns):
                raise ValueError("there is no column's name in the braces")
            self.template.format(**dict.fromkeys(self.columns, "a text"))
        except (ValueError, LookupError, AttributeError) as e:
            raise ConfigError(
                f"prompt.template ({e})",
                got=self.template,
                expected="names of columns in braces, such as {document}",
                fix="write {{ and }} for braces themselves",
            ) from None
        if self.shorten not in self.columns:
            raise ConfigError(
                "prompt.shorten",
                got=self.shorten,
                expected=f"a column that the template names ({', '.join(self.columns) or 'it names none'})",
                fix="name columns as the data's setting columns does: document, reference, those of keep",
            )
        if self.completion in self.columns:
            raise ConfigError(
                f"the template gives away the completion {self.completion!r}", got=self.template
            )
        return self

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the template names, in order."""
        named = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        return tuple(dict.fromkeys(named))


class Formatter:
    """A prompt's rules with the tokenizer that counts.

    Args:
        prompt: The rules.
        tokenizer: The model's.

    Raises:
        DataError: The tokenizer has no end-of-text token, or no chat template though ``prompt.chat`` asks
            for one.
    """

    def __init__(self, prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> None:
        self.prompt, self.tokenizer = prompt, tokenizer
        if tokenizer.eos_token_id is None:
            raise DataError(
                "the tokenizer has no end-of-text token, so the model could never stop",
                fix="set eos_token in the model's tokenizer_config.json",
            )
        if prompt.chat and not tokenizer.chat_template:
            raise DataError(
                "prompt.chat is set, but the tokenizer has no chat template",
                fix="set chat: false, or take the model's instruct version",
            )
        if prompt.chat:
            self._try_chat()

    def prompts(self, samples: Samples) -> list[str]:
        """The filled template of each row, cut to ``max_tokens``.

        Raises:
            DataError: A column is missing or holds no text, or the rest of the template is too long.
        """
        p, rows = self.prompt, self._rows(samples)
        texts = [p.template.format(**row) for row in rows]
        excess = self._excess(dict(enumerate(texts)))
        # Tokens may split anew at the cut, so look again; each look takes away at least one character more.
        while excess:
            if not all(rows[i][p.shorten] for i in excess):
                raise DataError(
                    f"a prompt is too long even without its {p.shorten!r}",
                    got=f"{p.max_tokens + max(excess.values())} tokens",
                    expected=f"at most prompt.max_tokens={p.max_tokens}",
                )
            shorter = self._without_last([rows[i][p.shorten] for i in excess], list(excess.values()))
            for i, text in zip(excess, shorter, strict=True):
                rows[i][p.shorten] = text
                texts[i] = p.template.format(**rows[i])
            excess = self._excess({i: texts[i] for i in excess})
        return texts

    def too_long(self, samples: Samples) -> NDArray[np.bool_]:
        """Which rows have to be cut, shape (n,).

        Raises:
            DataError: A column is missing or holds no text.
        """
        texts = [self.prompt.template.format(**row) for row in self._rows(samples)]
        cut = np.zeros(len(texts), bool)
        cut[list(self._excess(dict(enumerate(texts))))] = True
        return cut

    def prompt_ids(self, texts: list[str]) -> list[Ids]:
        """Filled templates as token ids, with what the chat template or the tokenizer puts in front.

        Raises:
            DataError: One has none.
        """
        if not texts:
            return []
        if self.prompt.chat:
            texts = [self._as_message(text) for text in texts]
        ids = self.tokenizer(texts, add_special_tokens=not self.prompt.chat)["input_ids"]
        # Some tokenizers end every text; a prompt is to be gone on with.
        ids = [i[:-1] if i[-1:] == [self.tokenizer.eos_token_id] else i for i in ids]
        if not all(ids):
            raise DataError("a prompt without a token", got=texts[ids.index([])], fix="drop its row")
        return ids

    def completion_ids(self, samples: Samples, most: int) -> list[Ids]:
        """What follows each prompt: the completion and the end-of-text token, ``most`` tokens of it.

        Raises:
            DataError: The column is missing or holds no text.
        """
        texts = samples.texts(self.prompt.completion)
        if not texts:
            return []
        joint = "" if self.prompt.chat or self.prompt.template[-1:].isspace() else " "
        ids = self.tokenizer([joint + t if t else "" for t in texts], add_special_tokens=False)["input_ids"]
        return [[*i, self.tokenizer.eos_token_id][:most] for i in ids]

    def text(self, ids: Ids) -> str:
        """The completion that was written, without special tokens and outer white space."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _rows(self, samples: Samples) -> list[dict[str, str]]:
        names = self.prompt.columns
        columns = [samples.texts(name) for name in names]
        return [dict(zip(names, texts, strict=True)) for texts in zip(*columns, strict=True)]

    def _as_message(self, text: str) -> str:
        message = [{"role": "user", "content": text}]
        return str(self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))

    def _try_chat(self) -> None:
        try:
            self._as_message("a text")
        except Exception as e:  # a template is a program: it may refuse, or be broken in any way
            raise DataError(
                f"the tokenizer's chat template takes no single message of a user ({e})",
                fix="mend chat_template in the model's folder, or set chat: false",
            ) from e

    def _excess(self, texts: dict[int, str]) -> dict[int, int]:
        """By how many tokens prompts are too long, for those that are."""
        lengths = zip(texts, map(len, self.prompt_ids(list(texts.values()))), strict=True)
        return {i: n - self.prompt.max_tokens for i, n in lengths if n > self.prompt.max_tokens}

    def _without_last(self, texts: list[str], tokens: list[int]) -> list[str]:
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        ends = [[0, *(end for _, end in offsets)] for offsets in encoded["offset_mapping"]]
        # The last tokens may be parts of one character: at least one character goes.
        return [
            text[: min(end[max(len(end) - 1 - n, 0)], len(text) - 1)] if text else ""
            for text, end, n in zip(texts, ends, tokens, strict=True)
        ]
