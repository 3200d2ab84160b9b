"""The demonstration: real handwritten digits, with and without a verifier, in a few minutes."""

from pathlib import Path

from ..config import load_plan
from ..loop.plan import Plan


def demo_plan(seed: int = 0, rounds: int = 6) -> Plan:
    """Return the plan of the demonstration, from the file ``demo.yaml`` in this folder.

    Args:
        seed: Seed of all random numbers.
        rounds: Number of rounds after the start model, at least 1.
    """
    return load_plan(Path(__file__).with_suffix(".yaml"), [f"seed={seed}", f"rounds={rounds}"])
