"""Sum the gradients of passes in a fixed order without holding the whole gradient of each pass.

A pass has the whole gradient only at its end, and several passes run at once: so each parameter's gradient is
added to the sum as soon as it is computed, and freed. One that comes before that of an earlier pass waits.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn


class GradientSums:
    """Sums of gradients, in ``grad`` of each parameter.

    Args:
        parameters: Those to train.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._lock = threading.Lock()
        self._passes: dict[int, int] = {}
        self._next = [0] * len(parameters)
        self._early: dict[tuple[int, int], Tensor | None] = {}

    @contextmanager
    def of_step(self) -> Iterator[None]:
        """Inside, `add` takes the passes of one step, from 0."""
        self._next = [0] * len(self._parameters)
        hooks = [p.register_hook(partial(self._computed, place)) for place, p in enumerate(self._parameters)]
        try:
            yield
        finally:
            self._early.clear()
            for hook in hooks:
                hook.remove()

    def add(self, number: int, loss: Tensor) -> None:
        """Add the gradient of pass ``number``; sums are in the order of the numbers, not of the threads."""
        thread = threading.get_ident()
        self._passes[thread] = number
        try:
            for place, left in enumerate(torch.autograd.grad(loss, self._parameters, allow_unused=True)):
                if left is None:
                    self._put(place, number, None)
        finally:
            del self._passes[thread]

    def _computed(self, place: int, gradient: Tensor) -> Tensor:
        """Take a gradient out of a pass that is under way; what the pass holds in its place has no memory."""
        passes = self._passes
        # On a GPU, where there is one pass at a time, this is another thread than that of `add`.
        number = passes[threading.get_ident()] if len(passes) > 1 else next(iter(passes.values()))
        self._put(place, number, gradient)
        return gradient.new_zeros(()).expand_as(gradient)

    def _put(self, place: int, number: int, gradient: Tensor | None) -> None:
        parameter = self._parameters[place]
        with self._lock:
            self._early[place, number] = gradient
            while (key := (place, self._next[place])) in self._early:
                found = self._early.pop(key)
                self._next[place] += 1
                if found is None:
                    continue
                if parameter.grad is None:
                    parameter.grad = found.clone()  # its memory may be that of another gradient too
                else:
                    parameter.grad += found
