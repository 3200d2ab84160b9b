import pytest

from veriloop.rules.schedule import Constant, Geometric, Linear, Listed
from veriloop.testing import check_schedule

SCHEDULES = {
    Constant(n=20_000): [20_000, 20_000, 20_000],
    Linear(start=5_000, step=5_000): [5_000, 10_000, 15_000],
    Geometric(start=100, ratio=2, limit=300): [100, 200, 300],
    Listed(n=(3, 1)): [3, 1, 1],
}


@pytest.mark.parametrize(("schedule", "wanted"), SCHEDULES.items(), ids=lambda x: getattr(x, "kind", None))
def test_wanted(schedule, wanted):
    assert [schedule.wanted(k) for k in (1, 2, 3)] == wanted
    check_schedule(schedule)
