"""``veriloop audit TABLE --real TABLE --accepted COLUMN ...``, or ``veriloop audit RUN --arm ARM``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import JsonOption, TrustOption

if TYPE_CHECKING:
    from ..advise.audited import Audited
    from ..advise.auditing import Generator

EmbeddingOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="For texts: tfidf, or sentence-transformers:NAME. For images: pixels, or classifier:NAME.",
    ),
]
RuleOption = Annotated[
    Literal["fixed", "top_fraction"] | None,
    typer.Option(help="Whether each row was decided separately (fixed), or the best share was accepted."),
]
GeneratorOption = Annotated[
    Literal["location", "refit", "resample"] | None,
    typer.Option(
        help="How the generator is refitted, if known: its mean moves (location), mean and spread move"
        " (refit), or it draws from the accepted rows, smoothed (resample); default: what holds"
        " for all."
    ),
]


def audit(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Generated rows with verdicts: .jsonl, .parquet, .csv or .npz; or a run folder.",
        ),
    ],
    real: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Real rows, in a file of the same kind.")
    ] = None,
    accepted: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column with the decisions; empty for abstentions."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Columns of numbers, texts or booleans to audit in."),
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="KEY", help="Array in .npz files, rows x features, to audit in.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="Text column to audit in.")] = None,
    image: Annotated[str | None, typer.Option(metavar="COLUMN", help="Image column to audit in.")] = None,
    embedding: EmbeddingOption = None,
    score: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column with the scores.")] = None,
    rule: RuleOption = None,
    generator: GeneratorOption = None,
    arm: Annotated[str | None, typer.Option(help="For a run: the arm; default: verified.")] = None,
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="For a run: the round; default: the last one.")
    ] = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Predict from one round of verdicts whether a verifier will help, before any training."""
    from .output import no_report, print_json

    if path.is_dir():
        given = {"--real": real, "--accepted": accepted, "--features": features, "--array": array}
        given |= {"--text": text, "--image": image, "--embedding": embedding, "--score": score}
        given["--rule"] = rule
        _refuse(given, f"{path} is a run folder", "only --arm, --round, --generator, --trust and --json")
        found, written = _of_run(path, arm or "verified", round_, generator, trust)
    else:
        from ..ask.audit_table import audit_table
        from ..errors import ConfigError

        written = True
        _refuse({"--arm": arm, "--round": round_}, f"{path} is not a run folder", "options of tables")
        if real is None or accepted is None:
            raise ConfigError(f"{path} is not a run folder", expected="for a table: --real and --accepted")
        found = audit_table(
            path,
            real,
            accepted,
            features=features.split(",") if features else [],
            array=array,
            text=text,
            image=image,
            embedding=embedding,
            score=score,
            rule=rule or "fixed",
            generator=generator,
        )
    if json:
        print_json(found.audit.to_json())
    else:
        _print(found)
        if not written:
            typer.echo(no_report())


def _refuse(options: Mapping[str, object], where: str, expected: str) -> None:
    from ..errors import ConfigError

    if given := [name for name, value in options.items() if value is not None]:
        raise ConfigError(where, got=", ".join(given), expected=expected)


def _of_run(
    path: Path, arm: str, round_: int | None, generator: "Generator | None", trust: bool
) -> "tuple[Audited, bool]":
    from ..ask.audit_run import audit_run
    from ..config import plan_of
    from ..store.folder import RunFolder
    from .output import report_of

    folder = RunFolder.open(path)
    found, _ = audit_run(plan_of(folder, trust=trust), folder, arm, round_, generator)
    return found, report_of(folder) is not None


def _print(found: "Audited") -> None:
    from ..report.audits import hardest_pulled, lines
    from .output import new_table, print_table

    table = new_table()
    table.add_column(f"{found.subject}; distances in standard deviations of the model")
    for heading in ("value", "95 % interval"):
        table.add_column(heading, justify="right")
    for line in lines(found.audit):
        table.add_row(*line)
    print_table(table)
    typer.echo(f"strongest pull: {hardest_pulled(found)}")
    for kind, rows, texts in (
        ("wanted", found.audit.wanted, found.wanted),
        ("unwanted", found.audit.unwanted, found.unwanted),
    ):
        for row, text in zip(rows, texts, strict=False):  # empty unless the audit is about texts
            typer.echo(f"{kind}, row {row + 1}: {' '.join(text.split())[:100]}")
    for warning in found.audit.warnings:
        typer.echo(f"note: {warning}")
    typer.echo(found.audit.verdict)
