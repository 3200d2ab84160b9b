"""The suite of all parts: a part is its configuration, and nothing else."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from typing import Any

import numpy as np
import pytest
from pydantic import ConfigDict, Field, PrivateAttr, field_serializer

from veriloop.testing import check_part
from veriloop.testing.tiny import TinyData, TinyLearner, TinyMetric, TinyVerifier


@pytest.mark.parametrize("part", [TinyData(), TinyLearner(), TinyVerifier(abstain=0.1), TinyMetric()])
def test_tiny_parts_keep_the_contract(part):
    check_part(part)


class Parted(TinyData, frozen=True):
    classes: list[int] = Field(default=[0, 1, 2])
    names: dict[str, list[str]] = Field(default={"a": ["b"]})


def test_lists_and_mappings_may_be_fields():
    check_part(Parted())
    assert hash(Parted()) == hash(Parted())
    assert hash(Parted()) != hash(Parted(classes=[0, 1]))


class Secretive(TinyVerifier, frozen=True):
    _mean: np.ndarray | None = PrivateAttr(None)


class Loose(TinyVerifier):
    model_config = ConfigDict(frozen=False)


class Rounding(TinyVerifier, frozen=True):
    @field_serializer("bias")
    def _rounded(self, bias: float) -> int:
        return round(bias)


class Unpicklable(TinyVerifier, frozen=True):
    def __reduce__(self) -> Any:
        raise TypeError("not I")


class Fresh(TinyVerifier, frozen=True):
    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Secretive(), "private attributes _mean"),
        (Loose(), "field 'mode' can be changed"),
        (Rounding(bias=0.25), "is not what its configuration"),
        (Unpicklable(), "Unpicklable raised TypeError: not I"),
        (Fresh(), "equal hashes"),
    ],
)
def test_what_is_more_or_less_than_its_configuration_is_caught(part, why):
    with pytest.raises(AssertionError, match=why):
        check_part(part)
