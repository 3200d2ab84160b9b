"""The whole algorithm in one plain file: generate, verify, keep, retrain.

    python examples/plain_loop.py

The engine behind `veriloop run` adds chunks, processes, resume and records, and gives the same bits:
tests/loop/test_plain_loop.py asserts it. Only the random streams come from veriloop.rng, because a stream
belongs to an address (round, stage, chunk) and not to the order in which code happens to run.
"""

import numpy as np

from veriloop.rng import ARMS, Address, Stage
from veriloop.samples import Samples, concat


def plain_loop(data, learner, verifier, *, seed=0, rounds=3, keep=400, fraction=0.1, chunk=1000):
    """Yield (round, model, kept samples): round 0 is the start model, trained on few real samples.

    With a verifier, each round keeps the best `fraction` of its candidates within each class; without
    one (None), it keeps the candidates as they come.
    """
    model = learner.fit(data.start, None, Address(seed).at(Stage.FIT).rng())
    yield 0, model, None

    classes, judge = data.conditions["label"], None
    for round_ in range(1, rounds + 1):
        here = Address(seed, ARMS, round_)
        judge = verifier and verifier.fit(judge, model, data.train, here.at(Stage.UPDATE).rng())

        # Generate: ask for the classes in turn, in this round's random order.
        order = here.at(Stage.CONDITION).rng().permutation(len(classes))
        total = round(keep / fraction) if judge else keep
        pieces = []
        for number, first in enumerate(range(0, total, chunk)):
            asked = classes[order[np.arange(first, min(first + chunk, total)) % len(classes)]]
            rng = here.at(Stage.GENERATE, number).rng()
            pieces.append(model.sample(len(asked), rng, Samples(label=asked)))
        candidates = concat(pieces)

        # Verify, and keep the best of each class; the sort is stable, so the earlier wins a tie.
        chosen = np.arange(keep)
        if judge:
            rngs = [here.at(Stage.VERIFY, number).rng() for number in range(len(pieces))]
            score = np.concatenate([judge.verify(p, r).score for p, r in zip(pieces, rngs, strict=True)])
            best = []
            for label in np.unique(classes):
                rows = np.flatnonzero(candidates["label"] == label)
                best.append(rows[np.argsort(-score[rows], kind="stable")][: keep // len(classes)])
            chosen = np.sort(np.concatenate(best))
        kept = candidates.select(chosen)

        # Retrain: a fresh model, on what was kept and nothing else.
        model = learner.fit(kept, None, here.at(Stage.FIT).rng())
        yield round_, model, kept


if __name__ == "__main__":
    from veriloop.metrics.base import Evaluation
    from veriloop.metrics.frechet import Frechet
    from veriloop.starters.demo import demo_plan

    plan = demo_plan()
    data = plan.dataset.load(plan.seed)
    for arm in ("verified", "unverified"):
        verifier = plan.arms[arm].verifier
        for round_, model, _ in plain_loop(data, plan.learner, verifier, keep=2000, fraction=0.05):
            labels = Samples(label=np.arange(2000) % 10)
            generated = model.sample(2000, np.random.default_rng(0), labels)
            distance = Frechet().measure(Evaluation(model, generated, data.test), np.random.default_rng(0))
            print(f"{arm:10} round {round_}: Fréchet distance {distance['frechet'].value:.1f}", flush=True)
