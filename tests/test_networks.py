"""Networks need a device, full weights, and batches that do not matter."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from veriloop.errors import ConfigError
from veriloop.networks import DEVICE, batch_size, blank, device, in_batches, initialise


def test_networks_run_on_the_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEVICE, raising=False)
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv(DEVICE, "cpu")
    assert device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "cuda:99", "meta"])
def test_a_wrong_device_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(DEVICE, name)
    with pytest.raises(ConfigError, match=rf"{DEVICE} .*got '{name}', expected cpu, or cuda") as caught:
        device()
    assert "\n" not in str(caught.value)


def test_a_gpu_gets_larger_batches() -> None:
    assert batch_size(torch.device("cuda")) > batch_size(torch.device("cpu"))


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(6, 5), lambda: nn.Conv2d(3, 5, 4), lambda: nn.ConvTranspose2d(3, 5, 4)]
)
def test_initial_weights_spread_as_those_of_pytorch(make: Callable[[], nn.Module]) -> None:
    before = torch.get_rng_state()
    network = blank(make)
    initialise(network, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state()), "the global generator is not ours to touch"
    theirs = torch.stack([nn.utils.parameters_to_vector(make().parameters()) for _ in range(300)])
    theirs = theirs.detach().abs().max()
    ours = nn.utils.parameters_to_vector(network.parameters()).detach().abs()
    # The largest of 300 uniform draws or more is within 3 % of the bound but for a chance of e^-9.
    assert float(ours.max()) <= float(theirs) * 1.03
    assert float(ours.mean()) == pytest.approx(float(theirs) / 2, rel=5 / (3 * len(ours)) ** 0.5)


@pytest.mark.parametrize("n", [0, 1, 4, 9])
def test_every_batch_is_full_and_every_row_comes_back(n: int) -> None:
    seen: list[int] = []

    def double(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return 2 * x + y

    x = torch.arange(n).float()
    result = torch.cat(list(in_batches(double, x, x, batch=4)))
    assert torch.equal(result, 3 * x)
    assert set(seen) == {4}
