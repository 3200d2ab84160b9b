"""Audits survive their files."""

import json

import numpy as np
import pytest

from veriloop.advise import audit
from veriloop.advise.audited import Audit, Audited


@pytest.mark.parametrize("wants_more", [False, True])
def test_what_is_written_is_read(wants_more: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2_000, 2))
    if wants_more:
        best = x[:, 0] > np.quantile(x[:, 0], 0.8)
        found = audit(x, best, x, scores=x[:, 0], rule="top_fraction")
    else:
        found = audit(x, np.square(x - 0.5).sum(axis=1) < 2, x)
    assert (found.center is None) == wants_more
    assert np.isinf(found.half_lives).any() == (found.eigenvalues >= 1).any()
    again = Audit.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again.to_json() == found.to_json()
    np.testing.assert_array_equal(again.half_lives, found.half_lives)
    whole = Audited("a table", ["a", "b"], ["yes"], [], found)
    assert Audited.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("place", ["contraction", "knowledge_center", "bias", "trajectory", "best_round"])
@pytest.mark.parametrize("value", [[1], "text", 1])
def test_a_finding_with_something_else_in_it_is_no_audit(place: str, value: object) -> None:
    x = np.random.default_rng(0).standard_normal((500, 2))
    found = audit(x, np.square(x - 0.5).sum(axis=1) < 2, x).to_json()
    with pytest.raises((KeyError, TypeError, ValueError)):
        Audit.from_json({**found, place: value})


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"subject": "a table"}', b'{"audit": {}}'])
def test_other_files_are_no_audits(content: bytes) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Audited.from_bytes(content)
