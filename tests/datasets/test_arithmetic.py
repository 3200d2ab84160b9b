"""Problems are different, right, and held out by content."""

import re

import pytest

from veriloop.datasets.arithmetic import Arithmetic
from veriloop.testing import check_dataset

OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}


def test_every_answer_is_right_and_no_problem_is_on_two_sides(check_schema) -> None:
    dataset = Arithmetic(problems=500, operations=("+", "-", "*"), digits=(2, 1), start=0.2)
    check_dataset(dataset)
    data = check_schema(dataset)
    assert data.validation is not None
    questions: list[str] = []
    for split in (data.train, data.validation, data.test):
        for question, answer in zip(split.texts("question"), split.texts("answer"), strict=True):
            found = re.fullmatch(r"(\d{2}) ([+*-]) (\d) =", question)
            assert found, question
            a, sign, b = found.groups()
            assert answer == str(OPERATIONS[sign](int(a), int(b)))
            questions.append(question)
    assert len(set(questions)) == len(questions) == 500
    assert {question.split()[1] for question in questions} == set(OPERATIONS)
    assert (len(data.start), len(data.validation), len(data.test)) == (90, 25, 25)


def test_all_problems_that_there_are_can_be_asked_for_and_no_more() -> None:
    data = Arithmetic(problems=81, digits=(1, 1), held_out=9, validation=0, start=0).load(0)
    asked = {*data.train.texts("question"), *data.test.texts("question")}
    assert asked == {f"{a} + {b} =" for a in range(1, 10) for b in range(1, 10)}
    with pytest.raises(ValueError, match="problems: got 82, expected at most 81"):
        Arithmetic(problems=82, digits=(1, 1))


def test_problems_are_those_of_every_seed_and_the_seed_orders_them() -> None:
    first, second = (Arithmetic(problems=200, start=0).load(seed) for seed in (0, 1))
    assert first.test.same_as(second.test)
    assert first.train.texts("question") != second.train.texts("question")
    assert sorted(first.train.texts("question")) == sorted(second.train.texts("question"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"operations": ["+", "+"]}, "operations: duplicate"),
        ({"problems": 10, "held_out": 10}, "held_out leaves no problems for training"),
        ({"problems": 10, "held_out": 1.0}, "held_out leaves no problems for training"),
        ({"held_out": 0}, "or none for measuring"),
    ],
)
def test_settings_that_leave_nothing_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Arithmetic.model_validate(settings)
