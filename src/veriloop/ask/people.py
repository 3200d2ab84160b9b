"""Measure how well people judge, from the known samples in their store of verdicts."""

from collections import defaultdict

import numpy as np

from ..advise.agreement import agreement
from ..advise.calibrated import FOLDER, Calibrated
from ..advise.calibration import calibrate
from ..advise.people import annotators, ratings
from ..errors import DataError
from ..rng import Address, Stage
from ..store.folder import RunFolder
from ..verdicts import Verdicts
from ..verifiers.human.store import Store, Tally, check_there
from ..verifiers.human.verifier import Human, verdict_of

MOST_COMPARED = 8
"""Largest number of people, those with the most verdicts, who are compared with each other."""


def calibrate_people(verifier: Human, folder: RunFolder, arm: str, seed: int) -> Calibrated:
    """Compare people's verdicts on known samples with the truth, and write the result to the folder.

    All known samples of the store are used, from all rounds, and from other runs that share it.

    Args:
        verifier: Human verifier with the store.
        folder: Run folder.
        arm: Arm that uses the verifier.
        seed: Seed for resampling intervals of agreement.

    Raises:
        StorageError: The store is missing or cannot be used, or the result could not be written.
        DataError: Nobody has judged both a good and a bad known sample yet.
    """
    check_there(verifier.store, asked=True)
    said = Store(verifier.store).said()
    tallies: dict[str, dict[str, int]] = defaultdict(lambda: {"accept": 0, "reject": 0, "abstain": 0})
    truth = {s.key: s.truth for s in said if s.truth is not None}
    for s in said:
        tallies[s.key][s.answer] += 1
    if set(truth.values()) != {"accept", "reject"}:
        raise DataError(
            "known samples judged by people",
            got=f"{len(truth)} judged known samples, {', '.join(sorted(set(truth.values()))) or 'none'}",
            expected="both good and bad ones",
            fix="let people judge more, or set the verifier's known higher",
        )
    together = [verdict_of(Tally(**tallies[key])) for key in truth]
    verdicts = Verdicts(
        [score for score, _, _ in together],
        [decision for _, decision, _ in together],
        [reason for _, _, reason in together],
    )
    people = annotators(said)
    weighed = ", each counted once" if verifier.weigh == "accuracy" else ""
    found = Calibrated(
        subject=f"{arm}: people, by majority{weighed}",
        good_are="known good samples shown unmarked: real ones",
        bad_are="known bad samples shown unmarked: real ones with another condition, or shuffled",
        calibration=calibrate(verdicts, np.array([right == "accept" for right in truth.values()]), None),
        annotators=dict(sorted(people.items())),
    )
    compared = sorted(list(people)[:MOST_COMPARED])
    labels = ratings({name: [s for s in said if s.annotator == name] for name in compared})
    if len(labels) > 1 and (np.isfinite(np.column_stack(list(labels.values()))).sum(axis=1) > 1).any():
        rng = Address(seed, "people", 0).at(Stage.VERIFY).rng()
        found = found.model_copy(update={"agreement": agreement(labels, rng)})
    folder.write_finding(
        folder.path / FOLDER / f"{arm}-people.json", found.model_dump_json(indent=1).encode()
    )
    return found
