"""What the metrics of text look at: the texts written for held-out prompts, and their words."""

import re
from typing import Protocol, runtime_checkable

from ..nested import Nested
from ..samples import Samples
from ..schema import TEXT_ROLES, Role, Schema
from ..turns import in_words
from .base import Evaluation

_WORD = re.compile(r"\w+")


@runtime_checkable
class Greedy(Protocol):
    """A generator that can also decode greedily, such as a causal language model."""

    @property
    def is_greedy(self) -> bool:
        """Whether its ordinary samples are greedy already."""
        ...

    def greedy(self, condition: Samples) -> Samples:
        """One text for each row of ``condition``, taking the likeliest token at each step."""
        ...


def column_of(schema: Schema, setting: str | None, role: Role, asked_by: str) -> str:
    """The column that a setting names, or else the one of ``role``; chats have turns for a prompt.

    Raises:
        ConfigError: There is no such column, or it holds no text.
    """
    if setting is None:
        return schema.one("messages" if role == "prompt" and not schema.named(role) else role, asked_by)
    schema.column(setting, asked_by, *TEXT_ROLES, "extra")
    return setting


def written(evaluation: Evaluation, column: str, greedy: bool = False) -> Samples:
    """The texts that the metrics judge, one for each held-out prompt, with the prompts' columns.

    They are those that the report shows: drawn as the plan's decoding says, once for all metrics.

    Args:
        evaluation: The round's model.
        column: The column that was written.
        greedy: Whether to judge the likeliest texts instead, as published numbers do: they vary less, and
            cost a second decoding, which all metrics that ask for it share.
    """
    generator, generated = evaluation.generator, evaluation.generated
    if not greedy or not isinstance(generator, Greedy) or generator.is_greedy:
        return generated
    condition = generated.only([name for name in generated if name != column])
    return evaluation.once("greedy texts", lambda: generator.greedy(condition))


def said(samples: Samples, column: str) -> list[str]:
    """The texts of a column; of turns of a chat, what is said in them."""
    texts = samples.texts(column)
    return [in_words(turns) for turns in texts.values()] if isinstance(texts, Nested) else texts


def words(text: str) -> list[str]:
    """The words of a text in any script, in lower case: runs of letters, digits and underscores."""
    return _WORD.findall(text.lower())
