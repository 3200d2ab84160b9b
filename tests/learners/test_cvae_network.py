"""The fast network and its layers against the plain network and PyTorch's own layers."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from veriloop.learners._cvae_fast import FastNetwork
from veriloop.learners._cvae_layers import ConvDown, ConvUp, PatchDown, PatchUp, TapsDown, TapsUp
from veriloop.learners._cvae_network import Architecture, PlainNetwork
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
        (ConvUp(7, 6, rectify=True), (7, 6), True),
        (ConvUp(6, 3, rectify=False), (6, 3), False),
    ],
)
def test_layers_up_are_the_transposed_convolution_of_pytorch_and_relu_inside(
    ours: PatchUp | TapsUp | ConvUp, channels: tuple[int, int], rectified: bool
) -> None:
    assert ours.bias is not None
    nn.init.normal_(ours.bias)
    theirs = _same_transposed(ours, channels)
    _same_with_gradients(ours, theirs, torch.rand(3, 4, 6, channels[0]), rectified)


SHAPES = [
    *[(8, 8, 1), (28, 28, 1), (8, 12, 1), (12, 4, 3)],  # sides that divide by 4
    *[(13, 7, 1), (1, 1, 1), (9, 8, 3), (6, 15, 3)],  # sides that do not
]


@pytest.mark.parametrize("levels_and_likelihood", [(1, "binomial"), (16, "binomial"), (255, "logistic")])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kernel", [2, 4])
def test_bound_gradients_and_images_are_those_of_the_plain_network(
    kernel: int, shape: tuple[int, int, int], levels_and_likelihood: tuple[int, Any]
) -> None:
    """Equal weights, equal losses: only the speed differs."""
    height, width, channels = shape
    levels, likelihood = levels_and_likelihood
    architecture = Architecture(
        height, width, levels, 10, 5, (4, 6), kernel, image_channels=channels, likelihood=likelihood
    )
    network = FastNetwork(architecture)
    initialise(network, torch.Generator().manual_seed(0))
    if network.scale is not None:
        network.scale.start()
    plain = plain_one(network)
    counts = torch.randint(0, levels + 1, (9, *architecture.image_shape), dtype=torch.uint8)
    label, noise = torch.arange(9), torch.randn(9, 5)
    for ours, theirs in zip(
        network.bound(counts, label, noise), plain.bound(counts, label, noise), strict=True
    ):
        _assert_same(ours, theirs)
    one_hot = network.one_hot(label)
    logits = network.decode(noise, one_hot)
    assert logits.shape == counts.shape
    _assert_same(logits, plain.decode(noise, one_hot))
    sum(network.bound(counts, label, noise)).sum().backward()  # pyright: ignore[reportAttributeAccessIssue]
    sum(plain.bound(counts, label, noise)).sum().backward()  # pyright: ignore[reportAttributeAccessIssue]
    gradients = FastNetwork(architecture)
    for name, weight in network.named_parameters():
        gradients.get_parameter(name).data = torch.zeros_like(weight) if weight.grad is None else weight.grad
    expected = plain_one(gradients)
    for name, weight in plain.named_parameters():
        _assert_same(weight.grad, expected.get_parameter(name))


def plain_one(network: FastNetwork) -> PlainNetwork:
    """The plain network with the weights of the fast one, which has its features with the channels last."""
    a = network.architecture
    plain = PlainNetwork(a)
    with torch.no_grad():
        plain.down1 = _same_convolution(network.down1, (a.image_channels, a.channels[0]))
        plain.down2 = _same_convolution(network.down2, a.channels)
        plain.up1 = _same_transposed(network.up1, (a.channels[1], a.channels[0]))
        plain.up2 = _same_transposed(network.up2, (a.channels[0], a.image_channels))
        features = a.channels[1] * a.quarter[0] * a.quarter[1]
        channels_first = torch.arange(features).view(*a.quarter, a.channels[1]).permute(2, 0, 1).flatten()
        both = torch.cat([channels_first, torch.arange(features, features + a.classes)])
        plain.posterior.weight.copy_(network.posterior.weight[:, both])
        plain.posterior.bias.copy_(network.posterior.bias)
        plain.project.weight.copy_(network.project.weight[channels_first])
        plain.project.bias.copy_(network.project.bias[channels_first])
        if plain.scale is not None and network.scale is not None:
            plain.scale.load_state_dict(network.scale.state_dict())
    return plain


def test_the_terms_of_the_plain_network_are_those_of_the_library() -> None:
    """A binary image, term by term, by `torch.distributions`."""
    plain = PlainNetwork(Architecture(8, 8, 1, 10, 5, (4, 6), 4))
    counts, label, noise = (torch.rand(9, 8, 8) < 0.3).float(), torch.arange(9), torch.randn(9, 5)
    mean, log_variance = plain.encode(counts, plain.one_hot(label))
    q = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    logits = plain.decode(mean + noise * q.stddev, plain.one_hot(label))
    reconstruction, kl = plain.bound(counts, label, noise)
    prior = torch.distributions.Normal(0.0, 1.0)
    _assert_same(kl, torch.distributions.kl_divergence(q, prior).sum(1))
    cross_entropy = F.binary_cross_entropy_with_logits(logits, counts, reduction="none").sum((1, 2))
    _assert_same(reconstruction, cross_entropy)


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


def _as_kernel(weight: Tensor, channels: int, kernel: int) -> Tensor:
    """Rows over (patch row, patch column, row, column, channel) as (.., channel, kernel, kernel)."""
    patches = kernel // 2
    w = weight.reshape(-1, patches, patches, 2, 2, channels)
    return w.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, kernel, kernel)


def _channels_last(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
