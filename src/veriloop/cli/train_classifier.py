"""``veriloop train-classifier DATA --out FILE``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption, SetOption

if TYPE_CHECKING:
    from ..datasets.base import Dataset
    from ..metrics._classifier_training import LabelledImages


def train_classifier(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A plan (.yaml), from which the data set is read; a folder of images with a sub-folder for"
            " each class; or the name of a data set, such as digits.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="File for the weights, ending in .safetensors; a card is written next to it."
        ),
    ],
    set_: SetOption = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Number of passes over the images.", show_default="2,400 steps")
    ] = None,
    width: Annotated[
        str, typer.Option(metavar="A,B,C", help="Numbers of feature maps of the three convolutions.")
    ] = "16,32,48",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    json: JsonOption = False,
) -> None:
    """Train a small classifier of labelled images, whose features metrics can then use.

    A plan uses it with metrics: [{kind: frechet, classifier: FILE}, {kind: accuracy, classifier: FILE}].
    """
    from ..extras import require
    from .output import print_json

    require("torch")
    from ..metrics._classifier_training import train_classifier as train

    channels = _widths(width)
    _check_out(out, force)
    images = _images(data, set_ or [])
    options = "".join(f" --set {shlex.quote(s)}" for s in set_ or []) + f" --width {width}"
    command = f"veriloop train-classifier {shlex.quote(data)} --out {shlex.quote(out.name)}{options}"

    def on_epoch(epoch: int, epochs: int, loss: float) -> None:
        """Print the training loss of an epoch to standard error."""
        if not json:
            typer.echo(f"epoch {epoch}/{epochs}: loss {loss:.4f}", err=True)

    card = train(images, out, command=command, seed=seed, epochs=epochs, channels=channels, on_epoch=on_epoch)
    if json:
        print_json({"weights": str(out), **card.model_dump(mode="json")})
        return
    typer.echo(
        f"{out}: labels {card.test_accuracy:.1%} of {card.test_images:,} held-out images correctly,"
        f" and {card.train_accuracy:.1%} of {card.train_images:,} training images"
    )
    chance = 1 / card.classes
    if card.test_accuracy < (1 + chance) / 2:
        typer.echo(
            "note: its accuracy is low, so distances in its features mean little;"
            " more images of each class would help"
        )


def _widths(text: str) -> tuple[int, int, int]:
    from ..errors import ConfigError

    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().isdecimal() and 0 < int(p) <= 1024 for p in parts):
        raise ConfigError("--width", got=text, expected="three whole numbers, such as 16,32,48")
    first, second, third = map(int, parts)
    return first, second, third


def _check_out(out: Path, force: bool) -> None:
    from ..errors import ConfigError

    if out.suffix != ".safetensors":
        raise ConfigError("--out", got=str(out), expected="a file that ends in .safetensors")
    if not out.parent.is_dir():
        raise ConfigError("--out", got=str(out), expected=f"a file in an existing folder, not {out.parent}")
    there = [path for path in (out, out.with_suffix(".json")) if path.exists()]
    if there and not force:
        raise ConfigError(f"{there[0]} already exists", fix="give another --out, or --force to replace it")


def _images(data: str, settings: list[str]) -> "LabelledImages":
    """Return the labelled images that ``data`` names."""
    from ..datasets.idx import GreyImages
    from ..metrics._classifier_training import LabelledImages

    dataset = _dataset(data, settings)
    schema = dataset.schema()
    if not isinstance(dataset, GreyImages):
        return LabelledImages.of(dataset.load(0), schema)
    # All published training images unchanged, because their bits are redrawn in every epoch.
    whole = dataset.model_copy(update={"train": None, "start": 1})
    (grey, label), _ = whole.grey()
    real = whole.load(0)
    found = LabelledImages.of(real, schema, grey)
    return LabelledImages(**{**vars(found), "label": label.astype("int64")})


def _dataset(data: str, settings: list[str]) -> "Dataset":
    from ..config import load_plan
    from ..datasets.base import Dataset
    from ..errors import ConfigError
    from ..parts import at, resolve

    if data.lower().endswith((".yaml", ".yml")):
        return load_plan(Path(data), settings).dataset
    if settings:
        raise ConfigError("--set", got=settings[0], expected="only with a plan")
    kind, fields = ("images", {"path": data}) if Path(data).is_dir() else (data, {})
    found = resolve(Dataset.family, kind, Dataset)
    with at(f"data set {kind!r}"):
        return found.model_validate(fields)  # pyright: ignore[reportReturnType]
