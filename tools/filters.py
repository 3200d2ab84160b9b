"""What each acceptance rule keeps of the same candidates of one start model: quality and diversity.

    VERILOOP_DATA=/path/to/data python tools/filters.py --kept 5000 --fraction 0.1

Prints the table of docs/guide/filters.md.
"""

import argparse

import numpy as np

from veriloop.config import load_plan
from veriloop.executors.serial import Serial
from veriloop.loop.gather import Candidates, gather, quota
from veriloop.metrics.base import Evaluation
from veriloop.rng import Address, Stage
from veriloop.rules.acceptance import AcceptAll, Acceptance, DensityRatio, TopFraction, TopOfCells
from veriloop.verifiers.discriminator import Discriminator

SHOWN = ("frechet", "accuracy", "precision", "recall", "coverage", "diversity")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="examples/mnist-small.yaml")
    parser.add_argument("--kept", type=int, default=5000)
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    plan = load_plan(arguments.config)
    data = plan.dataset.load(arguments.seed)
    here = Address(arguments.seed, "filters", 1)
    generator = plan.learner.fit(data.start, None, Address(arguments.seed).at(Stage.FIT).rng())
    verifier = plan.arms["verified"].verifier
    assert isinstance(verifier, Discriminator)
    fields = {**verifier.model_dump(), "calibration": 0.1}
    suited = Discriminator.model_validate(fields).suited_to(plan.dataset.schema())
    judge = suited.fit(None, generator, data.train, here.at(Stage.UPDATE).rng())
    rules: dict[str, Acceptance] = {
        "no filter": AcceptAll(),
        "top fraction": TopFraction(fraction=arguments.fraction),
        "density ratio": DensityRatio(fraction=arguments.fraction),
        "top of cells": TopOfCells(fraction=arguments.fraction),
    }
    print("| kept by |", " | ".join(SHOWN), "|")
    for name, rule in rules.items():
        gathered = gather(
            # The same address, so the same candidates, for every rule.
            Candidates(
                "verified",
                generator,
                None if rule == AcceptAll() else judge,
                data.conditions,
                here,
                plan.threads,
            ),
            rule.open(quota(arguments.kept, data.conditions, "label"), data.train, "label"),
            balance="label",
            chunk_size=plan.chunk_size,
            limit=100 * arguments.kept,
            keep_rejected=False,
            executor=Serial(),
            report=lambda _: None,
        )
        evaluation = Evaluation(generator, gathered.kept, data.test)
        measured = {}
        for metric in plan.metrics:
            if set(metric.quantities) & set(SHOWN):
                measured |= metric.measure(evaluation, np.random.default_rng(0))
        numbers = [f"{measured[m].value:.3g} ± {measured[m].se:.2g}" for m in SHOWN]
        print(f"| {name} |", " | ".join(numbers), "|", flush=True)


if __name__ == "__main__":
    main()
