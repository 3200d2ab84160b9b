"""What was chosen in the CVAE and what it was chosen from: microseconds an image, on one thread.

    python benchmarks/choices.py [--out results/bench-choices.json]

One thread, as a worker of a run has, or the device that VERILOOP_DEVICE names. Times are wall-clock, the best
of several, with the choices taking turns, so that a change of the machine's pace meets all of them. A step is
one of Adam on 128 random images of the paper's network. torch.compile is tried where it finds a compiler.
"""

import argparse
import dataclasses
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# So that the time to compile is not that of reading what an earlier run compiled.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

import torch
from torch import Tensor, nn

from _plain import BATCH, CHANNELS, LATENT, SIDE, Plain
from veriloop.comparison.results import write_results
from veriloop.executors.threads import limit_threads
from veriloop.learners._cvae_fast import FastNetwork
from veriloop.learners._cvae_network import Architecture
from veriloop.networks import device, initialise

FLOAT32 = Architecture(SIDE, SIDE, 1, 10, LATENT, CHANNELS, 4)
BFLOAT16 = dataclasses.replace(FLOAT32, precision="bfloat16")
TURNS = 7

Call = Callable[[], object]


def network(architecture: Architecture) -> FastNetwork:
    made = FastNetwork(architecture)
    initialise(made, torch.Generator().manual_seed(0))
    return made.to(device())


def step_of(network: nn.Module, bound: Callable[..., Tensor], pixels: Tensor) -> Call:
    """A training step of ``network`` on ``pixels``; ``bound`` is summed."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    label = torch.arange(BATCH, device=pixels.device) % 10
    noise = torch.randn(BATCH, LATENT, device=pixels.device)

    def step() -> None:
        optimizer.zero_grad()
        (bound(pixels, label, noise).sum() / BATCH).backward()
        optimizer.step()

    return step


def steps() -> dict[str, Call]:
    counts = (torch.rand(BATCH, SIDE, SIDE) < 0.2).to(torch.uint8).to(device())
    pixels = counts.float().unsqueeze(1)
    plain, last = Plain().to(device()), Plain().to(device(), memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    ours, compiled, lower = network(FLOAT32), network(FLOAT32), network(BFLOAT16)
    compiled_bound = torch.compile(compiled.bound)

    def both(bound: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
        return lambda *batch: torch.stack(bound(*batch))

    return {
        "PyTorch's layers": step_of(plain, plain.bound, pixels),
        "PyTorch's layers, channels last": step_of(last, last.bound, pixels),
        "ours": step_of(ours, both(ours.bound), counts),
        "ours, compiled": step_of(compiled, both(compiled_bound), counts),
        "ours in bfloat16": step_of(lower, both(lower.bound), counts),
    }


def decodings() -> dict[str, tuple[Call, int]]:
    """Decoding, and how many images at a time."""

    def decode(network: FastNetwork, decoder: Callable[[Tensor, Tensor], Tensor], n: int) -> Call:
        latent = torch.randn(n, LATENT, device=device())
        label = network.one_hot(torch.arange(n, device=device()) % 10)
        return lambda: torch.sigmoid(decoder(latent, label))

    ours, lower = network(FLOAT32).requires_grad_(False), network(BFLOAT16).requires_grad_(False)
    sizes = (16, 32, 64, 128, 256, 512, 1024, 4096)
    return {
        **{f"{n} at a time": (decode(ours, ours.decode, n), n) for n in sizes},
        "128 at a time, compiled": (decode(ours, torch.compile(ours.decode), 128), 128),
        **{f"{n} at a time, bfloat16": (decode(lower, lower.decode, n), n) for n in (64, 128, 256)},
    }


def measure(calls: dict[str, tuple[Call, int]]) -> dict[str, float]:
    """Microseconds an image of each; those that cannot run here are left out, with a line that says so."""
    best: dict[str, float] = {}
    for name, (call, _) in calls.items():
        try:
            began = time.perf_counter()
            call()
            call()
        except Exception as e:
            if "compiled" not in name:
                raise
            print(f"  {name}: not measured ({str(e).splitlines()[0]})")
        else:
            best[name] = math.inf
            if "compiled" in name:
                print(f"  {name}: {time.perf_counter() - began:.1f} s before the first image")
    for _ in range(TURNS):
        for name in best:
            call, images = calls[name]
            repeats = max(1, 2048 // images)
            began = time.perf_counter()
            for _ in range(repeats):
                call()
            if device().type == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], (time.perf_counter() - began) / repeats / images * 1e6)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    out, began = parser.parse_args().out, time.perf_counter()
    figures: dict[str, dict[str, float]] = {}
    with limit_threads(1):
        for what, calls in (
            ("a training step", {name: (call, BATCH) for name, call in steps().items()}),
            ("decoding", decodings()),
        ):
            print(f"{what}, microseconds an image")
            figures[what] = {name: float(f"{t:.4g}") for name, t in measure(calls).items()}
            least = min(figures[what].values())
            for name, microseconds in figures[what].items():
                print(f"  {name:<40}{microseconds:>8.1f}{microseconds / least:>8.2f} x")
    if out:
        command = f"python benchmarks/choices.py --out {out}"
        write_results(out, command, time.perf_counter() - began, [], microseconds_an_image=figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
