"""Check: decides for each sample whether it is correct, in other processes with limits."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self

from pydantic import ByteSize, Field

from ..errors import ConfigError
from ..parts import Checked
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from ._row_worker.calls import COMPLETION, OWN, PROMPT, REFERENCE
from ._row_worker.said import ABSTAIN, NOT_FOR_THIS, Answer


class Roles(Checked, frozen=True):
    """The role of each column of the rows; inferred from the data's schema unless set.

    Attributes:
        prompt: Column with the prompt.
        completion: Column with the written text.
        reference: Column with the reference.
        own: Data column that the reference is a copy of; the written text replaces its content.
    """

    prompt: str | None = None
    completion: str | None = None
    reference: str | None = None
    own: str | None = None

    def of(self, schema: Schema) -> Self:
        """Return these roles, with unset ones taken from ``schema`` if exactly one column has the role.

        Raises:
            ConfigError: A column that is set does not exist.
        """
        for setting, name in self.named().items():
            if name not in schema and setting != OWN:
                raise ConfigError(f"roles: {setting}", got=name, expected=schema.described())
        found: dict[str, str | None] = {}
        for role in (PROMPT, COMPLETION, REFERENCE):
            named = schema.named(role) or (schema.named("messages") if role == PROMPT else [])
            found[role] = getattr(self, role) or (named[0] if len(named) == 1 else None)
        reference = found[REFERENCE]
        copied = schema[reference].copy_of if reference and reference in schema.named(REFERENCE) else None
        found[OWN] = self.own or (copied if copied == found[COMPLETION] else None)
        return self.model_copy(update=found)

    def named(self) -> dict[str, str]:
        """Return the known columns, by role."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class Check(Checked, frozen=True):
    """Decides whether samples are correct, or how good they are; the base of verifiers and metrics.

    These fields are common to all checks: the time limit of a call, and its resources.

    Attributes:
        timeout: Seconds per call: for a row, or for a batch if the function takes lists. A batch that takes
            longer is retried in pieces; a row is given up only if it takes this long alone.
        workers: Largest number of processes.
        memory: Memory limit of a worker, and of each process that it starts, such as ``2GB``; no limit when
            None. A row that needs more is an abstention. The limit covers all writable memory, including
            loaded libraries: 1 GB is little for a function that imports PyTorch.
        processes: Number of further processes that the function may have running; no limit when None. They
            are counted ten times a second, on Linux; a row with more is an abstention.
        roles: Role of each column; a row also has the written text under ``completion``.
    """

    timeout: Annotated[float, Field(gt=0)] = 10.0
    workers: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = None
    processes: Annotated[int, Field(ge=0)] | None = None
    roles: Roles = Roles()

    @abstractmethod
    def said(self, samples: Samples) -> "Said":
        """Return the answer for each of ``samples``."""

    @abstractmethod
    def check_call(self, columns: Collection[str]) -> list[str]:
        """Check, before there are samples, that samples with ``columns`` can be judged.

        Returns:
            Remarks on how they will be judged, as lines.

        Raises:
            ConfigError: They cannot be judged.
        """

    @abstractmethod
    def source(self) -> dict[str, Path]:
        """Return the files that the results depend on, by a readable name."""

    def seeing(self, schema: Schema) -> Self:
        """Return this check for data of ``schema``, with the roles filled in."""
        return self.model_copy(update={"roles": self.roles.of(schema)})


class Said(NamedTuple):
    """The answers for samples.

    Attributes:
        answers: Score, decision and reason of each sample.
        logged: Numbers logged by functions, by name; for several functions also the scores of each.
        parts: For several functions, the scores of each by name, NaN if it gave none.
    """

    answers: list[Answer]
    logged: Mapping[str, list[float]] = MappingProxyType({})
    parts: Mapping[str, list[float]] = MappingProxyType({})


def verdicts_of(said: Said) -> Verdicts:
    """Return the answers as verdicts; a function that does not apply to a sample abstains."""
    score, decision, reason = zip(*said.answers, strict=True) if said.answers else ((), (), ())
    plain = [ABSTAIN if d == NOT_FOR_THIS else d for d in decision]
    return Verdicts(score, plain, reason, said.logged)


def own_columns(columns: Sequence[str]) -> list[str]:
    """Return those of ``columns`` that are part of the sample; the loop's own start with an underscore."""
    return [name for name in columns if not name.startswith("_")]
