"""First mistakes of a plug-in's author: each ends in one line that names the part, and exit code 2."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false
import math
import sys
import textwrap
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from veriloop.errors import ContractError, DataError
from veriloop.loop import seam
from veriloop.metrics.base import Evaluation
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric, TinyVerifier

from .mistakes_in_data import IN_DATA
from .mistakes_in_models import IN_MODELS

HEAD = """
from typing import ClassVar
import numpy as np
from veriloop.datasets.base import Dataset, RealData
from veriloop.generator import Generator
from veriloop.judge import Judge
from veriloop.learners.base import Learner
from veriloop.metrics.base import Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rules.policy import DataPolicy
from veriloop.rules.schedule import Schedule
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric, TinyVerifier
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import Verifier
"""

CONFIG = """
rounds: 1
dataset: {kind: "veriloop.testing.tiny:TinyData"}
learner: {kind: "veriloop.testing.tiny:TinyLearner"}
verifier: {kind: "veriloop.testing.tiny:TinyVerifier"}
acceptance: {kind: top_fraction, fraction: 0.5}
schedule: {kind: constant, n: 12}
metrics: [{kind: "veriloop.testing.tiny:TinyMetric"}]
evaluation_samples: 30
arms: [verified]
"""

MISTAKES = {**IN_DATA, **IN_MODELS}


@pytest.fixture
def plug_in(tmp_path, monkeypatch, request):
    """Writes a plug-in's module, and the configuration that uses its class ``Mine``."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(where: str, code: str) -> Path:
        name = f"plug_in_{zlib.crc32(request.node.name.encode())}"
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(code))
        names.append(name)
        kind = f'{{kind: "{name}:Mine"}}'
        if where == "metrics":
            kind = f"[{kind}]"
        lines = [line for line in CONFIG.strip().splitlines() if not line.startswith(f"{where}:")]
        config = tmp_path / "config.yaml"
        config.write_text("\n".join([*lines, f"{where}: {kind}"]))
        return config

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def veriloop(monkeypatch, capfd):
    from veriloop.cli.main import main

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["veriloop", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as e:
            return e.code if isinstance(e.code, int) else 1, capfd.readouterr().err
        return 0, capfd.readouterr().err

    return call


def test_the_configuration_without_a_plug_in_runs(veriloop, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    assert veriloop("run", tmp_path / "config.yaml", "--out", tmp_path / "run")[0] == 0


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_a_plug_in_is_one_line(mistake, plug_in, veriloop, tmp_path):
    where, code, expected = MISTAKES[mistake]
    config = plug_in(where, code)
    code_, said = veriloop("validate", config)
    if code_ == 0:
        code_, said = veriloop("run", config, "--out", tmp_path / "run", "--plain")
    assert code_ == 2, said
    *progress, line = said.strip().splitlines()
    # Of a mistake that shows after the start model, its progress line comes before.
    assert all("done" in told for told in progress), f"more than one line: {said}"
    assert line.startswith("error: ")
    assert "Traceback" not in said
    assert "internal" not in said
    for fragment in expected.replace("PLUGIN", f"{config_module(config)}.py").split(" ... "):
        assert fragment in line


def config_module(config: Path) -> str:
    return next(path.stem for path in config.parent.glob("plug_in_*.py"))


EARLY = [
    "a metric without quantities",
    "a generator without save and load",
    "a learner without generator_type",
    "a learner without fit",
    "generator_type is no class",
    "quantities are words",
    "a module that cannot be imported",
    "a test split that is the training split",
    "a validation split that was trained on",
]


@pytest.mark.parametrize("mistake", EARLY)
def test_what_a_class_lacks_is_seen_by_validate(mistake, plug_in, veriloop):
    where, code, _ = MISTAKES[mistake]
    assert veriloop("validate", plug_in(where, code))[0] == 2


def test_a_whole_number_of_numpy_is_one(plug_in, veriloop, tmp_path):
    code = """
    class Mine(Schedule, frozen=True):
        def wanted(self, round_):
            return np.int64(12)
    """
    assert veriloop("run", plug_in("schedule", code), "--out", tmp_path / "run", "--plain")[0] == 0


def test_a_list_may_be_a_field_of_a_data_set(plug_in, veriloop, tmp_path):
    code = """
    class Mine(TinyData, frozen=True):
        classes: list[int] = [0, 1, 2]
    """
    config = plug_in("dataset", code)
    assert veriloop("validate", config) == (0, "")
    assert veriloop("run", config, "--out", tmp_path / "run", "--plain")[0] == 0


def test_what_our_code_refuses_names_whose_it_was(plug_in, veriloop):
    """The user's own words stay as they are; what ours refused gets the class, the method and the place."""
    config = plug_in(
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                return Samples(x=np.zeros(3)).array("y")
        """,
    )
    place = f"({config_module(config)}.py, line {line_of(config, '.array')})"
    assert f"Mine.load {place}: no such column: got 'y', expected one of x" in veriloop("validate", config)[1]


def line_of(config: Path, text: str) -> int:
    lines = (config.parent / f"{config_module(config)}.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Raising(TinyGenerator):
    error: BaseException

    def sample(self, n, rng, condition=None):
        raise self.error


@pytest.mark.parametrize("error", [DataError("of ours"), KeyboardInterrupt(), MemoryError()])
def test_some_errors_go_through_as_they_are(error):
    generator = Raising(np.zeros((3, 2)), np.ones((3, 2)))
    generator.error = error
    with pytest.raises(type(error)) as raised:
        seam.sample(generator, 1, Address(0).rng(), None, None)
    assert raised.value is error


def test_the_error_itself_is_the_cause():
    generator = Raising(np.zeros((3, 2)), np.ones((3, 2)))
    generator.error = ZeroDivisionError("many\nlines " * 100)
    with pytest.raises(
        ContractError, match=r"^Raising\.sample raised ZeroDivisionError: many lines "
    ) as raised:
        seam.sample(generator, 1, Address(0).rng(), None, None)
    assert raised.value.__cause__ is generator.error
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


class Says(TinyMetric, frozen=True):
    value: float = 0.0

    quantities: ClassVar[Mapping[str, Quantity]] = {"share": Quantity(low=0, high=1)}

    def measure(self, evaluation, rng):
        value = math.nan if self.value < 0 else self.value
        return {"share": Estimate(value, math.nan)}


@pytest.mark.parametrize("value", [0.0, 1 + 1e-7, -1.0])
def test_a_bound_may_be_missed_by_rounding_and_a_number_be_unmeasurable(value):
    data = TinyData().load(0)
    generator = TinyGenerator(np.zeros((3, 2)), np.ones((3, 2)))
    measured = seam.measure(Says(value=value), Evaluation(generator, data.test, data.test), Address(0).rng())[
        "share"
    ].value
    assert math.isnan(measured) if value < 0 else measured == value


def test_what_cannot_be_measured_is_said(plug_in, monkeypatch, capfd, tmp_path):
    from veriloop.cli.main import main

    config = plug_in(
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(), "one": Quantity(part_of="quality")}

            def measure(self, evaluation, rng):
                return dict.fromkeys(self.quantities, Estimate(float("nan"), float("nan")))
        """,
    )
    monkeypatch.setattr(
        sys, "argv", ["veriloop", "run", str(config), "--out", str(tmp_path / "run"), "--plain"]
    )
    main()
    assert "verified, round 1: could not be measured: quality\n" in capfd.readouterr().out


def test_checks_cost_microseconds():
    data = TinyData().load(0)
    rng = Address(0).rng()
    generator = TinyLearner().fit(data.start, None, rng)
    condition = Samples(label=np.arange(30) % 3)
    judge = TinyVerifier().fit(None, generator, data.train, rng)
    evaluation = Evaluation(generator, generator.sample(30, rng, condition), data.test)

    def seconds(call, times=300) -> float:
        began = time.process_time()
        for _ in range(times):
            call()
        return (time.process_time() - began) / times

    pairs = [
        (
            lambda: seam.sample(generator, 30, rng, condition, None),
            lambda: generator.sample(30, rng, condition),
        ),
        (
            lambda: seam.verify(judge, evaluation.generated, rng),
            lambda: judge.verify(evaluation.generated, rng),
        ),
        (
            lambda: seam.measure(TinyMetric(), evaluation, rng),
            lambda: TinyMetric().measure(evaluation, rng),
        ),
    ]
    for checked, plain in pairs:
        # In turns, and the least of each: others use the machine as well.
        both = [(seconds(checked), seconds(plain)) for _ in range(7)]
        assert min(c for c, _ in both) < min(p for _, p in both) + 50e-6
