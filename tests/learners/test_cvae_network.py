"""The network and its layers against PyTorch's own layers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from veriloop.learners._cvae_layers import ConvDown, ConvUp, PatchDown, PatchUp, TapsDown, TapsUp
from veriloop.learners._cvae_network import Architecture, Network
from veriloop.networks import initialise


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("ours", "channels"),
    [(PatchDown(1, 6), (1, 6)), (PatchDown(6, 7), (6, 7)), (TapsDown(6), (1, 6)), (ConvDown(6, 7), (6, 7))],
)
def test_layers_down_are_the_convolution_of_pytorch_and_relu(
    ours: PatchDown | TapsDown | ConvDown, channels: tuple[int, int]
) -> None:
    theirs = _same_convolution(ours, channels)
    _same_with_gradients(ours, theirs, torch.rand(3, 8, 12, channels[0]), rectified=True)


@pytest.mark.parametrize(
    ("ours", "channels", "rectified"),
    [
        (PatchUp(7, 6, rectify=True), (7, 6), True),
        (PatchUp(6, 1, rectify=False), (6, 1), False),
        (TapsUp(6), (6, 1), False),
        (ConvUp(7, 6), (7, 6), True),
    ],
)
def test_layers_up_are_the_transposed_convolution_of_pytorch_and_relu_inside(
    ours: PatchUp | TapsUp | ConvUp, channels: tuple[int, int], rectified: bool
) -> None:
    assert ours.bias is not None
    nn.init.normal_(ours.bias)
    theirs = _same_transposed(ours, channels)
    _same_with_gradients(ours, theirs, torch.rand(3, 4, 6, channels[0]), rectified)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (8, 12)])
@pytest.mark.parametrize("kernel", [2, 4])
def test_bound_and_gradients_are_those_of_plain_layers(kernel: int, height: int, width: int) -> None:
    """Equal weights, equal losses: only the speed differs from a network written with nn.Conv2d."""
    network = Network(Architecture(height, width, 1, 10, 5, (4, 6), kernel))
    initialise(network, torch.Generator().manual_seed(0))
    plain = Plain(network)
    counts = (torch.rand(9, height, width) < 0.3).to(torch.uint8)
    label, noise = torch.arange(9), torch.randn(9, 5)
    reconstruction, kl = network.bound(counts, label, noise)
    expected = plain.bound(counts, label, noise)
    _assert_same(reconstruction + kl, expected)
    (reconstruction + kl).sum().backward()
    expected.sum().backward()
    _assert_same(network.posterior.weight.grad, plain.posterior.weight.grad)
    _assert_same(network.project.weight.grad, plain.project.weight.grad)
    down, up = network.down1.weight.grad, network.up2.weight.grad
    assert down is not None
    assert up is not None
    _assert_same(_as_kernel(down, 1, kernel), plain.down1.weight.grad)
    _assert_same(_as_kernel(up.T, 1, kernel), plain.up2.weight.grad)


class Plain(nn.Module):
    """The same function as a :class:`Network`, as one writes it first."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.a = a = network.architecture
        narrow, wide = a.channels
        self.down1 = _same_convolution(network.down1, (1, narrow))
        self.down2 = _same_convolution(network.down2, (narrow, wide))
        self.up1 = _same_transposed(network.up1, (wide, narrow))
        self.up2 = _same_transposed(network.up2, (narrow, 1))
        self.posterior, self.project = _copy(network.posterior), _copy(network.project)

    def bound(self, counts: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        x, y = counts.float(), F.one_hot(label, 10).float()
        hidden = F.relu(self.down2(F.relu(self.down1(x[:, None])))).permute(0, 2, 3, 1).flatten(1)
        mean, log_variance = self.posterior(torch.cat([hidden, y], 1)).chunk(2, 1)
        latent = mean + noise * torch.exp(log_variance / 2)
        hidden = F.relu(self.project(torch.cat([latent, y], 1)))
        hidden = hidden.view(-1, self.a.height // 4, self.a.width // 4, self.a.channels[1])
        logits = self.up2(F.relu(self.up1(hidden.permute(0, 3, 1, 2))))[:, 0]
        q = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2)) + kl


def _same_convolution(layer: nn.Module, channels: tuple[int, int]) -> nn.Conv2d:
    assert isinstance(layer, PatchDown | TapsDown | ConvDown)
    kernel = 2 if isinstance(layer, PatchDown) else 4
    conv = nn.Conv2d(*channels, kernel, 2, (kernel - 2) // 2)
    weight = layer.weight if isinstance(layer, ConvDown) else _as_kernel(layer.weight, channels[0], kernel)
    conv.load_state_dict({"weight": weight, "bias": layer.bias})
    return conv


def _same_transposed(layer: nn.Module, channels: tuple[int, int]) -> nn.ConvTranspose2d:
    assert isinstance(layer, PatchUp | TapsUp | ConvUp)
    kernel = 2 if isinstance(layer, PatchUp) else 4
    conv = nn.ConvTranspose2d(*channels, kernel, 2, (kernel - 2) // 2)
    weight = layer.weight if isinstance(layer, ConvUp) else _as_kernel(layer.weight.T, channels[1], kernel)
    conv.load_state_dict({"weight": weight, "bias": layer.bias})
    return conv


def _same_with_gradients(
    ours: nn.Module, theirs: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, rectified: bool
) -> None:
    """Equal results, and equal gradients of what comes in and of the bias, under random weights of both."""
    mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    result, expected = ours(mine), _channels_last(theirs, other)
    if rectified:
        expected = F.relu(expected)
    _assert_same(result, expected)
    along = torch.randn_like(result)
    result.backward(along)
    expected.backward(along)
    assert theirs.bias is not None
    _assert_same(mine.grad, other.grad)
    _assert_same(ours.get_parameter("bias").grad, theirs.bias.grad)


def _assert_same(ours: Tensor | None, theirs: Tensor | None) -> None:
    """Equal up to float32's rounding of sums that are taken in another order.

    A sum of N terms is off by about sqrt(N) roundings, of 6e-8 each, of its size. N is at most 9 images x
    28 x 28 pixels here, so by 5e-6 of the largest entry; twice that is allowed.
    """
    assert ours is not None
    assert theirs is not None
    torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-5 * max(1.0, theirs.abs().max().item()))


def _copy(layer: nn.Linear) -> nn.Linear:
    copied = nn.Linear(layer.in_features, layer.out_features)
    copied.load_state_dict(layer.state_dict())
    return copied


def _as_kernel(weight: Tensor, channels: int, kernel: int) -> Tensor:
    """Rows over (patch row, patch column, row, column, channel) as (.., channel, kernel, kernel)."""
    patches = kernel // 2
    w = weight.reshape(-1, patches, patches, 2, 2, channels)
    return w.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, kernel, kernel)


def _channels_last(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
