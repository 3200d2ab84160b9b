"""Several texts of one prompt: at most a few of them are kept, and no copies."""

import unicodedata
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..samples import Samples
from ..verdicts import Decision, Verdicts


def normal(text: str) -> str:
    """``text`` as copies are told by: without a difference of case, of white space, or of Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class PerPrompt:
    """Which of each prompt's texts may be kept, and how often each prompt was solved, over one round.

    The texts of a prompt come one after the other, and all in one chunk. So what is kept of them does not
    depend on other chunks.

    Args:
        n: How many texts each prompt has.
        most: How many of them are kept, at most.
        distinct: Whether a copy of a better text of the same prompt is left out.
        given: The columns that are not made.
        judged: Whether somebody judges the texts; else no prompt is solved.

    Attributes:
        copies: How many texts were left out as copies so far.
    """

    def __init__(
        self, n: int, most: int, distinct: bool, given: Collection[str], judged: bool = True
    ) -> None:
        self.n, self.most, self._tallies = n, most, judged
        self.copies = 0
        self._distinct, self._given = distinct, frozenset(given)
        self._judged: list[NDArray[np.int64]] = []
        self._accepted: list[NDArray[np.int64]] = []

    def choose(self, eligible: NDArray[np.bool_], rank: NDArray[Any], samples: Samples) -> NDArray[np.bool_]:
        """Those of the next chunk's ``eligible`` texts that may be kept, shape (n,).

        Args:
            eligible: What the rule would keep, shape (n,).
            rank: The best are kept, by this, higher first; the earlier of equals, shape (n,).
            samples: The candidates; looked at where copies are left out.
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
        """Of each prompt so far, how many texts were judged and how many accepted; (prompts,) each.

        Empty under a rule that ranks, and so accepts no text by itself, and where nobody judges.
        """
        none = [np.empty(0, np.int64)]
        return np.concatenate(none + self._judged), np.concatenate(none + self._accepted)

    def needed(self, places: int, estimate: int) -> int:
        """How many candidates to make for ``places``: whole prompts, of at least ``estimate`` texts."""
        if places <= 0 and estimate <= 0:
            return 0
        return max(-(-places // self.most), -(-estimate // self.n)) * self.n

    def _contents(self, samples: Samples, rows: NDArray[np.int64]) -> list[object]:
        # The loop's own columns have a leading underscore, and are no part of a text.
        made = [samples[name] for name in samples if name not in self._given and not name.startswith("_")]
        return [
            tuple(
                normal(column[row]) if isinstance(column, list) else np.asarray(column[row]).tobytes()
                for column in made
            )
            for row in rows.tolist()
        ]
