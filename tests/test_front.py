"""What ``import veriloop as vl`` gives, and what it does not load."""

import subprocess
import sys
from importlib.metadata import entry_points
from types import ModuleType

import pytest

import veriloop as vl
from veriloop.errors import MissingExtraError

NAMES = """
    Acceptance Address Arm AsConfigured Audit Calibration Comparison DataPolicy Dataset Decision
    Estimate Evaluation Executor Forecast Gate Generator Judge Learner Metric Near Plan Pointwise
    Preview Quantity Ranked RealData RoundRecord RowEstimate Run Samples Schedule Schema Stop Tracker
    Verdicts Verifier VeriloopError __version__ audit calibrate compare datasets executors forecast
    learners load_plan metrics preview rules run schema testing theory trackers verifiers
""".split()  # noqa: SIM905  # a list of 55 lines would hide its content

FAMILIES = {
    "datasets": ["datasets"],
    "executors": ["executors"],
    "learners": ["learners"],
    "metrics": ["metrics"],
    "rules": ["acceptance", "policies", "schedules"],
    "trackers": ["trackers"],
    "verifiers": ["verifiers"],
}
"""The groups of entry points whose parts each package exports."""

HEAVY = {"torch", "pandas", "plotly", "scipy", "matplotlib", "sklearn", "transformers", "pyarrow"}


def test_these_names_are_public_and_no_others():
    assert vl.__all__ == NAMES
    assert set(NAMES) <= set(dir(vl))
    with pytest.raises(AttributeError, match="'veriloop' has no attribute 'rum'"):
        _ = vl.rum  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_is_no_module_of_another_name(name: str):
    found = getattr(vl, name)
    assert getattr(found, "__name__", name).removeprefix("veriloop.") == name


def test_no_function_hides_a_module():
    # An import of the module would put it in the place of the function.
    for name in NAMES:
        if not isinstance(getattr(vl, name), ModuleType):
            with pytest.raises(ModuleNotFoundError):
                __import__(f"veriloop.{name}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_exports_its_registered_parts(family: str):
    package = getattr(vl, family)
    parts = {
        entry.value.partition(":")[2]: entry
        for group in FAMILIES[family]
        for entry in entry_points(group=f"veriloop.{group}")
        if entry.value.startswith("veriloop.")
    }
    assert set(package.__all__) == set(parts)
    for name, entry in parts.items():
        try:
            part = entry.load()
        except MissingExtraError:
            continue  # of an extra that developers need not have
        assert getattr(package, name) is part


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh process has loaded after ``code``."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; {code}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_import_loads_nothing_else():
    assert not loaded_by("import veriloop") & (HEAVY | {"numpy", "pydantic"})


def test_running_and_families_need_no_heavy_library():
    assert "torch" not in loaded_by(
        "import veriloop as vl; vl.run, vl.learners.CVAE, vl.verifiers.Discriminator"
    )
    assert not loaded_by("import veriloop as vl; vl.Samples, vl.Quantity, vl.datasets") & HEAVY


def test_looking_for_advice_loads_nothing_that_draws():
    assert not loaded_by("import veriloop as vl; vl.audit, vl.calibrate") & {"plotly", "matplotlib", "pandas"}
