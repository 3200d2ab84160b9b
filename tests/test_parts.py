from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import ValidationError

from veriloop.errors import ConfigError
from veriloop.parts import Checked, resolve
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
    with pytest.raises(ConfigError, match="Did you mean 'fraction'"):
        TopFraction(fracton=0.2)  # pyright: ignore[reportCallIssue]


class _Words(Checked, frozen=True):
    renamed: ClassVar[Mapping[str, str]] = {"metric": "use quantity"}

    quantity: str = "gap"
    at: tuple[float, ...] | None = None
    n: int | str = 3
    more: "_Words | None" = None


def test_an_old_key_is_answered_with_the_new_word():
    with pytest.raises(ValidationError, match=r"key 'metric' belongs to an earlier version\. Use quantity"):
        _Words.model_validate({"metric": "gap"})


def test_numbers_are_taken_as_they_are_written():
    words = _Words.model_validate({"at": [1, 2.5], "n": 4, "more": {"n": "4"}})
    assert (words.at, words.n, words.more and words.more.n) == ((1.0, 2.5), 4, "4")
    assert _Words.model_validate_json(words.model_dump_json()) == words
    assert Constant.model_validate({"n": 4e3}) == Constant(n=4_000), "a whole number, however it is written"


@pytest.mark.parametrize("bad", [True, "1", "x", float("nan"), float("inf"), None, [1]])
def test_what_is_no_finite_number_is_refused(bad):
    for settings in ({"at": [bad]}, {"more": {"at": [1, bad]}}):
        with pytest.raises(ValidationError):
            _Words.model_validate(settings)
    with pytest.raises(ValidationError):
        Constant.model_validate({"n": bad})
