"""What the documentation shows is what the code takes."""

import os
import re
from pathlib import Path

import pytest
import yaml

from veriloop.config import load_plan, plan_from
from veriloop.loop import run
from veriloop.loop.data import load_data
from veriloop.metrics.features import familiar_classifier

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_is_a_plan_and_survives_its_manifest(path):
    plan = load_plan(path)
    assert type(plan).model_validate(plan.config()) == plan


def test_another_data_set_is_one_line(tmp_path):
    """MNIST's example with Fashion-MNIST: the classifier of the metrics follows by itself."""
    if not (Path(os.environ.get("VERILOOP_DATA", "none")) / "fashion-mnist").is_dir():
        pytest.skip("no fashion-mnist in $VERILOOP_DATA")
    tiny = [
        *("rounds=1", "dataset.train=600", "learner.epochs=1", "learner.min_steps=10", "verifier.epochs=1"),
        *("schedule.n=100", "evaluation_samples=100", "chunk_size=500", "executor=serial"),
        *("metrics=[frechet, accuracy]", "arms=[verified]"),
    ]
    plan = load_plan(ROOT / "examples" / "mnist-small.yaml", ["dataset.kind=fashion-mnist", *tiny])
    folder = run(plan, tmp_path / "run")
    assert [r.metrics["frechet"].value > 0 for r in folder.records()] == [True, True]
    assert familiar_classifier(load_data(plan.dataset, plan.seed).test) == "fashion-mnist"


def test_the_example_of_named_arms_is_a_plan():
    guide = (ROOT / "docs" / "guide" / "configuration.md").read_text()
    block = re.search(r"```yaml\n(verifier:.*?)```", guide, re.DOTALL)
    assert block is not None
    base = yaml.safe_load((ROOT / "examples" / "digits.yaml").read_text())
    plan = plan_from({**base, **yaml.safe_load(block[1])})
    assert list(plan.arms) == ["strong", "weak", "unverified"]
    assert plan.arms["unverified"].verifier is None


def test_the_configuration_of_your_own_case_is_a_plan():
    pytest.importorskip("transformers")
    guide = (ROOT / "docs" / "guide" / "language.md").read_text()
    block = re.search(r"```yaml\n# own.yaml\n(.*?)```", guide, re.DOTALL)
    assert block is not None
    plan = plan_from(yaml.safe_load(block[1]))
    assert list(plan.arms) == ["verified", "unverified"]


def test_every_file_that_the_documentation_links_to_is_there():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
