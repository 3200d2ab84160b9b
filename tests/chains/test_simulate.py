"""Chains at once follow the law of the ordinary loop."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from veriloop.chains import simulate, why_not
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import run
from veriloop.loop.memory import MemoryRun

RUNS, CHAINS, ROUNDS = 80, 4000, 3
"""Runs of the loop, and chains at once, whose last models are compared."""


def plan(dataset, learner, n, arms, **more):
    return plan_from(
        {
            "rounds": ROUNDS,
            "dataset": dataset,
            "learner": learner,
            "schedule": {"kind": "constant", "n": n},
            "arms": arms,
            "evaluation_samples": 1,
            "chunk_size": 100_000,
            **more,
        }
    )


POLICIES = {
    "replace": {},
    "accumulate": {"policy": "accumulate"},
    "subsample": {"policy": "accumulate_subsample"},
    "mix": {"policy": {"kind": "mix", "real_share": 0.5}},
    "fresh": {"policy": {"kind": "fresh", "real_share": 0.5}},
}
NORMAL = {"kind": "mixture", "start": 12, "means": [[1.0]], "spread": 2.0}
TWO = {"kind": "categories", "shares": [0.3, 0.7], "start": 30}
TABLE = {"kind": "score_table", "scores": [1, 0]}
BLURRED = {"kind": "noisy", "verifier": TABLE, "blur": 1}
DECIDES = {"kind": "cutoff", "verifier": TABLE, "at": 0.5}
ERRS = {"kind": "noisy", "verifier": DECIDES, "false_accept": 0.4, "false_reject": 0.2}
BEST = {"kind": "top_fraction", "fraction": 0.5}
VERIFIED = {
    "choice": {"verifier": TABLE, "acceptance": {"kind": "choice", "k": 3, "strength": 2}},
    "threshold": {"verifier": BLURRED, "acceptance": {"kind": "threshold", "at": 0.5}},
    "cutoff": {"verifier": ERRS, "acceptance": "accept_all"},
    "best": {"verifier": TABLE, "acceptance": BEST},
    "best_blurred": {"verifier": BLURRED, "acceptance": BEST},
}
LINEAR = {"kind": "linear", "theta_star": [1, -1], "n0": 10}


def gaussian(model):
    return {"mean_error": (model.mean[0] - 1) ** 2, "covariance_trace": model.covariance[0, 0]}


def kernels(model):
    x = model.rows.array("point")
    return {"mean_error": (x.mean() - 1) ** 2, "covariance_trace": x.var() + model.width[0] ** 2}


def categories(model):
    share = dict(zip(model.table.array("category").tolist(), model.share, strict=True))
    return {"share_0": share.get(0, 0.0), "diversity": 1 - (model.share**2).sum()}


def regression(model):
    return {"parameter_error": float(((model.theta - np.array([1, -1])) ** 2).sum())}


KERNEL_POLICIES = {name: POLICIES[name] for name in ("replace", "accumulate", "subsample")}
CASES = [
    (plan(NORMAL, "gaussian", 12, POLICIES), gaussian),
    (plan(NORMAL, {"kind": "gaussian", "scale": 0.5, "ddof": 0}, 12, {"replace": {}}), gaussian),
    (plan(NORMAL, {"kind": "kde", "bandwidth": 0.5}, 12, KERNEL_POLICIES), kernels),
    (plan(NORMAL, "kde", 12, {"replace": {}}), kernels),
    (plan(TWO, "discrete", 30, POLICIES), categories),
    (plan(TWO, {"kind": "discrete", "temperature": 0.8}, 30, VERIFIED), categories),
    (
        plan(LINEAR, "ols", 8, {k: POLICIES[k] for k in ("replace", "accumulate")}, balance="direction"),
        regression,
    ),
]


@pytest.mark.parametrize(("plan", "read"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_law_is_that_of_the_loop(plan, read):
    runs = [run(plan.model_copy(update={"seed": seed}), MemoryRun()) for seed in range(RUNS)]
    for arm in plan.arms:
        courses = simulate(plan, arm, CHAINS)
        by_loop = [read(r.model(arm)) for r in runs]
        for name in by_loop[0]:
            values, at_once = np.array([v[name] for v in by_loop]), courses[name][:, -1]
            assert courses[name].shape == (CHAINS, ROUNDS + 1)
            error = np.hypot(values.std() / np.sqrt(RUNS), at_once.std() / np.sqrt(CHAINS))
            assert abs(values.mean() - at_once.mean()) < 4.5 * error, f"{arm}: {name}"
            if name not in ("share_0", "diversity"):  # whose values are few, which the test is too strict for
                assert ks_2samp(values, at_once).pvalue > 1e-4, f"{arm}: {name}"  # pyright: ignore[reportAttributeAccessIssue]


def test_chains_do_not_depend_on_how_many_follow():
    some, more = (simulate(CASES[0][0], "replace", n)["mean_error"] for n in (1000, 1500))
    assert np.array_equal(some, more[:1000])
    other = simulate(CASES[0][0].model_copy(update={"seed": 1}), "replace", 1000)["mean_error"]
    assert not np.array_equal(some, other)


def test_the_best_fraction_of_all_is_no_selection():
    everything = {"verifier": TABLE, "acceptance": {"kind": "top_fraction", "fraction": 1.0}}
    share = simulate(plan(TWO, "discrete", 30, {"all": everything}), "all", 4000)["share_0"]
    assert abs(share[:, -1].mean() - 0.3) < 4.5 * share[:, -1].std() / np.sqrt(4000)


@pytest.mark.parametrize(
    ("plan", "arm", "reason"),
    [
        (plan(NORMAL, "gmm", 12, {"replace": {}}), "replace", "learner 'gmm'"),
        (plan({**NORMAL, "means": [[0, 0]]}, "gaussian", 12, {"replace": {}}), "replace", "one dimension"),
        (plan(NORMAL, "kde", 12, {"mix": POLICIES["mix"]}), "mix", "kernels with policy 'mix'"),
        (plan({**NORMAL, "start": 20}, "gaussian", 12, {"mix": POLICIES["mix"]}), "mix", "just once"),
        (plan(LINEAR, "ols", 8, {"replace": {}}), "replace", "spread evenly"),
        (
            plan(LINEAR, "ols", 8, {"s": POLICIES["subsample"]}, balance="direction"),
            "s",
            "accumulate_subsample",
        ),
        (plan(TWO, "discrete", 30, ["all_real"]), "all_real", "is not a chain"),
    ],
)
def test_other_plans_are_left_to_the_loop(plan, arm, reason):
    assert reason in (why_not(plan, arm) or "")
    with pytest.raises(ConfigError, match=r"Run it with the loop"):
        simulate(plan, arm, 10)
