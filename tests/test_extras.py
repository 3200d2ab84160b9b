"""The extras that errors name are those that pyproject.toml has, and bring what they should."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from veriloop.errors import MissingExtraError
from veriloop.extras import EXTRAS, available, explained, missing, require

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
DECLARED: dict[str, list[str]] = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", line)[0].lower().replace("_", "-") for line in requirements}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_modules(extra: str) -> None:
    of_module = packages_distributions()
    for module in EXTRAS[extra]:
        if module in of_module and module != "tokenizers":  # transformers brings it
            assert {name.lower().replace("_", "-") for name in of_module[module]} & names(DECLARED[extra]), (
                module
            )


def test_all_is_every_extra_for_users() -> None:
    (line,) = DECLARED["all"]
    inside = set(line.partition("[")[2].rstrip("]").split(","))
    assert inside == set(DECLARED) - {"all", "dev", "inception"}


def test_the_base_install_needs_no_extra() -> None:
    base = names(PROJECT["dependencies"])
    assert not base & {"scipy", "pyarrow", "plotly", "torch", "matplotlib", "scikit-learn"}


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingExtraError, match=r"'plotly'.*pip install 'veriloop\[report\]'"):
        require("numpy", "plotly")
    assert not available("numpy", "plotly")
    with pytest.raises(MissingExtraError, match=r"veriloop\[report\]"), explained():
        import plotly.graph_objects  # noqa: F401


def test_an_import_that_no_extra_would_mend_stays_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), explained():
        import no_such_module  # noqa: F401  # pyright: ignore[reportMissingImports]
    assert missing(ImportError("cannot import name", name="torch")) is None
