"""Sums of gradients are in the order of the passes, whichever is first, and no pass holds its gradient."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from veriloop.learners._language.gradients import GradientSums

PASSES = 4


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(n)) for n in (5, 3, 7)]


def loss(some: list[nn.Parameter], number: int) -> Tensor:
    """Passes differ by orders of magnitude, so that the order shows. Odd ones leave out the second."""
    used = some[::2] if number % 2 else some
    scale = torch.tensor(10.0 ** (3 * number - 5))
    return torch.stack([(p * scale).sin().sum() for p in used]).sum()


def in_order() -> list[Tensor]:
    some = parameters()
    for number in range(PASSES):
        loss(some, number).backward()
    return [p.grad for p in some if p.grad is not None]


def one_after_another(order: list[int], add: Callable[[int], None]) -> None:
    for number in order:
        add(number)


def at_once(order: list[int], add: Callable[[int], None]) -> None:
    ready = threading.Barrier(len(order))

    def wait_and_add(number: int) -> None:
        ready.wait()
        add(number)

    with ThreadPoolExecutor(len(order)) as pool:
        list(pool.map(wait_and_add, order))


@pytest.mark.parametrize("run", [one_after_another, at_once])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 2, 0]])
def test_the_sum_is_in_the_order_of_the_passes(
    run: Callable[[list[int], Callable[[int], None]], None], order: list[int]
) -> None:
    some = parameters()
    sums = GradientSums(some)
    with sums.of_step():
        run(order, lambda number: sums.add(number, loss(some, number)))
    found = [p.grad for p in some if p.grad is not None]
    assert len(found) == len(some)
    assert all(torch.equal(a, b) for a, b in zip(found, in_order(), strict=True))


def test_a_parameter_without_a_gradient_has_none() -> None:
    some = parameters()
    sums = GradientSums(some)
    with sums.of_step():
        sums.add(0, loss(some, 1))
    assert [p.grad is None for p in some] == [False, True, False]


def test_a_gradient_is_freed_before_its_pass_ends() -> None:
    early, late = parameters()[:2]
    sums = GradientSums([early, late])
    computed: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []
    # The gradient of `late` is computed first. When that of `early` is, the first one has been added.
    late.register_hook(lambda g: computed.append(weakref.ref(g)))
    early.register_hook(lambda _: alive.append(computed[-1]() is not None))
    with sums.of_step():
        for number in range(2):
            sums.add(number, ((early * 2).sum() + late).sum())
    assert alive == [False, False]


def test_an_error_leaves_no_hook() -> None:
    some = parameters()
    sums = GradientSums(some)
    with pytest.raises(RuntimeError), sums.of_step():
        sums.add(0, torch.zeros(1).sum())
    for p in some:
        assert not p._backward_hooks
