import numpy as np
import pytest

from veriloop.errors import ConfigError, DataError
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.testing import check_part
from veriloop.verdicts import Decision
from veriloop.verifiers.reference import ReferenceOverlap

pytest.importorskip("nltk")
SAMPLES = Samples(
    completion=["two cats sat", "a dog", "", "cats sitting"],
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


DATA = Schema(
    {"question": {"role": "prompt"}, "answer": {"role": "completion"}, "right": {"role": "reference"}}
)


def test_columns_come_from_the_data() -> None:
    assert ReferenceOverlap().suited_to(DATA) == ReferenceOverlap(column="answer", reference="right")
    other = ReferenceOverlap(column="question", reference="answer")
    assert other.suited_to(DATA) == other


@pytest.mark.parametrize(
    ("fields", "data", "match"),
    [
        ({"column": "summary"}, DATA, "column: got 'summary', expected a column of the data: question"),
        ({"reference": "x"}, {**DATA, "x": {"role": "number"}}, "reference: column 'x': got 'number'"),
        (
            {},
            {"answer": {"role": "completion"}},
            r"one column of role reference.*Set reference to the column's name",
        ),
    ],
)
def test_data_that_do_not_suit_it_are_refused(fields, data, match) -> None:
    with pytest.raises(ConfigError, match=match):
        ReferenceOverlap(**fields).suited_to(Schema(data))


def test_it_only_scores() -> None:
    assert ReferenceOverlap().only_scores
