import json

import numpy as np
import pytest

from veriloop.recipes.base import agreement, agreement_words, plain


def test_agreement_counts_what_lies_within_three_errors() -> None:
    found = agreement(np.zeros(4), np.array([0.5, -2.9, 3.1, 0.0]), np.ones(4), replicates=100)
    assert found["within_3_se"] == 0.75
    assert found["compared"] == 4
    assert found["z_largest"] == 3.1
    assert "75.00 % of 4 cells (chance alone: 99.66 %)" in agreement_words(found, "cells")


def test_agreement_expects_what_chance_alone_gives() -> None:
    """Means of 20 normals with their own sample errors are off as Student's t says, not as a normal."""
    draws = np.random.default_rng(0).standard_normal((100_000, 20))
    error = draws.std(axis=1, ddof=1) / np.sqrt(20)
    found = agreement(np.zeros(len(draws)), draws.mean(axis=1), error, replicates=20)
    assert found["within_3_se"] == pytest.approx(found["within_3_se_expected"], abs=1e-3)
    assert found["within_3_se_expected"] == pytest.approx(0.9926, abs=1e-3)


def test_plain_is_json() -> None:
    value = {"a": np.array([1.0, np.nan, np.inf]), "b": (np.float64(1 / 3), np.True_), "c": [{"d": None}]}
    expected = {"a": [1.0, None, "inf"], "b": [0.33333333, True], "c": [{"d": None}]}
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected
