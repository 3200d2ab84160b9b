import numpy as np

from veriloop.quantity import Quantity
from veriloop.recipes.studies import summary
from veriloop.recipes.study_words import course


def told(*chains: list[float]) -> str:
    return course(summary(np.array(chains), range(len(chains)), Quantity(better="higher")))


def test_a_course_is_told_with_its_second_half() -> None:
    """The seeds' last two rounds bring 0 and 0.02: 0.01 on average, ± 12.7 x 0.01 by Student's t."""
    line = told([0.1, 0.1, 0.2, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2, 0.22])
    assert line.startswith("0.100 → 0.210 after 4 rounds (x2.10, 95 % interval 0.83 to 3.37), best 0.210")
    assert line.endswith("; from round 2 on +0.0100 (95 % interval -0.117 to +0.137)")


def test_one_seed_has_no_interval() -> None:
    line = told([0.1, 0.1, 0.2, 0.2, 0.19])
    assert (
        line
        == "0.100 → 0.190 after 4 rounds (x1.90, one seed), best 0.200 in round 2; from round 2 on -0.0100"
    )


def test_a_short_chain_has_no_halves() -> None:
    assert "from round" not in told([0.1, 0.2, 0.3])
