"""Chains with the numbers that a test gives them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from veriloop.cards import ArmCard, RunCard
from veriloop.comparison.chains import Chain
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.store.folder import RunFolder

NOWHERE = RunFolder(Path("nowhere"))


def chains(
    values: Mapping[tuple[str, int], Sequence[float]],
    *,
    arm: str = "verified",
    se: float = math.nan,
) -> list[Chain]:
    """A chain for each variation and seed, with its values of ``error`` by round."""
    card = RunCard(arms={arm: ArmCard(last_round=9)}, quantities={"error": Quantity("Error", better="lower")})
    return [
        Chain(
            variation,
            arm,
            seed,
            tuple(
                RoundRecord(
                    arm=arm,
                    round=k,
                    counts=Counts(),
                    trained_on=1,
                    metrics={"error": Estimate(value, se)},
                    seconds={},
                )
                for k, value in enumerate(of)
            ),
            NOWHERE,
            card,
            None,
        )
        for (variation, seed), of in values.items()
    ]
