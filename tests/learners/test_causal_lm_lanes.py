"""Lanes: order, errors, and gradients that are the same however many there are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from veriloop.executors.threads import limit_threads
from veriloop.learners._language.lanes import in_lanes, lanes
from veriloop.learners.causal_lm import CausalLM
from veriloop.samples import Samples

LANES = "veriloop.learners._language.lanes.lanes"


@pytest.mark.parametrize(
    ("cores", "threads", "expected"), [("1", 1, 1), ("6", 1, 6), ("6", 2, 3), ("1", 2, 1)]
)
def test_lanes_are_the_cores_of_this_process_by_the_threads_of_each(
    cores: str, threads: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    monkeypatch.setenv("VERILOOP_DEVICE", "cpu")
    with limit_threads(threads):
        assert lanes() == expected


@pytest.mark.parametrize("n", [1, 2, 3])
def test_results_come_in_order_and_the_first_error_is_raised(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LANES, lambda: n)
    assert list(in_lanes(lambda x: x * x, range(9))) == [x * x for x in range(9)]
    got = in_lanes(lambda x: 1 / x, [1, 2, 0, 4])
    assert [next(got), next(got)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(got)


def test_a_model_learns_the_same_bits_with_any_number_of_lanes(
    tiny_language: Path, animals: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = {"template": "Article: {document} Summary:", "completion": "summary", "max_tokens": 64}
    learner = CausalLM.model_validate({"model": str(tiny_language), "prompt": prompt, "tokens_per_pass": 60})
    found = []
    for n in (1, 3):
        monkeypatch.setattr(LANES, lambda n=n: n)
        fitted = learner.fit(animals, None, np.random.default_rng(0))
        weights = torch.cat([p.flatten() for p in fitted.language.model.parameters()]).numpy()
        found.append((weights, fitted.loss(animals)[0]))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
