"""Check: what says of each sample whether it is right, in other processes with limits."""

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
    """Which column of the rows is what; found in the data's schema where it is not set.

    Attributes:
        prompt: What was asked.
        completion: What was written.
        reference: What it is compared to.
        own: The column of the data of which the reference is a copy: there the written text stands.
    """

    prompt: str | None = None
    completion: str | None = None
    reference: str | None = None
    own: str | None = None

    def of(self, schema: Schema) -> Self:
        """These roles, with what is not set taken from ``schema`` where one column has the role.

        Raises:
            ConfigError: A column that is set is not there.
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
        """The columns that are known, by role."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class Check(Checked, frozen=True):
    """Says of samples whether they are right, or how good; verifiers and metrics are made of it.

    This much is common to all: how long a call may take, and what it may use.

    Attributes:
        timeout: Seconds for a call: of a row, or of a batch where the function takes lists. A batch that
            takes longer is asked about again in pieces: a row is given up only when it takes so long alone.
        workers: How many processes at most.
        memory: Of a worker, and of each process that it starts, such as ``2GB``; without a limit when None. A
            row that needs more is an abstention. Counted is what a process could write to, the libraries that
            it loads included: 1 GB is little for a function that imports PyTorch.
        processes: How many processes the function may have running beside its own; any number when None. They
            are counted ten times a second, on Linux; a row with more is an abstention.
        roles: Which column is what; a row has what was written under ``completion`` too.
    """

    timeout: Annotated[float, Field(gt=0)] = 10.0
    workers: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = None
    processes: Annotated[int, Field(ge=0)] | None = None
    roles: Roles = Roles()

    @abstractmethod
    def said(self, samples: Samples) -> "Said":
        """What is said of each of ``samples``."""

    @abstractmethod
    def check_call(self, columns: Collection[str]) -> list[str]:
        """Find out before any sample is there whether samples with ``columns`` can be judged.

        Returns:
            What is worth knowing of how they will be, in lines.

        Raises:
            ConfigError: They cannot.
        """

    @abstractmethod
    def source(self) -> dict[str, Path]:
        """The files on which its results depend, by a name for people."""

    def seeing(self, schema: Schema) -> Self:
        """The same for data of ``schema``, with the roles found."""
        return self.model_copy(update={"roles": self.roles.of(schema)})


class Said(NamedTuple):
    """What was said of samples.

    Attributes:
        answers: Score, decision and reason of each.
        logged: Numbers that functions logged, by name; of several functions also each one's scores.
        parts: Of several functions, each one's scores by its name, NaN where it gave none.
    """

    answers: list[Answer]
    logged: Mapping[str, list[float]] = MappingProxyType({})
    parts: Mapping[str, list[float]] = MappingProxyType({})


def verdicts_of(said: Said) -> Verdicts:
    """What was said, as verdicts: a function that does not apply to a sample abstains on it."""
    score, decision, reason = zip(*said.answers, strict=True) if said.answers else ((), (), ())
    plain = [ABSTAIN if d == NOT_FOR_THIS else d for d in decision]
    return Verdicts(score, plain, reason, said.logged)


def own_columns(columns: Sequence[str]) -> list[str]:
    """Those of ``columns`` that are part of the sample: the loop's have an underscore in front."""
    return [name for name in columns if not name.startswith("_")]
