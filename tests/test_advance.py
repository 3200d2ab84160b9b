"""Reports from inside long calls: who hears them, and what a call that may end early gives."""

from veriloop.advance import Report, Rows, RowsDone, StepDone, heard_by, report


def test_nobody_need_listen() -> None:
    assert not report(StepDone(1, 2))
    Rows(3).add(1)


def test_the_innermost_listener_hears_and_the_outer_one_again_afterwards() -> None:
    outer: list[Report] = []
    inner: list[Report] = []
    with heard_by(outer.append):
        report(StepDone(1, 4, 0.5, 1.5, 10))
        with heard_by(inner.append):
            rows = Rows(5)
            rows.add(2, tokens=7)
            rows.add(3)
        report(StepDone(2, 4))
    report(StepDone(3, 4))
    assert outer == [StepDone(1, 4, 0.5, 1.5, 10), StepDone(2, 4)]
    assert inner == [RowsDone(2, 5, 7), RowsDone(5, 5, 7)]


def test_a_listener_that_has_enough_is_obeyed_by_those_who_ask() -> None:
    with heard_by(lambda how_far: how_far.done >= 2):
        assert [report(StepDone(done, 3)) for done in range(4)] == [False, False, True, True]


def test_an_error_in_the_block_takes_the_listener_away() -> None:
    heard: list[Report] = []
    try:
        with heard_by(heard.append):
            raise ZeroDivisionError
    except ZeroDivisionError:
        report(StepDone(1, 1))
    assert heard == []
