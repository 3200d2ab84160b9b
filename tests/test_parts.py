import pytest
from pydantic import ValidationError

from veriloop.errors import ConfigError
from veriloop.parts import resolve
from veriloop.rules.acceptance import Acceptance, Threshold, TopFraction
from veriloop.rules.schedule import Constant, Schedule
from veriloop.testing.tiny import TinyVerifier
from veriloop.verifiers.base import Verifier


def test_a_part_is_its_configuration():
    assert TopFraction(fraction=0.2).model_dump() == {"kind": "top_fraction", "fraction": 0.2}
    assert Acceptance.model_validate({"kind": "top_fraction", "fraction": 0.2}) == TopFraction(fraction=0.2)
    assert Acceptance.model_validate("threshold") == Threshold()
    assert Schedule.model_validate({"kind": "constant", "n": 3}) == Constant(n=3)


def test_a_part_of_ones_own_is_named_by_its_path():
    path = "veriloop.testing.tiny:TinyVerifier"
    assert Verifier.model_validate({"kind": path, "bias": 2}) == TinyVerifier(bias=2)
    assert TinyVerifier().model_dump()["kind"] == path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("top_fracton", "Did you mean 'top_fraction'"),
        (3, "expected a name"),
        ("no.such.module:Rule", "cannot import"),
        ("veriloop.rules.acceptance:Nothing", "has no 'Nothing'"),
        ("veriloop.rules.schedule:Constant", "not one of the veriloop.acceptance"),
    ],
)
def test_a_wrong_kind_is_explained(kind, message):
    with pytest.raises(ConfigError, match=message):
        resolve("veriloop.acceptance", kind, Acceptance)


def test_an_unknown_field_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match="Did you mean 'fraction'"):
        TopFraction(fracton=0.2)  # pyright: ignore[reportCallIssue]
