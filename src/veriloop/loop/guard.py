"""The guard: check that a round's verifier distinguishes candidates; otherwise it selects nothing."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import one_line
from ..events import SAID, in_words
from ..generator import Notes
from ..records import Counts
from ..samples import Column, Samples
from ..verdicts import Decision, Verdicts, all_logged

REASON_LENGTH = 200
"""Longest reason that is kept, in characters."""

EXAMPLES = 3
"""Number of candidates shown with a finding."""

EXAMPLE_LENGTH = 120
"""Longest text shown in an example, in characters."""

FEW = 8
"""Least number of candidates or kept samples for a finding that all are alike; fewer may agree by chance."""

EARLY = 64
"""Number of candidates after which a warning is given that none was accepted, while the round continues."""

NARROW = 64
"""Rows up to this many bytes are compared directly, longer ones by digest."""

BLOCK = 10_000
"""Number of numeric rows compared at a time, to keep copies small."""


class Finding(NamedTuple):
    """Something the guard noticed.

    Attributes:
        why: Explanation in one line.
        seen: Number of candidates seen.
        examples: Some candidates by column, each with the verifier's remark.
    """

    why: str
    seen: int
    examples: list[dict[str, str]]


class Guard:
    """Watches a round's candidates arrive, chunk by chunk, in order.

    Args:
        judged: Whether the arm has a verifier.
        patience: Number of consecutive abstentions after which the round is hopeless; None for no limit.
            After the first verdict the limit is multiplied by the number of candidates it took, because a
            verifier that abstains often is not hopeless.
    """

    def __init__(self, judged: bool, patience: int | None) -> None:
        self._judged, self._patience = judged, patience
        self._seen = self._said = self._streak = self._scores = 0
        self._low, self._high = math.inf, -math.inf
        self._cut, self._unwritten = 0, Counter[str]()
        self.first: tuple[Samples, Verdicts] | None = None
        """The first chunk, for examples."""
        self.abstentions: Counter[str] = Counter()
        """Number of abstentions by reason."""

    def see(self, samples: Samples, verdicts: Verdicts, notes: Notes | None) -> None:
        """Record the next chunk."""
        n = len(samples)
        self.first = self.first or (samples, verdicts)
        if notes is not None:
            self._cut += int(np.count_nonzero(notes.cut))
            self._unwritten.update(reason for reason in notes.reason if reason)
        abstains = verdicts.is_(Decision.ABSTAIN)
        if abstains.any():
            reasons = reasons_of(verdicts, abstains)
            self.abstentions.update(reason or "no reason given" for reason in reasons)
            judged = np.flatnonzero(~abstains)
            self._streak = n - 1 - int(judged[-1]) if len(judged) else self._streak + n
            self._said += len(judged)
        else:
            self._streak, self._said = 0, self._said + n
        self._seen += n
        if self._judged and self._low >= self._high:
            scores = verdicts.score[verdicts.is_(Decision.OPEN)]
            self._scores += len(scores)
            self._low = min(self._low, float(scores.min(initial=math.inf)))
            self._high = max(self._high, float(scores.max(initial=-math.inf)))

    @property
    def left(self) -> int | None:
        """Number of further consecutive abstentions allowed; None for no limit."""
        if self._patience is None:
            return None
        each = math.ceil(self._seen / self._said) if self._said else 1
        return max(self._patience * each - self._streak, 0)

    @property
    def silent_so_far(self) -> bool:
        """Whether the verifier has only abstained so far."""
        return self._said == 0

    def hopeless(self) -> Finding:
        """Return the finding for when no more abstentions are allowed."""
        how = "all" if self.silent_so_far else "all of the last"
        why = f"the verifier abstains on {how} {self._streak:,} candidates: {self._commonest()}"
        return self._finding(why)

    def accepts_none(self, counts: Counts) -> Finding | None:
        """Return a finding if none of the candidates so far is accepted and there are enough of them."""
        if counts.accepted or counts.generated < EARLY or self.silent_so_far:
            return None
        return self._finding(f"{self._none_of(counts)} so far")

    def findings(self, counts: Counts, kept: Samples, given: Sequence[str]) -> list[Finding]:
        """Return the findings on a whole round.

        Args:
            counts: Counts of all its candidates.
            kept: Samples that it keeps.
            given: Columns that are given, not generated.
        """
        found: list[Finding] = []
        n, copies = counts.generated, counts.kept - counts.distinct
        if self._judged and n:
            if self.silent_so_far:
                found.append(self.hopeless())
            elif not counts.accepted:
                found.append(self._finding(self._none_of(counts)))
            elif counts.accepted == n >= FEW:
                found.append(
                    self._finding(f"all {n:,} candidates were accepted: the verifier selects nothing")
                )
            if self._scores >= FEW and self._low == self._high:
                why = f"all {self._scores:,} scores are equal ({self._low:g}), so their order decided"
                if copies:
                    why += f"; {copies:,} of the {counts.kept:,} kept samples are copies of others"
                found.append(self._finding(why))
        if alike := _alike(counts, kept, given):
            found.append(Finding(alike, n, [shown(kept, row) for row in range(min(EXAMPLES, len(kept)))]))
        if self._cut and 2 * self._cut >= n:
            found.append(self._finding(f"{self._cut:,} of {n:,} texts were cut at the length limit"))
        if unwritten := self._unwritten.total():
            why = f"{unwritten:,} of {n:,} texts were not written: {self._unwritten.most_common(1)[0][0]}"
            found.append(self._finding(why))
        return found

    def counted(self, counts: Counts, kept: Samples) -> Counts:
        """Return ``counts`` with the guard's numbers added."""
        return counts.model_copy(update={"distinct": distinct(kept), "truncated": self._cut})

    def _none_of(self, counts: Counts) -> str:
        why = f"none of {counts.generated:,} candidates was accepted"
        if counts.abstained:
            why += f", and the verifier abstains on {counts.abstained:,}"
        assert self.first is not None
        _, verdicts = self.first
        said = Counter(filter(None, reasons_of(verdicts, verdicts.is_(Decision.REJECT))))
        return f"{why} (most often: {said.most_common(1)[0][0]})" if said else why

    def _commonest(self) -> str:
        return self.abstentions.most_common(1)[0][0]

    def _finding(self, why: str) -> Finding:
        """Build a finding with the first candidates as examples, rejected and distinct ones if possible."""
        assert self.first is not None
        samples, verdicts = self.first
        rejected = np.flatnonzero(verdicts.is_(Decision.REJECT))
        rows = rejected if len(rejected) else np.arange(len(verdicts))
        examples: list[dict[str, str]] = []
        for row in rows[:EARLY].tolist():
            example = shown(samples, row)
            mask = np.arange(len(verdicts)) == row
            if verdicts.reason and (reason := reasons_of(verdicts, mask)[0]):
                example[SAID] = reason
            if example not in examples:
                examples.append(example)
            if len(examples) == EXAMPLES:
                break
        return Finding(why, self._seen, examples)


def in_pieces(verify: Callable[[Samples], Verdicts], samples: Samples, most: int) -> Verdicts:
    """Return verdicts on ``samples``; if the first ``most`` are all abstentions, on these only."""
    if len(samples) <= most:
        return verify(samples)
    first = verify(samples.select(slice(most)))
    if first.count(Decision.ABSTAIN) == most:
        return first
    rest = verify(samples.select(slice(most, None)))
    reason = None
    if first.reason or rest.reason:
        reason = [*(first.reason or [""] * len(first)), *(rest.reason or [""] * len(rest))]
    score, decision = (
        np.concatenate([getattr(v, name) for v in (first, rest)]) for name in ("score", "decision")
    )
    return Verdicts(score, decision, reason, all_logged((first, rest)))


def reasons_of(verdicts: Verdicts, of: NDArray[np.bool_]) -> list[str]:
    """Return the verifier's remarks on the samples ``of``, each on one line that any file can hold."""
    said = verdicts.reason or [""] * len(verdicts)
    return [_one_line(said[i], REASON_LENGTH) for i in np.flatnonzero(of)]


def shown(samples: Samples, row: int) -> dict[str, str]:
    """Describe a sample in a few words, by column."""
    return {name: _value(column, row) for name, column in samples.items()}


def examples_of(findings: Sequence[Finding]) -> str:
    """Return the examples of the first finding in one line, if there are any."""
    shown = [in_words(example) for finding in findings[:1] for example in finding.examples]
    return f". For example: {'; '.join(shown)}" if shown else ""


def distinct(samples: Samples) -> int:
    """Return the number of rows with different content."""
    if not len(samples):
        return 0
    numbers = [np.asarray(c).reshape(len(samples), -1) for c in samples.values() if isinstance(c, np.ndarray)]
    texts = [c for c in samples.values() if not isinstance(c, np.ndarray)]
    seen: set[object] = set()
    for start in range(0, len(samples), BLOCK):
        block = slice(start, start + BLOCK)
        columns: list[Sequence[object]] = [c[block] for c in texts]
        if numbers:
            columns.append(_rows([c[block] for c in numbers]))
        seen.update(columns[0] if len(columns) == 1 else zip(*columns, strict=True))
    return len(seen)


def _rows(columns: Sequence[NDArray[Any]]) -> list[bytes]:
    """Return the bytes of each row over all columns, or their digests if there are many."""
    pieces = [np.ascontiguousarray(column) for column in columns if column.shape[1]]
    if not pieces:
        return [b""] * len(columns[0])
    whole = [column.view(np.uint8) for column in pieces]
    joined = np.concatenate(whole, axis=1) if len(whole) > 1 else whole[0]
    width = joined.shape[1]
    # As structured values, so that NumPy converts all rows to bytes in one call.
    rows = np.ascontiguousarray(joined).view(f"V{width}").ravel().tolist()
    return rows if width <= NARROW else [hashlib.blake2b(row, digest_size=16).digest() for row in rows]


def _alike(counts: Counts, kept: Samples, given: Sequence[str]) -> str:
    """Describe how kept samples repeat each other; empty if they do not."""
    n, made = len(kept), [kept[name] for name in kept if name not in given]
    if n < FEW:
        return ""
    if made and all(isinstance(column, list) and not any(map(str.strip, column)) for column in made):
        return f"all {n:,} kept texts are empty"
    if made and all(map(_constant, made)):
        return f"all {n:,} kept samples are equal apart from their conditions"
    if 2 * counts.distinct < n and any(isinstance(column, list) for column in made):
        return f"only {counts.distinct:,} of the {n:,} kept samples differ"
    return ""


def _constant(column: Column) -> bool:
    if isinstance(column, list):
        return all(value == column[0] for value in column)
    # Most are not, and the last row shows it at once.
    return bool((column[0] == column[-1]).all() and (column == column[0]).all())


def _value(column: Column, row: int) -> str:
    value = column[row]
    if isinstance(value, str):
        return _one_line(value, EXAMPLE_LENGTH)
    numbers = np.asarray(value)
    if numbers.ndim == 0:
        return f"{numbers.item():.6g}"
    if numbers.size <= FEW:
        return "[" + ", ".join(f"{x:.3g}" for x in numbers.ravel().tolist()) + "]"
    return f"{' x '.join(map(str, numbers.shape))} numbers"


def _one_line(text: str, length: int) -> str:
    line = one_line(text)
    return line if len(line) <= length else f"{line[: length - 3]}..."
