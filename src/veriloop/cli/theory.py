"""``veriloop theory one-round | trajectory | phase``: the linear system, before any training."""

from typing import TYPE_CHECKING, Annotated

import typer

from .linear_options import (
    BiasOption,
    DimensionOption,
    MethodOption,
    OutsideOption,
    PlotOption,
    RadiusOption,
    RealOption,
    RoundsOption,
    SigmaOption,
    SizeOption,
    SizesOption,
    SlackOption,
    check_plot,
    described,
    sample_sizes,
    tell,
)
from .options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..theory import Trajectory

app: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Predict from theory whether a verifier helps, and for how many rounds."
)


@app.command("one-round")
def one_round(
    bias: BiasOption,
    radius: RadiusOption,
    n: SizeOption = 100,
    p: DimensionOption = 8,
    n0: RealOption = 100,
    sigma: SigmaOption = 1.0,
    sigma_c: SlackOption = None,
    method: MethodOption = "exact",
    allow_outside: OutsideOption = False,
    plot: PlotOption = None,
    json: JsonOption = False,
) -> None:
    """Compute whether one round of verified retraining lowers the error, and what it costs."""
    from ..recipes.linear_answers import one_round_answer
    from ..theory import orthogonal_system

    check_plot(plot)
    system = orthogonal_system(
        bias, radius, p=p, n0=n0, sigma=sigma, sigma_c=sigma_c, allow_outside=allow_outside
    )
    answer = one_round_answer(system, n, method)
    if plot:
        from ..comparison.figures import save_figure
        from ..recipes.linear_figures import one_round_figure

        save_figure(one_round_figure(system, n, method, answer.numbers["helpful_biases"]), plot)
    tell(answer, {"system": described(system, n0), "n": n, "method": method}, plot, json)


@app.command("trajectory")
def many_rounds(
    bias: BiasOption,
    radius: RadiusOption,
    n: SizesOption = "100",
    rounds: RoundsOption = 20,
    p: DimensionOption = 8,
    n0: RealOption = 100,
    sigma: SigmaOption = 1.0,
    sigma_c: SlackOption = None,
    allow_outside: OutsideOption = False,
    plot: PlotOption = None,
    json: JsonOption = False,
) -> None:
    """Compute many rounds: the best one, the limit, and whether the error turns up again. Always exact."""
    from ..recipes.linear_answers import trajectory_answer
    from ..theory import orthogonal_system
    from .output import print_table

    check_plot(plot)
    sizes = sample_sizes(n)
    system = orthogonal_system(
        bias, radius, p=p, n0=n0, sigma=sigma, sigma_c=sigma_c, allow_outside=allow_outside
    )
    answer, course = trajectory_answer(system, sizes, rounds)
    if plot:
        from ..comparison.figures import save_figure
        from ..recipes.linear_figures import trajectory_figure

        save_figure(trajectory_figure(system, course), plot)
    if not json:
        print_table(_course_table(course))
    tell(answer, {"system": described(system, n0), "n": sizes, "rounds": rounds}, plot, json)


@app.command("phase")
def phase(
    bias: Annotated[
        tuple[float, float], typer.Option("--bias", metavar="LOW HIGH", help="Range of the bias.")
    ] = (0.0, 0.7),
    radius: Annotated[
        tuple[float, float], typer.Option("--radius", metavar="LOW HIGH", help="Range of the radius.")
    ] = (0.01, 0.5),
    cells: Annotated[
        int, typer.Option("--cells", min=2, max=2000, help="Number of biases, and of radii.")
    ] = 60,
    n: SizeOption = 100,
    p: DimensionOption = 8,
    n0: RealOption = 100,
    sigma: SigmaOption = 1.0,
    sigma_c: SlackOption = None,
    method: MethodOption = "exact",
    plot: PlotOption = None,
    json: JsonOption = False,
) -> None:
    """Map over bias and radius which verifiers help in one round; the ball may miss the truth."""
    import numpy as np

    from ..recipes.linear_answers import phase_answer
    from ..theory import one_round_grid, orthogonal_system

    check_plot(plot)
    biases, radii = (np.linspace(*_ascending(name, ends), cells)
                     for name, ends in (("--bias", bias), ("--radius", radius)))  # fmt: skip
    system = orthogonal_system(
        bias[1], radius[1], p=p, n0=n0, sigma=sigma, sigma_c=sigma_c, allow_outside=True
    )
    grid = one_round_grid(system, biases, radii, n, method)
    answer = phase_answer(system, grid, n)
    if plot:
        from ..comparison.figures import save_figure
        from ..recipes.linear_figures import phase_figure

        title = f"one round by theory, n = {n:g} per direction, n0 = {n0}"
        save_figure(phase_figure(grid, sigma, title), plot)
    common = described(system, n0)
    del common["bias"], common["radius"]
    tell(answer, {"system": common, "n": n, "method": method}, plot, json)


def _ascending(name: str, ends: tuple[float, float]) -> tuple[float, float]:
    from ..errors import ConfigError

    if not ends[0] < ends[1]:
        raise ConfigError(
            f"{name}: the range is empty", got=f"{ends[0]:g} {ends[1]:g}", expected="LOW < HIGH"
        )
    return ends


def _course_table(course: "Trajectory") -> "Table":
    from .output import new_table

    table = new_table()
    for heading in ("round", "error to the truth", "to the verifier's center"):
        table.add_column(heading, justify="right")
    last = len(course.mse_star) - 1
    shown = {0, 1, 2, 3, 5, 10, 20, 50, 100, course.best_round, last}
    for k in sorted(k for k in shown if k <= last):
        best = " *" if k == course.best_round else ""
        table.add_row(f"{k}", f"{course.mse_star[k]:.4g}{best}", f"{course.mse_center[k]:.4g}")
    return table
