"""Train generative models on their own verified output, and know whether it helps."""

from importlib.metadata import version as _version

__version__ = _version("veriloop")
