"""ROUGE pairs per second, against a scorer of the package rouge-score built for each pair.

    python benchmarks/rouge.py

The pairs are real where ``VERILOOP_DATA/xsum`` is there (the first 25 words of an article against its
summary), else made of a Zipf vocabulary. Words are stemmed. "at first" is our verifier before it has met any
word, "from then on" once it remembers their stems, as in every round but the first. Seconds are of the
processor, so that other work on the machine does not count. All scores must be equal.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

from veriloop import rouge
from veriloop.datasets.xsum import XSum
from veriloop.samples import Samples
from veriloop.verifiers.reference import ReferenceOverlap

PAIRS = 2_000
WANTED = 8.0

Scores = list[float]


def main() -> None:
    pairs = real_pairs() or made_up_pairs()
    written, reference = pairs.texts("summary"), pairs.texts("reference")
    rouge.tokens("imports the stemmer outside the clock")
    ratios = []
    for measure in get_args(rouge.Measure):

        def ours(measure: rouge.Measure = measure) -> Scores:
            return ReferenceOverlap(measure=measure).verify(pairs, np.random.default_rng(0)).score.tolist()

        def a_scorer_per_pair(measure: str = measure) -> Scores:
            return [
                RougeScorer([measure], use_stemmer=True).score(r, w)[measure].fmeasure
                for w, r in zip(written, reference, strict=True)
            ]

        speed = {}
        if not ratios:
            speed["at first"], _ = timed(ours)
        speed["from then on"], scores = timed(ours)
        speed["a scorer per pair"], expected = timed(a_scorer_per_pair)
        assert scores == expected, "the scores differ"
        ratios.append(speed["from then on"] / speed["a scorer per pair"])
        print(
            f"{measure}: {', '.join(f'{k} {v:,.0f}' for k, v in speed.items())} pairs/s; {ratios[-1]:.1f} x"
        )
    print(f"{PAIRS:,} pairs, all scores equal; at least {min(ratios):.1f} x, wanted {WANTED:.0f} x")
    sys.exit(min(ratios) < WANTED)


def timed(score: Callable[[], Scores]) -> tuple[float, Scores]:
    began = time.process_time()
    scores = score()
    return len(scores) / (time.process_time() - began), scores


def real_pairs() -> Samples | None:
    if not (Path(os.environ.get("VERILOOP_DATA", "")) / "xsum").is_dir():
        return None
    pairs = XSum(train=PAIRS).load(0).train
    return pairs.with_columns(summary=[" ".join(text.split()[:25]) for text in pairs.texts("document")])


def made_up_pairs() -> Samples:
    rng = np.random.default_rng(0)
    vocabulary = np.array(["".join(rng.choice(list("etaoinshrdlu"), k)) for k in rng.integers(2, 10, 5_000)])
    texts = [" ".join(vocabulary[np.minimum(rng.zipf(1.3, 25), 5_000) - 1]) for _ in range(2 * PAIRS)]
    return Samples(summary=texts[:PAIRS], reference=texts[PAIRS:])


if __name__ == "__main__":
    main()
