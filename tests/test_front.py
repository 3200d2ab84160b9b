"""What ``import veriloop`` gives, and what it does not load."""

import subprocess
import sys

import pytest

import veriloop
from veriloop.comparison.engine import compare
from veriloop.loop import MemoryRun, run


def test_the_names_are_those_of_the_loop():
    assert veriloop.run is run
    assert veriloop.MemoryRun is MemoryRun
    assert veriloop.compare is compare
    assert set(veriloop.__all__) <= set(dir(veriloop))
    with pytest.raises(AttributeError, match="'veriloop' has no attribute 'rum'"):
        _ = veriloop.rum


def test_the_import_is_light_and_running_needs_no_torch():
    code = (
        "import sys, veriloop; assert 'numpy' not in sys.modules; veriloop.run;"
        "assert not {'torch', 'pandas', 'sklearn', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
