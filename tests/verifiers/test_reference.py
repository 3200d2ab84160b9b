import numpy as np
import pytest

from veriloop.errors import DataError
from veriloop.samples import Samples
from veriloop.testing import check_part
from veriloop.verdicts import Decision
from veriloop.verifiers.reference import ReferenceOverlap

pytest.importorskip("nltk")
SAMPLES = Samples(
    summary=["two cats sat", "a dog", "", "cats sitting"],
    reference=["a cat sat there", "a cat", "a cat", "the cat sits"],
)


def scores(**fields) -> list[float]:
    verdicts = ReferenceOverlap(**fields).verify(SAMPLES, np.random.default_rng(0))
    assert verdicts.count(Decision.OPEN) == len(SAMPLES)
    return verdicts.score.tolist()


def test_is_its_configuration() -> None:
    check_part(ReferenceOverlap(measure="rougeL", column="answer", reference="document", stem=False))


def test_scores_by_hand() -> None:
    assert scores() == pytest.approx([2 * 2 / 7, 2 * 1 / 4, 0, 2 * 2 / 5])
    assert scores(stem=False) == pytest.approx([2 * 1 / 7, 2 * 1 / 4, 0, 0])
    assert scores(measure="rouge2") == pytest.approx([2 * 1 / 5, 0, 0, 2 * 1 / 3])
    assert scores(column="reference") == [1, 1, 1, 1]


def test_columns_must_be_there_and_hold_text() -> None:
    with pytest.raises(DataError, match="no such column"):
        ReferenceOverlap(column="answer").verify(SAMPLES, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"no column 'answer'\. Set the data's columns\.reference"):
        ReferenceOverlap(reference="answer").verify(SAMPLES, np.random.default_rng(0))
    with pytest.raises(DataError, match="is an array"):
        ReferenceOverlap(reference="n").verify(SAMPLES.with_columns(n=np.arange(4)), np.random.default_rng(0))
