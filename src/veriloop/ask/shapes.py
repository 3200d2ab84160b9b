"""Convert rows of text to the formats of TRL's trainers of language models.

If the run's model receives messages, prompts and completions are lists of messages with ``role`` and
``content``; otherwise they are texts that form the whole when joined.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..cards import PromptCard, RunCard
from ..errors import ConfigError
from ..nested import Nested, to_text
from ..turns import Turn
from ..verdicts import Decision
from .columns import TAKEN, Columns, Provenance, at_rows, beside, columns_of, values_of
from .sifted import Sifted

SEVERAL = "write several candidates of each prompt (samples_per_prompt: 4), at a temperature above 0"
"""How a round gets pairs."""


@dataclass(frozen=True)
class Written:
    """What a language model received and wrote, row by row.

    Attributes:
        prompts: Filled templates, not cut, or the turns of a chat.
        completions: Text written for each, with the start of an answer that the model was given.
        joints: Text between the two, if they are texts.
        others: Columns that neither was made from.
    """

    prompts: list[str] | list[list[Turn]]
    completions: list[str]
    joints: list[str]
    others: Columns

    @staticmethod
    def of(columns: Columns, cards: RunCard) -> "Written":
        """Return the texts in the columns of samples.

        Raises:
            ConfigError: The run's learner has no prompt.
        """
        if (card := cards.prompt) is None:
            raise ConfigError(
                "this run has no prompts",
                got=f"columns {cards.data.described()}",
                expected="a run of a language model",
                fix="export its columns as they are: --as columns",
            )
        fields = [name for _, name, _, _ in string.Formatter().parse(card.template) if name]
        called = beside(TAKEN, {*cards.columns, *fields})
        completion = called[cards.data.one("completion", "this form")]
        used = {name: called[name] for name in fields}
        values = [values_of(columns[stored]) for stored in used.values()]
        rows = [dict(zip(used, row, strict=True)) for row in zip(*values, strict=True)]
        texts: list[str] = values_of(columns[completion])
        made_from = {*used.values(), completion}
        others = {name: column for name, column in columns.items() if name not in made_from}
        if card.chat:
            chats = [_chat(card, row, text) for row, text in zip(rows, texts, strict=True)]
            return Written(
                [turns for turns, _ in chats], [said for _, said in chats], [""] * len(rows), others
            )
        filled = [card.template.format(**row) for row in rows]
        return Written(filled, texts, [card.joint(prompt) for prompt in filled], others)

    def completion(self, row: int) -> Any:
        """Return the completion of a row, as a trainer takes it. An empty text is trained on as nothing."""
        text = self.completions[row]
        if isinstance(self.prompts[row], list):
            return [_turn("assistant", text)]
        return self.joints[row] + text if text else ""

    def messages(self, row: int) -> list[Turn]:
        """Return the whole conversation of a row; a text prompt becomes the user's turn."""
        prompt = self.prompts[row]
        turns = prompt if isinstance(prompt, list) else [_turn("user", prompt)]
        return [*turns, _turn("assistant", self.completions[row])]

    def beside(self, columns: Columns, rows: Sequence[int]) -> Columns:
        """Return ``columns`` together with the other columns at ``rows``."""
        called = beside(columns, self.others)
        return columns | {called[name]: at_rows(c, rows) for name, c in self.others.items()}


def _chat(card: PromptCard, row: dict[str, Any], text: str) -> tuple[list[Turn], str]:
    turns = next(iter(row.values()))
    if not isinstance(turns, list):
        return [_turn("user", card.template.format(**row))], text
    if turns[-1]["role"] == "assistant":
        return turns[:-1], turns[-1]["content"] + text
    return turns, text


def _column(values: Sequence[Any]) -> pa.Array | Nested:
    return (
        Nested.of(values)
        if any(isinstance(value, list) for value in values)
        else pa.array(values, pa.string())
    )


def _turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


def messages_of(written: Written) -> Columns:
    """Return a column ``messages``, whose last turn is the model's."""
    rows = range(len(written.prompts))
    return written.beside({"messages": _column([written.messages(i) for i in rows])}, rows)


def prompt_completion_of(written: Written) -> Columns:
    """Return columns ``prompt`` and ``completion``."""
    rows = range(len(written.prompts))
    completions = _column([written.completion(i) for i in rows])
    return written.beside({"prompt": _column(written.prompts), "completion": completions}, rows)


def unpaired_of(round_: Sifted, cards: RunCard, provenance: Provenance) -> Columns:
    """Return columns ``prompt``, ``completion`` and ``label``: whether the completion was accepted.

    Abstentions, and accepted candidates that did not fit the quota, are left out.

    Raises:
        ConfigError: The run has no prompts.
    """
    judged = np.flatnonzero(~np.isnan(round_.accepted))
    written = Written.of(columns_of(round_.samples.select(judged), provenance), cards)
    plain = prompt_completion_of(written)
    first = {"prompt": plain.pop("prompt"), "completion": plain.pop("completion")}
    first["label"] = pa.array(round_.accepted[judged] == 1)
    called = beside(first, plain)
    return first | {called[name]: column for name, column in plain.items()}


def preference_of(round_: Sifted, cards: RunCard, provenance: Provenance) -> Columns:
    """Return columns ``prompt``, ``chosen``, ``rejected``: a prompt's best accepted and worst rejected text.

    Also the score of both, and the other columns of the chosen one. Best and worst are by score, the first
    one if scores are equal or missing. Two that are equal, by text or by the deciding score, form no pair.

    Raises:
        ConfigError: The run has no prompts, or no prompt has a pair.
    """
    written = Written.of(columns_of(round_.samples, provenance), cards)
    score = round_.samples.array("_score")
    pairs, prompts = _pairs(written, round_, np.nan_to_num(score))
    if not pairs:
        raise ConfigError(
            "no prompt has a pair of an accepted and a rejected completion",
            got=f"{len(written.prompts):,} candidates of {prompts:,} prompts",
            expected="several different candidates of a prompt, some accepted and some rejected",
            fix=SEVERAL,
        )
    best, worst = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    columns: Columns = {
        "prompt": _column([written.prompts[i] for i in best]),
        "chosen": _column([written.completion(i) for i in best]),
        "rejected": _column([written.completion(i) for i in worst]),
        "score_chosen": _or_null(score[best]),
        "score_rejected": _or_null(score[worst]),
    }
    whole = written.beside(columns, best)
    del whole["score"]
    return whole


def _pairs(written: Written, round_: Sifted, score: NDArray[Any]) -> tuple[list[tuple[int, int]], int]:
    """Return the rows of each pair, and the number of prompts."""
    of_prompt: dict[str, list[int]] = {}
    for row, prompt in enumerate(written.prompts):
        of_prompt.setdefault(prompt if isinstance(prompt, str) else to_text(prompt), []).append(row)
    pairs: list[tuple[int, int]] = []
    for rows in of_prompt.values():
        good = [row for row in rows if round_.accepted[row] == 1]
        bad = [row for row in rows if round_.accepted[row] == 0]
        if not good or not bad:
            continue
        best, worst = max(good, key=lambda row: score[row]), min(bad, key=lambda row: score[row])
        by_rule = round_.decision[best] == round_.decision[worst] == Decision.OPEN
        if written.completions[best] != written.completions[worst] and not (
            by_rule and score[best] <= score[worst]
        ):
            pairs.append((best, worst))
    return pairs, len(of_prompt)


def _or_null(score: NDArray[Any]) -> pa.Array:
    return pa.array(score, from_pandas=True)
