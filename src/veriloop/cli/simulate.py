"""``veriloop simulate``: Monte Carlo of the linear system, compared with the theory."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .linear_options import (
    BiasOption,
    DimensionOption,
    ExecutorOption,
    OutsideOption,
    PlotOption,
    RadiusOption,
    RealOption,
    RoundsOption,
    SigmaOption,
    SizesOption,
    SlackOption,
    WorkersOption,
    check_plot,
    described,
    executor_of,
    sample_sizes,
    tell,
)
from .options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..linear import Simulation
    from ..theory.validation import Floats


def simulate(
    bias: BiasOption,
    radius: RadiusOption,
    n: SizesOption = "100",
    rounds: RoundsOption = 20,
    replicates: Annotated[int, typer.Option(help="Number of independent chains.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    design: Annotated[
        Literal["block", "standard", "isotropic"],
        typer.Option(help="Synthetic covariates: the paper's v_j, coordinate axes, or x ~ N(0, I / p)."),
    ] = "block",
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept everything: the collapsing baseline.")
    ] = False,
    p: DimensionOption = 8,
    n0: RealOption = 100,
    sigma: SigmaOption = 1.0,
    sigma_c: SlackOption = None,
    allow_outside: OutsideOption = False,
    executor: ExecutorOption = "serial",
    workers: WorkersOption = None,
    device: Annotated[
        str | None, typer.Option(help="A torch device for the draws, such as cuda; NumPy by default.")
    ] = None,
    plot: PlotOption = None,
    json: JsonOption = False,
) -> None:
    """Simulate many chains of retraining on the linear system, and compare them with the theory."""
    from ..linear import simulate as run_chains
    from ..recipes.linear_answers import compare_with_theory
    from ..theory import orthogonal_system
    from .output import print_table

    check_plot(plot)
    sizes, who = sample_sizes(n), executor_of(executor, workers)
    system = orthogonal_system(
        bias, radius, p=p, n0=n0, sigma=sigma, sigma_c=sigma_c, allow_outside=allow_outside
    )
    run = run_chains(system, sizes, rounds, replicates, seed, design, not unverified, who, device=device)
    seen = compare_with_theory(system, sizes, run, verified=not unverified, own_theory=design != "isotropic")
    if plot:
        from ..comparison.figures import save_figure
        from ..recipes.linear_figures import simulation_figure

        save_figure(simulation_figure(system, run, seen.theory, not unverified, seen.note), plot)
    if not json:
        print_table(_table(run, seen.theory, seen.note))
    asked = {
        "system": described(system, n0),
        "n": sizes,
        "rounds": rounds,
        "replicates": replicates,
        "seed": seed,
        "design": design,
        "verified": not unverified,
    }
    tell(seen.answer, asked, plot, json)


def _table(run: "Simulation", theory: "Floats", note: str) -> "Table":
    from ..report.names import MISSING
    from .output import new_table

    table = new_table()
    for heading in ("round", "simulated", "± standard error", note, "difference in errors"):
        table.add_column(heading, justify="right")
    for k, (mean, error, exact) in enumerate(zip(run.mse_star, run.mse_star_se, theory, strict=True)):
        known = error > 0
        z = f"{(mean - exact) / error:+.1f}" if known else MISSING
        table.add_row(f"{k}", f"{mean:.4g}", f"{error:.2g}" if known else MISSING, f"{exact:.4g}", z)
    return table
