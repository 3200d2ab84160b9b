"""Advice from numbers: how far a verifier can be trusted, and for how long. NumPy and SciPy only."""

from .auditing import Audit, audit
from .calibration import Calibration, calibrate
from .forecasting import Forecast, forecast

__all__ = ["Audit", "Calibration", "Forecast", "audit", "calibrate", "forecast"]
