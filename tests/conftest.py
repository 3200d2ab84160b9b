"""Shared set-up: few threads (the machine has few cores), and repeatable property tests."""

import os

from hypothesis import HealthCheck, settings

# Before anything imports NumPy or torch, here and in the processes that tests start.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A slow shared machine is no failure, and a property that fails must fail for everybody.
settings.register_profile(
    "veriloop", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("veriloop")
