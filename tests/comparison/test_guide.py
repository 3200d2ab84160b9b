"""The plan of the guide is one."""

import re
from pathlib import Path

from veriloop.comparison.variations import check, requested
from veriloop.yaml_1_2 import read_yaml

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "compare.md"


def test_the_plan_of_the_guide_holds() -> None:
    (plan,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    request = requested(read_yaml(plan, "guide"))
    assert request.seeds == tuple(range(8))
    assert list(check(request)) == ["policy=replace", "policy=accumulate", "policy=accumulate_subsample"]
