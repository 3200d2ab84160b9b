"""The network of `ddpm`, its training, and the resulting generator."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from ..errors import CorruptFileError, DataError, VeriloopError
from ..generator import Generator
from ..networks import blank, device, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import torch_generator
from ..samples import Samples
from ._numbers import Floats, Layout, load_model, save_model, training_rows

if TYPE_CHECKING:
    from .ddpm import DDPM

MODEL, WEIGHTS = "ddpm.safetensors", "ddpm-network.safetensors"
FREQUENCIES = 8
"""Number of pairs of sine and cosine that encode a row's noise level."""


class Network(nn.Module):
    """Predicts the noise in a row from its noise level and label.

    Args:
        width: Number of values in a row.
        hidden: Width of the two hidden layers.
        classes: Number of labels; one more stands for a hidden label.
    """

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.classes: int = classes
        self.layers: nn.Sequential = nn.Sequential(
            nn.Linear(width + 2 * FREQUENCIES + classes + 1, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, width),
        )

    def forward(self, rows: Tensor, progress: Tensor, label: Tensor) -> Tensor:
        """Return the noise in rows, both (n, width), for noise levels as shares (n,) and labels (n,)."""
        turns = progress[:, None] * math.pi * 2 ** torch.arange(FREQUENCIES, device=rows.device)
        one_hot = nn.functional.one_hot(label, self.classes + 1).to(rows.dtype)
        return self.layers(torch.cat([rows, turns.sin(), turns.cos(), one_hot], 1))


def kept_at(levels: int) -> Tensor:
    """Return the share of a row's variance left after each level, on a cosine (Nichol and Dhariwal 2021)."""
    share = torch.arange(levels + 1, dtype=torch.float64) / levels
    curve = torch.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2
    # As in the paper, a level removes at most 0.999 of the remainder, so that the last one leaves something.
    ratio = (curve[1:] / curve[:-1]).clamp(min=0.001)
    return torch.cat([torch.ones(1, dtype=torch.float64), ratio.cumprod(0)])


class DiffusionGenerator(Generator):
    """Generates rows by denoising.

    Args:
        network: Trained and frozen network.
        center: Mean of the training rows, shape (d,).
        spread: Standard deviations of the training rows, shape (d,).
        layout: Columns that the d values belong to.
        settings: Settings of the network and of sampling, see `DDPM`.
    """

    def __init__(
        self, network: Network, center: Floats, spread: Floats, layout: Layout, settings: dict[str, Any]
    ) -> None:
        self.network: Network = network
        self.center: Floats = center
        self.spread: Floats = spread
        self.layout: Layout = layout
        self.settings: dict[str, Any] = settings

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        name = self.settings["label"]
        if name is None:
            label = torch.full((n,), self.network.classes)
        elif condition is None or len(condition) != n:
            got = "none" if condition is None else len(condition)
            raise DataError("conditions of a diffusion model", got=got, expected=f"{n} rows with {name!r}")
        else:
            label = torch.tensor(condition.array(name).astype(np.int64))
        rows = self._denoised(label, torch_generator(rng)).double().numpy()
        made = self.layout.columns(self.center + self.spread * rows)
        return Samples(**made) if condition is None else condition.with_columns(**made)

    def _denoised(self, label: Tensor, generator: torch.Generator) -> Tensor:
        kept, levels = kept_at(self.settings["levels"]).tolist(), self.settings["levels"]
        shape = (len(label), len(self.center))
        rows = torch.randn(shape, generator=generator)
        for level in range(levels, 0, -1):
            progress = torch.full((len(rows),), level / levels)
            noise = torch.cat(list(in_batches(self._noise, rows, progress, label)))
            ratio = kept[level] / kept[level - 1]
            # The predicted clean row; rows are standardised, so clip it to stop one level from producing
            # outliers.
            clean = ((rows - math.sqrt(1 - kept[level]) * noise) / math.sqrt(kept[level])).clamp(-6, 6)
            before, after = math.sqrt(kept[level - 1]) * (1 - ratio), math.sqrt(ratio) * (1 - kept[level - 1])
            rows = (before * clean + after * rows) / (1 - kept[level])
            variance = (1 - kept[level - 1]) / (1 - kept[level]) * (1 - ratio)
            drawn = torch.randn(shape, generator=generator)
            rows = rows + self.settings["temperature"] * math.sqrt(variance) * drawn
        return rows

    def _noise(self, rows: Tensor, progress: Tensor, label: Tensor) -> Tensor:
        noise, guidance = self.network(rows, progress, label), self.settings["guidance"]
        if not guidance:
            return noise
        hidden = torch.full_like(label, self.network.classes)
        return (1 + guidance) * noise - guidance * self.network(rows, progress, hidden)

    @override
    def save(self, directory: Path) -> None:
        save_weights(self.network, directory / WEIGHTS)
        arrays = {"center": self.center, "spread": self.spread}
        save_model(directory / MODEL, arrays, self.layout, **self.settings)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        arrays, layout, settings = load_model(directory / MODEL)
        try:
            shape = (layout.width, int(str(settings["hidden"])), int(str(settings["classes"])))
        except (KeyError, ValueError) as e:
            raise CorruptFileError(f"model {directory / MODEL} cannot be read ({e})") from e
        network = blank(lambda: Network(*shape))
        load_weights(network, directory / WEIGHTS)
        return cls(network, arrays["center"], arrays["spread"], layout, settings)


def trained(
    learner: "DDPM", samples: Samples, init: Generator | None, rng: np.random.Generator
) -> DiffusionGenerator:
    """Train a model on ``samples`` with the settings of ``learner``.

    Raises:
        DataError: There are no samples, or some numbers are not finite.
        VeriloopError: The loss became NaN or infinite.
    """
    names = [name for name in samples if name != learner.label]
    layout, rows = training_rows(samples, names, "learner 'ddpm'")
    center, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    generator = torch_generator(rng, str(device()))
    classes = (learner.classes or 0) if learner.label else 0
    network = blank(lambda: Network(rows.shape[1], learner.hidden, classes)).to(device())
    initialise(network, generator)
    if isinstance(init, DiffusionGenerator) and _alike(init.network, network):
        network.load_state_dict(init.network.state_dict())
    hidden = torch.full((len(rows),), classes)
    label = torch.tensor(samples.array(learner.label).astype(np.int64)) if learner.label else hidden
    standard = torch.tensor((rows - center) / spread, dtype=torch.float32)
    _train(network, standard.to(device()), label.to(device()), learner, generator)
    freeze(network)
    settings = learner.model_dump(include={"levels", "hidden", "guidance", "temperature", "label"})
    return DiffusionGenerator(network, center, spread, layout, {**settings, "classes": classes})


def _alike(one: Network, other: Network) -> bool:
    shapes = ({k: v.shape for k, v in network.state_dict().items()} for network in (one, other))
    return next(shapes) == next(shapes)


def _train(
    network: Network, rows: Tensor, label: Tensor, learner: "DDPM", generator: torch.Generator
) -> None:
    where, n, size = rows.device, len(rows), learner.batch_size
    kept = kept_at(learner.levels).float().to(where)
    optimizer = torch.optim.Adam(network.parameters(), learner.learning_rate, fused=True)
    total = torch.zeros((), device=where)
    for step in range(learner.steps):
        optimizer.param_groups[0]["lr"] = (
            learner.learning_rate * (1 + math.cos(math.pi * step / learner.steps)) / 2
        )
        chosen = torch.randint(n, (size,), generator=generator, device=where)
        level = torch.randint(1, learner.levels + 1, (size,), generator=generator, device=where)
        noise = torch.randn(size, rows.shape[1], generator=generator, device=where)
        hide = torch.rand(size, generator=generator, device=where) < learner.unlabelled
        left = kept[level][:, None]
        noisy = left.sqrt() * rows[chosen] + (1 - left).sqrt() * noise
        guess = network(noisy, level / learner.levels, torch.where(hide, network.classes, label[chosen]))
        loss = ((guess - noise) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    if not math.isfinite(float(total)):
        raise VeriloopError("training diverged", got=float(total), fix="lower learning_rate")
