"""What every torch network here needs: a device, seeded weights, checked files, fixed batch shapes.

``import veriloop`` does not import this module; only parts that need torch do.
"""

import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from .allocator import keep_freed_memory
from .errors import ConfigError, CorruptFileError

INFERENCE_BATCH = 256
"""Rows per forward pass on a CPU. Decoding is fastest near this size, where activations stay in cache."""

GPU_INFERENCE_BATCH = 8192
"""Rows per forward pass on a GPU, which needs larger batches. Chosen without a measurement."""

DEVICE = "VERILOOP_DEVICE"
"""Environment variable that sets the device of networks: cpu, cuda, cuda:1, ..."""

N = TypeVar("N", bound=nn.Module)


def device() -> torch.device:
    """Return the device of networks: ``$VERILOOP_DEVICE`` if set, else a GPU if there is one, else the CPU.

    Results repeat bit for bit on the same kind of device; another kind draws other numbers.

    Raises:
        ConfigError: The variable does not name a device of this machine.
    """
    return _device(os.environ.get(DEVICE, ""))


@cache
def _device(name: str) -> torch.device:
    # The caller is about to run a network here.
    keep_freed_memory()
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        probe = torch.zeros((), device=name)
        probe.item()  # some device names build tensors without data
        return probe.device
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        reason = str(e).splitlines()[0]
        raise ConfigError(
            f"environment variable {DEVICE} ({reason})",
            got=name,
            expected="cpu, or cuda on a machine with a GPU",
        ) from e


def batch_size(where: torch.device) -> int:
    """Return the number of rows per forward pass that suits a device."""
    return INFERENCE_BATCH if where.type == "cpu" else GPU_INFERENCE_BATCH


def one_cycle(progress: float, rise: float = 0.05) -> float:
    """Return the share of the peak learning rate: a straight rise, times half a cosine that falls to zero.

    Args:
        progress: Progress of the training, in (0, 1].
        rise: Share of the training in which the straight line rises.
    """
    return min(1.0, progress / rise) * (1 + math.cos(math.pi * progress)) / 2


def blank(make: Callable[[], N]) -> N:
    """Build a network with ``make``, leaving its weights undefined.

    PyTorch's constructors draw weights from the global generator, which must not be touched. On the ``meta``
    device they draw nothing.
    """
    with torch.device("meta"):
        network = make()
    return network.to_empty(device="cpu")


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default for both."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                bound = layer.weight[0].numel() ** -0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                if layer.bias is not None:
                    layer.bias.uniform_(-bound, bound, generator=generator)


def freeze(network: nn.Module) -> None:
    """Prepare a trained network for inference, in place: on the device, without dropout or gradients."""
    network.to(device()).eval().requires_grad_(False)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights to ``path`` as safetensors; equal weights give equal bytes."""
    path.write_bytes(to_safetensors({k: v.cpu().contiguous() for k, v in network.state_dict().items()}))


def load_weights(network: nn.Module, path: Path) -> None:
    """Load into ``network``, in place, what :func:`save_weights` wrote, and freeze it.

    Raises:
        CorruptFileError: The file is missing, truncated, or holds the weights of another network.
    """
    try:
        network.load_state_dict({k: v.float() for k, v in from_safetensors(path.read_bytes()).items()})
    except FileNotFoundError:
        raise CorruptFileError(f"weights {path} are missing") from None
    except (SafetensorError, RuntimeError, OSError, ValueError) as e:
        raise CorruptFileError(
            f"weights {path} cannot be read ({e})", fix="restore the file, or create it again"
        ) from e
    freeze(network)


def in_batches(f: Callable[..., Tensor], *columns: Tensor, batch: int | None = None) -> Iterator[Tensor]:
    """Apply ``f`` to batches of rows on the device, without gradients, and yield the results in order.

    Every call sees exactly ``batch`` rows; the last batch is padded with zeros that are cut off afterwards.
    Matrix libraries choose their kernels by shape, which changes the last bits of a result. With a fixed
    shape, a row's result does not depend on the number of rows passed.

    Args:
        f: Function that maps tensors of ``batch`` rows to a tensor of ``batch`` rows, row by row.
        *columns: Tensors of n rows each; if n is 0, one empty result is yielded. Results are moved to the
            device of the first tensor.
        batch: Rows per call of ``f``; a size that suits the device when None.
    """
    n, home, there = len(columns[0]), columns[0].device, device()
    batch = batch_size(there) if batch is None else batch
    for start in range(0, max(n, 1), batch):
        parts = [c[start : start + batch].to(there) for c in columns]
        rows = len(parts[0])
        if rows < batch:
            parts = [torch.cat([p, p.new_zeros(batch - rows, *p.shape[1:])]) for p in parts]
        with torch.inference_mode():
            result = f(*parts)
        yield result[:rows].to(home)
