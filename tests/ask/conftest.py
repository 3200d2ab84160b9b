"""The fabricated runs of the report's tests, and the plans of the loop's."""

from ..loop.conftest import tiny_config, tiny_plan
from ..report.conftest import empty_run, image_run

__all__ = ["empty_run", "image_run", "tiny_config", "tiny_plan"]
