"""Several texts per prompt: the settings, the prompts drawn, and how often each was solved."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..errors import ConfigError
from ..parts import Checked
from ..records import PromptCounts
from ..rules.acceptance import Acceptance, PerPrompt, Pointwise, Ranked
from ..samples import Samples
from ..schema import Schema

Positive = Annotated[int, Field(gt=0)]


class DropPrompts(Checked, frozen=True):
    """Skip prompts that teach little, because the round before found them too easy or too hard.

    A skipped prompt comes back in the round after, since the model has changed by then.

    Attributes:
        solved: Skip a prompt if at least this share of its texts was accepted. None to skip none.
        unsolved: Skip a prompt if at most this share was accepted. None to skip none.
    """

    solved: Annotated[float, Field(gt=0, le=1)] | None = None
    unsolved: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _drops_some(self) -> Self:
        if self.solved is None and self.unsolved is None:
            raise ConfigError(
                "drop_prompts drops none", expected="solved, unsolved or both: {solved: 1.0, unsolved: 0.0}"
            )
        if self.solved is not None and self.unsolved is not None and self.unsolved >= self.solved:
            raise ConfigError(
                "drop_prompts would drop every prompt",
                got=f"solved {self.solved:g}, unsolved {self.unsolved:g}",
                expected="unsolved below solved",
            )
        return self


class TextsOfPrompts(Checked, frozen=True):
    """The settings of an arm for the number of texts per prompt, and which of them may be kept.

    Attributes:
        samples_per_prompt: Number of texts written for each prompt drawn. A round draws each prompt at most
            once. None: one text per prompt, starting over when the prompts run out.
        keep_per_prompt: Largest number of texts kept per prompt: the best by score, the earlier one if equal.
            All accepted texts when None.
        distinct: Whether to leave out a text that equals a better one for the same prompt, ignoring case and
            white space.
        drop_prompts: Which prompts to skip. None to skip none.
    """

    samples_per_prompt: Positive | None = None
    keep_per_prompt: Positive | None = None
    distinct: bool = False
    drop_prompts: DropPrompts | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        n, most = self.samples_per_prompt, self.keep_per_prompt
        asked = {"keep_per_prompt": most, "distinct": self.distinct, "drop_prompts": self.drop_prompts}
        if n is None and (names := [name for name, value in asked.items() if value]):
            raise ConfigError(
                f"{names[0]} needs samples_per_prompt", fix="set the number of texts to write per prompt"
            )
        if n is not None and most is not None and most > n:
            raise ConfigError(
                "keep_per_prompt", got=most, expected=f"at most {n}, which is samples_per_prompt"
            )
        return self

    def check_rule(self, rule: Acceptance, verified: bool, max_candidates: int | None) -> None:
        """Check these settings against the other settings of the arm.

        Raises:
            ConfigError: They are incompatible.
        """
        n, fraction = self.samples_per_prompt, getattr(rule, "fraction", None)
        if n is None:
            return
        if max_candidates is not None and max_candidates < n:
            raise ConfigError(
                "max_candidates",
                got=max_candidates,
                expected=f"at least {n}, the texts of one prompt (samples_per_prompt)",
            )
        if not isinstance(rule, Pointwise | Ranked):
            raise ConfigError(
                "samples_per_prompt needs an acceptance rule derived from Pointwise or Ranked",
                got=f"acceptance {rule.kind!r}",
            )
        most = self.keep_per_prompt or n
        if fraction is not None and fraction > most / n + 1e-9:
            raise ConfigError(
                "acceptance.fraction is more than keep_per_prompt leaves",
                got=f"{fraction:g}",
                expected=f"at most {most / n:.4g}: {most} of {n} texts per prompt",
            )
        if self.drop_prompts is not None and not verified:
            raise ConfigError(
                "drop_prompts needs a verifier: without one every prompt counts as solved", fix="remove it"
            )
        if self.drop_prompts is not None and fraction is not None:
            raise ConfigError(
                "drop_prompts needs an acceptance rule that decides which texts are right",
                got=f"acceptance {rule.kind!r}, which only ranks them",
                expected="a verifier that decides, or {kind: threshold, at: 0.5}",
            )

    def check_schema(self, schema: Schema, path: str) -> None:
        """Check that the data have prompts if several texts per prompt are requested.

        Raises:
            ConfigError: There are no prompts.
        """
        if self.samples_per_prompt is not None and not prompts_of(schema):
            raise ConfigError(
                f"{path}.samples_per_prompt",
                got=f"data without prompts: {schema.described()}",
                expected="a column of role prompt",
                fix="remove it; balance keeps an equal number of each class, such as balance: label",
            )


class Drawn(NamedTuple):
    """The prompts of a round, in the order in which they are drawn.

    Attributes:
        rows: Row numbers in the pool of conditions, shape (n,).
        solved: Number of prompts dropped because the round before solved them.
        unsolved: Number of prompts dropped because it did not.
    """

    rows: NDArray[np.int64]
    solved: int = 0
    unsolved: int = 0


def prompts_of(schema: Schema) -> list[str]:
    """Return the columns that form a prompt; rows equal in them are the same prompt."""
    return [name for role in ("prompt", "messages") for name in schema.named(role) if schema[name].given]


def draw(
    conditions: Samples,
    order: NDArray[np.int64],
    columns: Sequence[str],
    drop: DropPrompts | None,
    last: Samples | None,
) -> Drawn:
    """Draw the prompts of a round: each once, without those to drop.

    Args:
        conditions: Pool of conditions.
        order: The round's order of the pool, shape (n,).
        columns: Columns that identify a prompt.
        drop: Which prompts to drop.
        last: Result of `solved_in` for the round before; None in the first round.
    """
    keys = [conditions[name] for name in columns]
    first: dict[tuple[str, ...], int] = {}
    for row in order.tolist():
        first.setdefault(tuple(str(column[row]) for column in keys), row)
    rows = np.fromiter(first.values(), np.int64, len(first))
    if drop is None or last is None:
        return Drawn(rows)
    known = {
        tuple(str(column[row]) for column in keys): i for i, row in enumerate(last.array("row").tolist())
    }
    share = np.full(len(rows), np.nan)
    judged, accepted = last.array("judged"), last.array("accepted")
    for place, key in enumerate(first):
        if (i := known.get(key)) is not None and judged[i]:
            share[place] = accepted[i] / judged[i]
    easy = share >= drop.solved if drop.solved is not None else np.zeros(len(rows), bool)
    hard = share <= drop.unsolved if drop.unsolved is not None else np.zeros(len(rows), bool)
    return Drawn(rows[~(easy | hard)], int(easy.sum()), int(hard.sum()))


def solved_in(drawn: Drawn, per_prompt: PerPrompt) -> Samples | None:
    """Return how often a round solved each prompt that it drew; None with a rule that only ranks.

    Returns:
        Columns `row` (row in the pool of conditions), `judged` and `accepted` (numbers of texts).
    """
    judged, accepted = per_prompt.solved()
    return Samples(row=drawn.rows[: len(judged)], judged=judged, accepted=accepted) if len(judged) else None


def counts_of(drawn: Drawn, per_prompt: PerPrompt, generated: int) -> PromptCounts:
    """Return the prompt counts for a round's record."""
    judged, accepted = per_prompt.solved()
    return PromptCounts(
        drawn=-(-generated // per_prompt.n),
        solved=int(np.count_nonzero(accepted)) if len(judged) else None,
        always_solved=int(np.count_nonzero((accepted == judged) & (judged > 0))) if len(judged) else None,
        copies=per_prompt.copies,
        dropped_solved=drawn.solved,
        dropped_unsolved=drawn.unsolved,
    )
