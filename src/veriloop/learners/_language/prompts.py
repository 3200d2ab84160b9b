"""Convert texts and chats to token ids and back: the template, cutting long prompts, the end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...nested import Nested
from ...samples import Samples
from ...turns import LEADING, Turn
from .control import Asked, ControlTokens, Ids, Marked
from .ends import before
from .places import NO_TEMPLATE
from .rules import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]
"""Columns of the template: texts, or the turns of a chat."""


class Formatter:
    """The rules of a prompt together with a tokenizer.

    Args:
        prompt: Rules of the prompt.
        tokenizer: Tokenizer of the model.

    Raises:
        ConfigError: The rules leave a column open.
        DataError: The tokenizer has no end-of-text token, or no chat template for chats.
    """

    def __init__(self, prompt: Prompt, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.prompt, self.tokenizer = prompt, tokenizer
        self._template, self._shorten, self._completion = prompt.settled()
        self._card, self._control = prompt.card(), ControlTokens(tokenizer)
        if not isinstance(tokenizer.eos_token_id, int):
            raise DataError(
                "the tokenizer has no end-of-text token, so the model could never stop",
                fix="set eos_token in the model's tokenizer_config.json",
            )
        if prompt.chat and not tokenizer.chat_template:
            raise DataError(
                NO_TEMPLATE, fix="use the model's instruct version, or a text column with chat: false"
            )
        self.end = self._turn_end(tokenizer.eos_token_id) if prompt.chat else tokenizer.eos_token_id

    @property
    def completion(self) -> str:
        """Column that is written."""
        return self._completion

    def prompts(self, samples: Samples) -> list[Marked]:
        """Return the filled template of each row, or its chat, cut to ``max_tokens``.

        Raises:
            DataError: A column is missing or does not hold text, or the rest of the template is too long.
        """
        most, rows = self.prompt.max_tokens, self._rows(samples)
        made = [self._filled(*row) for row in rows]
        excess = self._excess(dict(enumerate(made)))
        # The cut may change how the text is tokenized, so check again; each pass removes at least one more
        # character.
        while excess:
            shorter = self._shorter([rows[i][0][self._shorten] for i in excess], list(excess.values()))
            for i, left in zip(excess, shorter, strict=True):
                if left is None:
                    raise DataError(
                        f"a prompt is too long even without its {self._shorten!r}",
                        got=f"{most + excess[i]} tokens",
                        expected=f"at most prompt.max_tokens={most}",
                    )
                rows[i][0][self._shorten] = left
                made[i] = self._filled(*rows[i])
            excess = self._excess({i: made[i] for i in excess})
        return made

    def too_long(self, samples: Samples) -> NDArray[np.bool_]:
        """Return which rows have to be cut, shape (n,).

        Raises:
            DataError: A column is missing or does not hold text.
        """
        made = [self._filled(*row) for row in self._rows(samples)]
        cut = np.zeros(len(made), bool)
        cut[list(self._excess(dict(enumerate(made))))] = True
        return cut

    def prompt_ids(self, prompts: Sequence[Marked]) -> list[Ids]:
        """Return prompts as token ids, with the prefix of the chat template or the tokenizer.

        Raises:
            DataError: A prompt has no tokens, or the chat template refuses it.
        """
        if not prompts:
            return []
        texts = [self._rendered(p.asked) for p in prompts]
        ids = self._with_front(texts)
        for i, prompt in enumerate(prompts):
            if prompt.marks:
                front = [] if self.prompt.chat else self._with_front([""])[0]
                ids[i] = front + self._control.ids(texts[i], prompt.marks)
        if not all(ids):
            raise DataError("a prompt without tokens", got=texts[ids.index([])], fix="drop its row")
        return ids

    def completion_ids(
        self,
        samples: Samples,
        most: int,
        prompts: Sequence[Marked] | None = None,
        cut: NDArray[np.bool_] | None = None,
    ) -> list[Ids]:
        """Return what follows each prompt: at most ``most`` tokens of the completion and its end.

        Args:
            samples: Samples with the completion column.
            most: Largest number of tokens.
            prompts: Prompts of the rows; without them, the separator follows from the end of the template.
            cut: Completions without an end token, because they were cut when written, shape (n,).

        Raises:
            DataError: The column is missing or does not hold text.
        """
        texts = samples.texts(self._completion)
        joints = [self.joint(p) for p in prompts] if prompts is not None else [self.joint()] * len(texts)
        ids = self._control.of_texts([j + t if t else "" for j, t in zip(joints, texts, strict=True)])
        ends = [[self.end]] * len(ids) if cut is None else [[] if c else [self.end] for c in cut.tolist()]
        # At least one token: a text cut before its first complete word is learned as an empty one.
        return [([*i, *end] or [self.end])[:most] for i, end in zip(ids, ends, strict=True)]

    def joint(self, prompt: Marked | None = None) -> str:
        """Return the text between a prompt and its completion."""
        asked = self._template if prompt is None else prompt.asked
        return self._card.joint(asked if isinstance(asked, str) else "")

    def text(self, ids: Ids, prompt: Marked | None = None, stop: Sequence[str] = ()) -> str:
        """Return the completion, without control tokens and with all its white space.

        Args:
            ids: Tokens written by the model.
            prompt: Prompt that it continued; without it, the separator follows from the end of the template.
            stop: Stop strings; the first one ends the completion.
        """
        decoded = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return self.written(before(str(decoded), stop), prompt)

    def written(self, text: str, prompt: Marked | None = None) -> str:
        """Return the completion from the text that a model or server wrote after the prompt."""
        text = text.removeprefix(self.joint(prompt))
        return text.strip() if self.prompt.strip else text

    # -- from rows to prompts ----------------------------------------------------------------------------

    def _rows(self, samples: Samples) -> list[tuple[Row, dict[str, str]]]:
        names = self.prompt.columns
        columns = []
        for name in names:
            texts = samples.texts(name)
            columns.append(texts.values() if isinstance(texts, Nested) else texts)
        rows = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
        return [self._control.marked(row) for row in rows]

    def _filled(self, row: Row, marks: dict[str, str]) -> Marked:
        turns = row[self._shorten]
        if isinstance(turns, list):
            return Marked(turns, marks)
        text = self._template.format(**row)
        return Marked([{"role": "user", "content": text}] if self.prompt.chat else text, marks)

    def _rendered(self, asked: Asked) -> str:
        if isinstance(asked, str):
            return asked
        begun = asked[-1]["role"] == "assistant"
        try:
            how = {"continue_final_message": begun, "add_generation_prompt": not begun}
            return str(self.tokenizer.apply_chat_template(asked, tokenize=False, **how))
        except Exception as e:  # a template is a program, so it may raise anything
            reason = " ".join(str(e).split())
            raise DataError(
                f"the tokenizer's chat template refuses turns of {', '.join(t['role'] for t in asked)} "
                f"({reason[:200]})",
                got=_beginning(asked),
                fix="drop or change such rows, or fix chat_template in the model's folder",
            ) from e

    def _with_front(self, texts: list[str]) -> list[Ids]:
        ids = self.tokenizer(texts, add_special_tokens=not self.prompt.chat)["input_ids"]
        # Some tokenizers end every text, but a prompt must remain open.
        return [i[:-1] if i[-1:] == [self.tokenizer.eos_token_id] else i for i in ids]

    def _turn_end(self, end: int) -> int:
        """Return the token with which the chat template ends an answer; else ``end``, the end of text."""
        asked: list[Turn] = [{"role": "user", "content": "a text"}]
        question = self._rendered(asked)
        said: Turn = {"role": "assistant", "content": "an answer"}
        try:
            whole = str(self.tokenizer.apply_chat_template([*asked, said], tokenize=False))
        except Exception:  # it accepts only questions, so the end of an answer is unknown
            return end
        _, _, after = whole.removeprefix(question).rpartition(said["content"])
        ids = self.tokenizer([after], add_special_tokens=False)["input_ids"][0] if after else []
        return ids[0] if ids and ids[0] in self._control else end

    # -- cutting long prompts ----------------------------------------------------------------------------

    def _excess(self, prompts: dict[int, Marked]) -> dict[int, int]:
        """Return by how many tokens prompts are too long, for those that are."""
        lengths = zip(prompts, map(len, self.prompt_ids(list(prompts.values()))), strict=True)
        return {i: n - self.prompt.max_tokens for i, n in lengths if n > self.prompt.max_tokens}

    def _shorter(self, columns: list[Asked], tokens: list[int]) -> list[Asked | None]:
        """Return each column with about ``tokens`` tokens removed; None if nothing is left to cut."""
        left: list[Asked | None] = []
        for column, n in zip(columns, tokens, strict=True):
            if isinstance(column, str):
                left.append(self._without_last(column, n) if column else None)
            else:
                left.append(self._fewer_turns(column, n))
        return left

    def _fewer_turns(self, turns: list[Turn], tokens: int) -> list[Turn] | None:
        leading = sum(turn["role"] in LEADING for turn in turns)
        asking = [i for i, turn in enumerate(turns) if turn["role"] == "user"]
        if len(asking) > 1 or (asking and asking[0] > leading):
            # The rest starts with a question, as templates require.
            first = next(i for i in asking if i > leading)
            return turns[:leading] + turns[first:]
        at = asking[0] if asking else leading
        if at >= len(turns) or not turns[at]["content"]:
            return None
        shorter = {**turns[at], "content": self._without_last(turns[at]["content"], tokens)}
        return [*turns[:at], shorter, *turns[at + 1 :]]

    def _without_last(self, text: str, tokens: int) -> str:
        encoded = self.tokenizer([text], add_special_tokens=False, return_offsets_mapping=True)
        ends = [0, *(end for _, end in encoded["offset_mapping"][0])]
        # The last tokens may be parts of one character, so at least one character is removed.
        return text[: min(ends[max(len(ends) - 1 - tokens, 0)], len(text) - 1)]


def _beginning(turns: Sequence[Turn]) -> str:
    text = str(turns[-1].get("content"))
    return text if len(text) <= 60 else f"{text[:57]}..."
