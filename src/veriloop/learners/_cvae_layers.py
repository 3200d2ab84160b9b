"""Convolutions of stride 2, to half and to double the size, with channels last.

Each is a PyTorch layer, computed in the way that was fastest on a CPU. Inside the network a ReLU follows and
is part of the layer. It works in place, before the input becomes a view, because a separate tensor for the
result costs a tenth of a training step.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchDown(nn.Linear):
    """``nn.Conv2d(inputs, outputs, 2, 2)``, to half the size, and ReLU; one matrix product over patches."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(4 * inputs, outputs)

    def forward(self, input: Tensor) -> Tensor:
        """(n, 2h, 2w, inputs) to (n, h, w, outputs)."""
        return F.relu_(super().forward(_merge(input)))


class PatchUp(nn.Linear):
    """``nn.ConvTranspose2d(inputs, outputs, 2, 2)``, to double the size, as one matrix product.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        rectify: Whether a ReLU follows.
    """

    def __init__(self, inputs: int, outputs: int, *, rectify: bool) -> None:
        super().__init__(inputs, 4 * outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._rectify = rectify

    def forward(self, input: Tensor) -> Tensor:
        """(n, h, w, inputs) to (n, 2h, 2w, outputs)."""
        x = _split(F.linear(input, self.weight)) + self.bias
        return F.relu_(x) if self._rectify else x


class TapsDown(nn.Linear):
    """``nn.Conv2d(1, outputs, 4, 2, 1)``, to half the size, and ReLU; one matrix product over taps."""

    def __init__(self, outputs: int) -> None:
        super().__init__(16, outputs)

    def forward(self, input: Tensor) -> Tensor:
        """(n, 2h, 2w, 1) to (n, h, w, outputs)."""
        n, height, width, _ = input.shape
        taps = _Taps.apply(input.squeeze(-1))
        return F.relu_(super().forward(taps.flatten(1).T)).view(n, height // 2, width // 2, -1)


class TapsUp(nn.Linear):
    """``nn.ConvTranspose2d(inputs, 1, 4, 2, 1)``, to double the size, as one matrix product over taps."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, 16)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, input: Tensor) -> Tensor:
        """(n, h, w, inputs) to (n, 2h, 2w, 1)."""
        n, h, w, inputs = input.shape
        # In this order each tap's image is contiguous, which halves the cost of the sum.
        taps = self.weight @ input.reshape(-1, inputs).T
        return _Sum.apply(taps.view(16, n, h, w)).unsqueeze(-1) + self.bias


class ConvDown(nn.Conv2d):
    """PyTorch's convolution with a kernel of 4, and ReLU; channels last in input and output."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(n, 2h, 2w, inputs) to (n, h, w, outputs)."""
        return F.relu_(super().forward(input.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)


class ConvUp(nn.ConvTranspose2d):
    """PyTorch's transposed convolution with a kernel of 4; channels last in input and output.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        rectify: Whether a ReLU follows.
    """

    def __init__(self, inputs: int, outputs: int, *, rectify: bool) -> None:
        super().__init__(inputs, outputs, 4, 2, 1)
        self._rectify = rectify

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, h, w, inputs) to (n, 2h, 2w, outputs)."""
        x = F.conv_transpose2d(input.permute(0, 3, 1, 2), self.weight, None, 2, 1)
        # Added separately, because passing the bias doubles the library's time for the gradient.
        assert self.bias is not None
        x += self.bias.to(x.dtype)[:, None, None]  # same type, because mixed types are slower
        return (F.relu_(x) if self._rectify else x).permute(0, 2, 3, 1)


class _Taps(torch.autograd.Function):
    """Return what each of the 16 taps of a kernel of 4 sees of an image; its gradient is :class:`_Sum`."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        """Return the 16 taps of ``image``."""
        return _taps(image)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradient of the image: the sum of the gradients of its taps."""
        return _sum(gradient)


class _Sum(torch.autograd.Function):
    """Sum the contributions of 16 taps into images; its gradient is :class:`_Taps`."""

    @staticmethod
    def forward(ctx: Any, taps: Tensor) -> Tensor:
        """Return the sum of ``taps``."""
        return _sum(taps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradient of the taps: the taps of the gradient."""
        return _taps(gradient)


def _taps(image: Tensor) -> Tensor:
    """Convert (n, 2h, 2w) to (16, n, h, w): tap (2a + y, 2b + x) at (i, j) sees pixel (2i + 2a + y - 1, ...).

    Taps are in the order a, b, y, x. Pixels beyond the border are 0.
    """
    n, height, width = image.shape
    pixel = image.view(n, height // 2, 2, width // 2, 2)
    taps = image.new_zeros(2, 2, 2, 2, n, height // 2, width // 2)
    for y in (0, 1):
        rows = taps[1 - y, :, y]  # the taps that see row 2i or 2i + 1 itself
        rows[1, 0] = pixel[:, :, 1 - y, :, 1]
        rows[0, 0, :, :, 1:] = rows[1, 0, :, :, :-1]
        rows[0, 1] = pixel[:, :, 1 - y, :, 0]
        rows[1, 1, :, :, :-1] = rows[0, 1, :, :, 1:]
    taps[1, :, 1, :, :, :-1] = taps[0, :, 1, :, :, 1:]
    taps[0, :, 0, :, :, 1:] = taps[1, :, 0, :, :, :-1]
    return taps.view(16, n, height // 2, width // 2)


def _sum(taps: Tensor) -> Tensor:
    """Reverse :func:`_taps`, (16, n, h, w) to (n, 2h, 2w): contributions to the same pixel are added."""
    _, n, h, w = taps.shape
    t = taps.reshape(2, 2, 2, 2, n, h, w)
    even, odd = t[0, :, 1].clone(), t[1, :, 0].clone()
    even[..., 1:, :] += t[1, :, 1, :, :, :-1]
    odd[..., :-1, :] += t[0, :, 0, :, :, 1:]
    image = taps.new_empty(n, h, 2, w, 2)
    for y, rows in enumerate((even, odd)):
        rows[0, 1, :, :, 1:] += rows[1, 1, :, :, :-1]
        rows[1, 0, :, :, :-1] += rows[0, 0, :, :, 1:]
        image[:, :, y, :, 0], image[:, :, y, :, 1] = rows[0, 1], rows[1, 0]
    return image.view(n, 2 * h, 2 * w)


def _merge(x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(n, h // 2, w // 2, 4 * c)


def _split(x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h, w, 2, 2, c // 4).transpose(2, 3).reshape(n, 2 * h, 2 * w, c // 4)
