"""A user's verifier behind a URL: samples are posted as JSON, verdicts are returned."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from pydantic_core import to_json
from typing_extensions import override

from ..remote.client import Failure, Plain, ask
from ..remote.objects import Unreadable
from ..remote.service import Service
from ..samples import Samples, check_columns, rows_of
from ..schema import Schema
from ..verdicts import Verdicts
from ._answers import OneVerdict, read_answer, verdicts_of
from .base import PLACE, Verifier


class HTTP(Verifier, Service, frozen=True):
    """Posts samples in batches, and reads one verdict for each.

    The request is ``{"samples": [{"text": "...", "label": 3}, ...]}``: one object per sample, by column;
    arrays become nested lists of numbers, and nested values stay lists and objects. The reply is
    ``{"verdicts": [{"score": 0.7}, {"decision": "reject", "reason": "..."}, ...]}``: equally many, in the
    same order. A verdict has a ``score`` (finite, higher is better), a ``decision`` (``accept``, ``reject``
    or ``abstain``), or both, and optionally a ``reason``. Without a decision it is left to the acceptance
    rule.

    A single unreadable verdict is an abstention. A reply with the wrong number of verdicts is retried, and
    when the retries are used up, the whole batch is abstentions. A verdict must depend on its sample only,
    not on the batch.

    Attributes:
        batch: Number of samples per request.
        columns: Names of the columns to post; None for all data columns.

    The other fields are those of `veriloop.remote.service.Service`.
    """

    batch: Annotated[int, Field(ge=1)] = 32
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def check_ahead(self, schema: Schema) -> None:
        check_columns(self.columns or (), schema)
        self.key()

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Post every sample, and wait for all verdicts.

        Raises:
            DataError: The samples lack one of ``columns``.
            ConfigError: The server cannot be reached or refuses permanently, or the key is missing.
        """
        posted = samples.only(self.columns or [name for name in samples if name not in PLACE])
        batches = {
            start: posted.select(slice(start, start + self.batch))
            for start in range(0, len(posted), self.batch)
        }
        bodies = {start: _body(batch) for start, batch in batches.items()}
        talk = Plain(self.url, bodies, lambda start, content: _answers(content, len(batches[start])))
        replies = ask(self, bodies, talk)
        answers: list[OneVerdict] = []
        for start, batch in batches.items():
            reply = replies[start]
            answers += (
                [OneVerdict.abstention(reply.reason)] * len(batch) if isinstance(reply, Failure) else reply
            )
        return verdicts_of(answers)


def _body(samples: Samples) -> bytes:
    # JSON has no NaN or infinity, so they become null.
    return to_json({"samples": rows_of(samples, list(samples))}, inf_nan_mode="null")


def _answers(content: Any, expected: int) -> list[OneVerdict]:
    verdicts = content.get("verdicts") if isinstance(content, Mapping) else None
    if not isinstance(verdicts, list) or len(verdicts) != expected:
        raise Unreadable(f'expected an object with "verdicts", a list of {expected}')
    return [_answer(verdict) for verdict in verdicts]


def _answer(verdict: object) -> OneVerdict:
    try:
        return read_answer(verdict)
    except Unreadable as e:
        return OneVerdict.abstention(f"the verdict cannot be read: {e}")
