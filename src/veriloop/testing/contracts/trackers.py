"""The contract suite of trackers."""

from collections.abc import Callable
from itertools import product

from ...records import Counts, Estimate, RoundRecord
from ...trackers.base import RunInfo, Tracker, numbers_of
from ._common import suite


@suite
def check_tracker(tracker: Tracker, steps: Callable[[str], list[tuple[str, int, float]]]) -> None:
    """Check that ``tracker`` holds each round once, however often it is opened.

    An opened run may hold none of the rounds that it was given before, if it then holds each once when it has
    been given all.

    Args:
        tracker: Tracker with an empty store.
        steps: Function that reads its store directly: name, step and value of each row of the run with the
            given `RunInfo.key`.

    Raises:
        AssertionError: It violates the contract.
    """
    run = RunInfo("0f1e2d3c", "a run", {"seed": 3, "learner.kind": "tiny", "metrics.0.columns": None})
    held: set[tuple[str, int]] = set()
    for opening in range(2):
        own = tracker.open(run)
        logged = own.logged()
        assert logged in (held, set()), "an opened run does not know which rounds it holds"
        for round_, arm in product(range(opening + 1), ("verified", "unverified")):
            if (arm, round_) in logged:
                continue
            record = RoundRecord(
                arm=arm,
                round=round_,
                trained_on=9,
                counts=Counts(generated=8, accepted=4, rejected=4, kept=4),
                metrics={"pass@1": Estimate(0.25, 0.1), "loss": Estimate(float("nan"), float("nan"))},
                seconds={"fit": 1.5},
            )
            own.log(round_, numbers_of(record))
            held.add((arm, round_))
        own.close("finished")
        assert own.logged() == held, "a closed run does not hold what it was given"
    found = steps(run.key)
    assert len(found) == len({row[:2] for row in found}), "a number of a round is there twice"
    passed = sorted((step, value) for name, step, value in found if name.startswith("pass"))
    assert passed == [(0, 0.25), (0, 0.25), (1, 0.25), (1, 0.25)], (
        "numbers are not at the steps of their rounds"
    )
    assert not any(name.startswith("loss") for name, _, _ in found), "a number that is none is shown"
