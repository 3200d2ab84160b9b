"""What every verifier has from its base, and what a stranger's first mistakes are answered with."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import PrivateAttr

from veriloop.errors import ContractError, CorruptFileError
from veriloop.judge import Judge
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.testing.tiny import TinyJudge, TinyVerifier
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import AsConfigured, Verifier

DATA = Schema({"x": {"role": "vector", "p": 2}})


class Sum(Verifier, frozen=True):
    """Learns nothing."""

    power: float = 1.0

    def verify(self, samples, rng):
        return Verdicts(samples.array("x").sum(1) ** self.power)


def test_a_verifier_that_learns_nothing_is_its_own_judge(tmp_path: Path) -> None:
    verifier, samples = Sum(power=2), Samples(x=np.ones((3, 2)))
    judge = verifier.fit(None, None, samples, np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    judge.save(tmp_path)
    for again in (judge, verifier.load(tmp_path), AsConfigured.load(tmp_path)):
        assert again.verify(samples, np.random.default_rng(0)).score.tolist() == [4, 4, 4]
    (tmp_path / "verifier.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"verifier\.json cannot be read"):
        AsConfigured.load(tmp_path)


class Updates(Sum, frozen=True):
    def update(self, generator, real, rng):
        return self


class Remembers(Sum, frozen=True):
    _mean: float | None = PrivateAttr(None)


class Idle(Verifier, frozen=True):
    pass


class Nameless(Verifier, frozen=True):
    def fit(self, previous, generator, real, rng):
        return TinyJudge(TinyVerifier(), np.zeros((3, 2)))


class Named(Nameless, frozen=True):
    judge_type: ClassVar[type[Judge]] = TinyJudge


MISTAKES = {
    Updates: r"Updates has a method update.*expected fit\(previous, generator, real, rng\) -> Judge",
    Remembers: r"Remembers has private attributes.*got '_mean', expected fit\(previous",
    Idle: r"Idle cannot judge: expected a method verify\(samples, rng\), or fit\(",
    Nameless: "Nameless learns, but does not declare the class of its judges: expected judge_type",
}


@pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.__name__)
def test_an_authors_mistakes_are_told_when_the_plan_is_checked(kind: type[Verifier]) -> None:
    with pytest.raises(ContractError, match=MISTAKES[kind]) as told:
        kind().suited_to(DATA)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("verifier", [Sum(), Named(), TinyVerifier()], ids=lambda v: type(v).__name__)
def test_sound_verifiers_are_let_through(verifier: Verifier) -> None:
    assert verifier.suited_to(DATA) == verifier
