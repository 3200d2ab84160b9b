"""Keep the records of a finished run as a results file: RUN, the file, and the command that made the run."""

import argparse
from pathlib import Path

from veriloop.comparison.results import Measured, write_results
from veriloop.events import RunEnded, RunStarted
from veriloop.store.folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("to", type=Path)
    parser.add_argument("--command", required=True, help="the command that made the run")
    arguments = parser.parse_args()
    folder = RunFolder.open(arguments.run)
    events, _ = folder.events()
    # Time that the run was at work: from each start or resumption to the end that followed it.
    began = [e.at for e in events if isinstance(e, RunStarted)]
    ended = [e.at for e in events if isinstance(e, RunEnded)]
    seconds = sum(end - begin for begin, end in zip(began, ended, strict=True))
    manifest = folder.manifest()
    measured = [Measured(record, manifest.seed, arguments.run.name) for record in folder.records()]
    write_results(arguments.to, arguments.command, seconds, measured)


if __name__ == "__main__":
    main()
