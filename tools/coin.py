"""The line on the coin for a results file: the verified arm against the unverified one, over its seeds.

    python tools/coin.py results/mnist-cpu.json results/xsum-cpu.json

Each file gives a line over its seeds, and one for each seed. Results hold values and standard errors, and no
rows, so that the lines of single seeds are not paired.
"""

import json
import sys
from pathlib import Path

from veriloop.advise.paired import Reading, Track
from veriloop.advise.versus import versus
from veriloop.cards import RunCard
from veriloop.metrics.frechet import Frechet
from veriloop.metrics.rouge import Rouge
from veriloop.records import RoundRecord
from veriloop.report.summary import by_arm

CARDS = RunCard(quantities={**Frechet.quantities, **Rouge.quantities})


def lines(path: Path) -> list[str]:
    """Of all seeds together, then of each."""
    runs: dict[int, list[RoundRecord]] = {}
    for line in json.loads(path.read_text())["records"]:
        if line["setting"] in ("main", "demo"):
            known = {key: value for key, value in line.items() if key in RoundRecord.model_fields}
            runs.setdefault(line["seed"], []).append(RoundRecord.model_validate(known))
    name = CARDS.headline_of(list(next(iter(runs.values()))[-1].metrics))
    assert name is not None
    tracks = [
        [Track.of(by_arm(records)[arm], name, split="test") for arm in ("verified", "unverified")]
        for records in runs.values()
    ]
    last = min(max(set(ours.readings) & set(theirs.readings)) for ours, theirs in tracks)
    pairs: list[tuple[Reading, Reading]] = [(a.readings[last], b.readings[last]) for a, b in tracks]
    together = versus(pairs, name, CARDS.quantity(name), round_=last)
    apart = [versus([pair], name, CARDS.quantity(name), round_=last) for pair in pairs]
    return [together.line, *(f"seed {seed}: {v.line}" for seed, v in zip(runs, apart, strict=True))]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, *lines(Path(argument)), sep="\n  ")
