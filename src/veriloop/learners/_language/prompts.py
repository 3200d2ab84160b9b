"""From columns of text to token ids and back: the template, the cut of what is too long, the completion."""

import string
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ...errors import ConfigError, DataError
from ...parts import Checked, did_you_mean
from ...samples import Samples
from ...schema import TEXT_ROLES, Role, Schema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = list[int]
"""Token ids of one text."""


PROMPT: Role = "prompt"
"""The role that a template may name in place of a column."""


class Prompt(Checked, frozen=True):
    """How rows become prompts, and which column is written.

    Attributes:
        template: Names columns in braces, as :meth:`str.format` does, or ``{prompt}`` for the column of this
            role. Never what is written, nor what that is compared to. None: the prompt alone.
        shorten: The column that is cut at its end where a prompt is too long. All else stays whole. None:
            the prompt, or the first column of a template without it.
        completion: The column that the model writes. None: the data's.
        chat: Whether to send the filled template as a user's message, in the tokenizer's chat template.
        max_tokens: The longest prompt.
    """

    template: str | None = None
    shorten: str | None = None
    completion: str | None = None
    chat: bool = False
    max_tokens: Annotated[int, Field(gt=0)] = 1024

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.template is None:
            return self
        try:
            if not all(self.columns):
                raise ValueError("there is no column's name in the braces")
            self.template.format(**dict.fromkeys(self.columns, "a text"))
        except (ValueError, LookupError, AttributeError) as e:
            raise ConfigError(
                f"prompt.template ({e})",
                got=self.template,
                expected="names of columns in braces, such as {question}",
                fix="write {{ and }} for braces themselves",
            ) from None
        if not self.columns:
            raise ConfigError(
                "prompt.template names no column",
                got=self.template,
                expected="the prompt's name in braces, such as {prompt}",
            )
        if self.shorten is not None and self.shorten not in self.columns:
            raise ConfigError(
                "prompt.shorten",
                got=self.shorten,
                expected=f"a column that the template names ({', '.join(self.columns)})",
            )
        if self.completion in self.columns:
            raise ConfigError(
                f"the template gives away the completion {self.completion!r}", got=self.template
            )
        return self

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the template names, in order."""
        parsed = string.Formatter().parse(self.template or "")
        return tuple(dict.fromkeys(name for _, name, _, _ in parsed if name is not None))

    def suited_to(self, schema: Schema, asked_by: str) -> "Prompt":
        """These rules with the columns of ``schema`` in all places.

        Raises:
            ConfigError: A column is not there, or of a role that does not suit.
        """
        completion = self.completion or schema.one("completion", asked_by)
        if schema.column(completion, f"{asked_by}: prompt.completion", "completion", "extra").given:
            raise ConfigError(
                f"{asked_by}: prompt.completion",
                got=f"{completion!r}, which the model is given",
                expected=f"a column that it makes ({', '.join(schema.made) or 'there is none'})",
            )
        template = self.template
        if template is None:
            template = "{" + schema.one("prompt", asked_by) + "}"
        names = {name: _column(name, schema, asked_by) for name in _names(template)}
        shorten = self.shorten
        if shorten is None:
            prompts = [name for name in names.values() if schema[name].role == "prompt"]
            shorten = next(iter([*prompts, *names.values()]), None)
        elif shorten in names:
            shorten = names[shorten]
        return Prompt(
            template=_renamed(template, names),
            shorten=shorten,
            completion=completion,
            chat=self.chat,
            max_tokens=self.max_tokens,
        )

    def settled(self) -> tuple[str, str, str]:
        """Template, column to shorten, and completion.

        Raises:
            ConfigError: One is still left to the data.
        """
        shorten = self.columns[0] if self.shorten is None and len(self.columns) == 1 else self.shorten
        if self.template is None or shorten is None or self.completion is None:
            raise ConfigError(
                "a prompt that knows nothing of its data",
                got=f"template={self.template!r}, shorten={shorten!r}, completion={self.completion!r}",
                expected="all three",
                fix="take learner.suited_to(dataset.schema()), as a run does, or set them",
            )
        return self.template, shorten, self.completion


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def _column(name: str, schema: Schema, asked_by: str) -> str:
    """The column that a template means by ``name``."""
    column = name
    if name == PROMPT and name not in schema:
        column = schema.one(PROMPT, f"{asked_by}: prompt.template")
    if column not in schema:
        known = [*schema.given, *([PROMPT] if schema.named(PROMPT) else [])]
        raise ConfigError(
            f"{asked_by}: prompt.template",
            got=f"{{{name}}}",
            expected=f"columns of the data: {schema.described()}",
            fix=did_you_mean(name, known) or "the data's columns.keep carries other columns along",
        )
    schema.column(column, f"{asked_by}: prompt.template", *TEXT_ROLES, "id", "extra")
    if schema[column].role == "reference":
        raise ConfigError(
            f"{asked_by}: the template gives away {column!r}, which what the model writes is compared to",
            expected=f"columns that do not hold the answer ({', '.join(_harmless(schema))})",
            fix="judges may see a reference, models may not; name a text that is no answer in the data's "
            "columns.keep",
        )
    if not schema[column].given:
        raise ConfigError(
            f"{asked_by}: the template gives away {column!r}, which the model makes",
            expected=f"columns that it is given ({', '.join(_harmless(schema))})",
        )
    return column


def _harmless(schema: Schema) -> list[str]:
    return [name for name in schema.given if schema[name].role != "reference"]


def _renamed(template: str, names: Mapping[str, str]) -> str:
    """``template`` with other names in its braces."""
    pieces = []
    for literal, name, form, conversion in string.Formatter().parse(template):
        pieces.append(literal.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            how = (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            pieces.append(f"{{{names[name]}{how}}}")
    return "".join(pieces)


class Formatter:
    """A prompt's rules with the tokenizer that counts.

    Args:
        prompt: The rules.
        tokenizer: The model's.

    Raises:
        ConfigError: The rules leave a column to the data.
        DataError: The tokenizer has no end-of-text token, or no chat template though ``prompt.chat`` asks
            for one.
    """

    def __init__(self, prompt: Prompt, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.prompt, self.tokenizer = prompt, tokenizer
        self._template, self._shorten, self._completion = prompt.settled()
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

    @property
    def completion(self) -> str:
        """The column that is written."""
        return self._completion

    def prompts(self, samples: Samples) -> list[str]:
        """The filled template of each row, cut to ``max_tokens``.

        Raises:
            DataError: A column is missing or holds no text, or the rest of the template is too long.
        """
        most, shorten, rows = self.prompt.max_tokens, self._shorten, self._rows(samples)
        texts = [self._template.format(**row) for row in rows]
        excess = self._excess(dict(enumerate(texts)))
        # Tokens may split anew at the cut, so look again; each look takes away at least one character more.
        while excess:
            if not all(rows[i][shorten] for i in excess):
                raise DataError(
                    f"a prompt is too long even without its {shorten!r}",
                    got=f"{most + max(excess.values())} tokens",
                    expected=f"at most prompt.max_tokens={most}",
                )
            shorter = self._without_last([rows[i][shorten] for i in excess], list(excess.values()))
            for i, text in zip(excess, shorter, strict=True):
                rows[i][shorten] = text
                texts[i] = self._template.format(**rows[i])
            excess = self._excess({i: texts[i] for i in excess})
        return texts

    def too_long(self, samples: Samples) -> NDArray[np.bool_]:
        """Which rows have to be cut, shape (n,).

        Raises:
            DataError: A column is missing or holds no text.
        """
        texts = [self._template.format(**row) for row in self._rows(samples)]
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
        texts = samples.texts(self._completion)
        if not texts:
            return []
        joint = "" if self.prompt.chat or self._template[-1:].isspace() else " "
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
