"""The demonstration: real handwritten digits, with and without a verifier, in under three minutes.

The protocol and why it was chosen: docs/design/demo.md.
"""

from ..config import plan_from
from ..loop.plan import Plan


def demo_plan(seed: int = 0, rounds: int = 6) -> Plan:
    """The demonstration's plan.

    Args:
        seed: Of all randomness.
        rounds: How many rounds after the start model, at least 1.
    """
    return plan_from(
        {
            "seed": seed,
            "rounds": rounds,
            "dataset": {"kind": "digits", "start": 25},
            "learner": {
                "kind": "cvae",
                "latent_dim": 3,
                "channels": [16, 32],
                "kernel": 2,
                "epochs": 80,
                "min_steps": 400,
                "batch_size": 64,
                "learning_rate": 5e-3,
                "schedule": "cosine",
                "patience": None,
            },
            "verifier": {"kind": "discriminator", "epochs": 20},
            "acceptance": {"kind": "top_fraction", "fraction": 0.05},
            "balance": "label",
            "schedule": {"kind": "constant", "n": 2_000},
            "metrics": ["frechet", "nelbo", "accuracy", "prdc", "diversity"],
            "evaluation_samples": 2_000,
            "chunk_size": 4_000,
            "executor": {"kind": "process", "workers": 2},
        }
    )
