"""Options and output shared by the commands for the linear system."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

if TYPE_CHECKING:
    from ..executors.base import Executor
    from ..recipes.linear_answers import Answer
    from ..theory import LinearSystem

BiasOption = Annotated[
    float,
    typer.Option("--bias", help="Distance from the truth to the verifier's knowledge center.", metavar="B"),
]
RadiusOption = Annotated[
    float,
    typer.Option(
        "--radius", help="Selectivity of the verifier; a smaller radius accepts fewer samples.", metavar="R"
    ),
]
DimensionOption = Annotated[int, typer.Option("--p", max=1000, help="Number of coefficients.")]
RealOption = Annotated[
    int,
    typer.Option(
        "--n0", help="Number of real samples; the design is orthogonal with singular values sqrt(n0)."
    ),
]
SigmaOption = Annotated[float, typer.Option("--sigma", help="Standard deviation of the label noise.")]
SlackOption = Annotated[
    float | None,
    typer.Option("--sigma-c", help="Slack of the verifier for noise.", show_default="sigma * sqrt(2 / pi)"),
]
SizeOption = Annotated[
    float, typer.Option("--n", help="Kept synthetic samples per direction; inf for the limit.")
]
SizesOption = Annotated[
    str,
    typer.Option("--n", help="Kept samples per direction: one number, or one per round, such as 50,100,200."),
]
RoundsOption = Annotated[int, typer.Option("--rounds", max=10_000, help="Number of rounds.")]
OutsideOption = Annotated[
    bool,
    typer.Option(
        "--allow-outside", help="Allow a bias above the radius, so that the verifier's ball misses the truth."
    ),
]
MethodOption = Annotated[
    Literal["expansion", "exact"],
    typer.Option("--method", help="Theorem 3.1, or the exact result without its remainder term."),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Save a plot as a .png, .svg or .pdf file.")
]
ExecutorOption = Annotated[
    str, typer.Option("--executor", help="Executor: serial, process or ray. Results do not depend on it.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of workers; by default the executor decides.")
]


def sample_sizes(text: str) -> float | list[float]:
    """Parse ``--n``: one number, or one for each round.

    Raises:
        ConfigError: It is neither.
    """
    from ..errors import ConfigError

    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError as e:
        raise ConfigError("--n", got=text, expected="a number, or numbers separated by commas") from e
    return sizes if len(sizes) > 1 else sizes[0]


def executor_of(kind: str, workers: int | None) -> "Executor":
    """Return the executor for ``--executor`` and ``--workers``.

    Raises:
        ConfigError: There is no such executor, or it has no workers.
        MissingExtraError: It needs a package that is not installed.
    """
    from ..errors import ConfigError
    from ..executors.base import Executor
    from ..parts import resolve

    found = cast("type[Executor]", resolve(Executor.family, kind, base=Executor))
    if workers is None:
        return found()
    if "workers" not in found.model_fields:
        raise ConfigError(f"--workers: the executor {kind!r} has none", fix="use --executor process")
    return found.model_validate({"workers": workers})


def check_plot(plot: Path | None) -> None:
    """Refuse a ``--plot`` file that cannot be written, before anything is computed.

    Raises:
        ConfigError: Its suffix is unknown, or its folder does not exist.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if plot:
        from ..comparison.figures import check_suffix

        check_suffix(plot)


def described(system: "LinearSystem", n0: int) -> dict[str, Any]:
    """Describe the system in question, for ``--json``."""
    return {
        "bias": system.bias,
        "radius": system.radius,
        "p": system.dimension,
        "n0": n0,
        "sigma": system.sigma,
        "sigma_c": system.sigma_c,
    }


def tell(answer: "Answer", asked: dict[str, Any], plot: Path | None, json: bool) -> None:
    """Print an answer: with ``json`` one object that also contains the question, else text."""
    from ..recipes.base import plain
    from .output import print_json

    if json:
        drawn = {"plot": str(plot)} if plot else {}
        print_json(plain({**asked, **answer.numbers, **drawn}))
        return
    for line in answer.words:
        typer.echo(line)
    if plot:
        typer.echo(f"plot: {plot}")
