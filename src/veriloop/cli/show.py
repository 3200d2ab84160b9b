"""``veriloop show RUN``."""

from .options import FolderArgument, JsonOption


def show(folder: FolderArgument, json: JsonOption = False) -> None:
    """Show the result of a run: whether the verifier helps, the round to ship, and warnings."""
    from ..errors import CorruptFileError
    from ..report.run_rows import run_row
    from ..store.folder import RunFolder
    from .output import print_json, print_lines

    run = RunFolder.open(folder)
    row = run_row(run)
    if row.found is None:
        raise CorruptFileError(row.standing.line)
    if json:
        print_json(row.to_json())
        return
    stands = row.standing
    print_lines([*row.found.lines(), *(f"{s.arm}: {s.sentence()}" for s in row.summaries)])
    print_lines([f"{stands.status}, {row.done} of {row.rounds} rounds, seed {row.seed}"])
    if stands.status in ("waiting", "stopped", "failed"):
        print_lines([stands.sentence])
