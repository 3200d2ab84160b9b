import numpy as np

from veriloop.experiments.base import Setting
from veriloop.experiments.linear_phase import SIZES, Size, linear_phase


def test_numbers(smoke: Setting) -> None:
    finding = linear_phase(smoke)
    numbers, words = finding.numbers, finding.words
    assert numbers["within_3_se"] >= 0.985
    assert numbers["compared"] == np.prod(SIZES["smoke"].simulated)
    shares = numbers["share_of_cells_with_gain"]
    assert abs(shares["theory"] - shares["monte_carlo"]) < 0.05
    for row in numbers["gain_ends_at_bias"]:
        assert abs(row["theory"] - row["monte_carlo"]) < 0.05
    assert "one round helps in 44.9 % of the plane" in words


def test_the_paper_scale_is_the_papers() -> None:
    assert SIZES["paper"] == Size(theory=(300, 300), simulated=(300, 150), replicates=100)
