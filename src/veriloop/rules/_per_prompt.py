"""Limits per prompt: at most a few texts of each prompt are kept, without copies."""

import unicodedata
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..samples import Samples
from ..verdicts import Decision, Verdicts


def normal(text: str) -> str:
    """Return ``text`` normalised for finding copies: case, white space and Unicode form are ignored."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class PerPrompt:
    """Chooses which texts of each prompt to keep in a round, and counts how often each prompt was solved.

    The texts of a prompt follow each other and are in one chunk, so the choice does not depend on other
    chunks.

    Args:
        n: Number of texts per prompt.
        most: Largest number of texts kept per prompt.
        distinct: Whether to leave out a copy of a better text of the same prompt.
        given: Columns that are given, not generated.
        judged: Whether the texts are judged; if not, no prompt counts as solved.

    Attributes:
        copies: Number of texts left out as copies so far.
    """

    def __init__(
        self, n: int, most: int, distinct: bool, given: Collection[str], judged: bool = True
    ) -> None:
        self.n: int = n
        self.most: int = most
        self._tallies = judged
        self.copies: int = 0
        self._distinct = distinct
        self._given = frozenset(given)
        self._judged: list[NDArray[np.int64]] = []
        self._accepted: list[NDArray[np.int64]] = []

    def choose(self, eligible: NDArray[np.bool_], rank: NDArray[Any], samples: Samples) -> NDArray[np.bool_]:
        """Return which ``eligible`` texts of the next chunk may be kept, shape (n,).

        Args:
            eligible: Texts that the rule would keep, shape (n,).
            rank: Ranks, shape (n,); higher is better, and the earlier of equal ranks wins.
            samples: Candidates; used only to find copies.
        """
        rows = np.flatnonzero(eligible)
        by_rank = np.where(np.isnan(rank), -np.inf, rank)[rows]
        rows = rows[np.lexsort((rows, -by_rank, rows // self.n))]
        contents = self._contents(samples, rows) if self._distinct else list[object](rows)
        chosen = np.zeros(len(eligible), bool)
        prompt, seen, kept = -1, set[object](), 0
        for row, content in zip(rows.tolist(), contents, strict=True):
            if row // self.n != prompt:
                prompt, seen, kept = row // self.n, set(), 0
            if content in seen:
                self.copies += 1
            elif kept < self.most:
                chosen[row] = True
                kept += 1
            seen.add(content)
        return chosen

    def tally(self, decided: Verdicts) -> None:
        """Count how often the prompts of the next chunk were solved."""
        if not self._tallies:
            return
        prompt = np.arange(len(decided)) // self.n
        prompts = -(-len(decided) // self.n)
        for counts, counted in (
            (self._judged, ~decided.is_(Decision.ABSTAIN)),
            (self._accepted, decided.is_(Decision.ACCEPT)),
        ):
            counts.append(np.bincount(prompt[counted], minlength=prompts))

    def solved(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of judged and of accepted texts for each prompt so far, shape (prompts,) each.

        Empty with a rule that ranks, because it accepts no text by itself, and if the texts are not judged.
        """
        none = [np.empty(0, np.int64)]
        return np.concatenate(none + self._judged), np.concatenate(none + self._accepted)

    def needed(self, places: int, estimate: int) -> int:
        """Return the number of candidates for ``places``: whole prompts with at least ``estimate`` texts."""
        if places <= 0 and estimate <= 0:
            return 0
        return max(-(-places // self.most), -(-estimate // self.n)) * self.n

    def _contents(self, samples: Samples, rows: NDArray[np.int64]) -> list[object]:
        # The loop's own columns have a leading underscore and are not part of a text.
        made = [samples[name] for name in samples if name not in self._given and not name.startswith("_")]
        return [
            tuple(
                normal(column[row]) if isinstance(column, list) else np.asarray(column[row]).tobytes()
                for column in made
            )
            for row in rows.tolist()
        ]
