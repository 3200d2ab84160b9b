"""Names of runs that exist: what a person would have called them."""

from typing import Any

import pytest

from veriloop.comparison.names import named, settings_cells
from veriloop.config import plan_from

from .test_variations import CONFIG


def names(*changes: dict[str, Any], folders: list[str] | None = None) -> list[str]:
    configs = [plan_from({**CONFIG, **change}).config() for change in changes]
    return named(configs, folders or [f"run{n}" for n in range(len(changes))])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [{"acceptance": {"kind": "top_fraction", "fraction": f}} for f in (0.1, 0.5)],
            ["acceptance.fraction=0.1", "acceptance.fraction=0.5"],
        ),
        ([{"policy": "replace"}, {"policy": "accumulate"}], ["policy=replace", "policy=accumulate"]),
        ([{"rounds": 2}, {"rounds": 3}], ["rounds=2", "rounds=3"]),
        (
            # A part of another kind is named by it: its other settings are other ones.
            [{}, {"acceptance": {"kind": "top_of_cells", "fraction": 0.5}}],
            ["acceptance=top_fraction", "acceptance=top_of_cells"],
        ),
        (
            # An arm by itself keeps its name: the other one could have had the setting as well.
            [{"arms": {"verified": {"policy": p}, "unverified": None}} for p in ("replace", "accumulate")],
            ["arms.verified.policy=replace", "arms.verified.policy=accumulate"],
        ),
        ([{"seed": 1}, {"seed": 2}], ["as given", "as given"]),
        ([{"seed": 1, "keep_models": "last"}, {"keep_rejected": True}], ["as given", "as given"]),
        ([{"executor": "process"}, {"parallel": "chunks"}], ["as given", "as given"]),
    ],
)
def test_the_settings_that_differ(changes: list[dict[str, Any]], expected: list[str]) -> None:
    assert names(*changes) == expected


def test_seeds_share_a_name() -> None:
    found = names(*({"rounds": r, "seed": s} for r in (1, 2) for s in (0, 1)))
    assert found == ["rounds=1", "rounds=1", "rounds=2", "rounds=2"]


def test_too_many_settings_give_way_to_the_name_of_the_folder() -> None:
    one = {"rounds": 3, "chunk_size": 50, "threads": 2, "evaluation_samples": 90}
    changes = [{"seed": 1}, {"seed": 2}, {**one, "seed": 1}, {**one, "seed": 2}]
    folders = ["small-seed1", "small-seed2", "large-seed1", "large-seed2"]
    assert names(*changes, folders=folders) == ["small", "small", "large", "large"]
    assert names(changes[0], changes[2], folders=["x-seed1", "x-seed1"]) == ["x (1)", "x (2)"]


def test_settings_that_differ_are_columns() -> None:
    configs = {
        "a": {"seed": 1, "rounds": 2, "learner": {"kind": "cvae", "epochs": 3}, "metrics": ["nelbo"]},
        "b": {"seed": 2, "rounds": 2, "learner": {"kind": "gmm"}, "metrics": ["nelbo", "frechet"]},
    }
    assert settings_cells(configs) == [
        ["variation", "learner.kind", "learner.epochs", "metrics"],
        ["a", "cvae", "3", '["nelbo"]'],
        ["b", "gmm", "", '["nelbo", "frechet"]'],
    ]
    assert settings_cells({"a": {"seed": 1}, "b": {"seed": 2}}) == []
    assert settings_cells({}) == []
