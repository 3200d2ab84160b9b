"""The records of a run, line by line, each with the digests that it is checked against."""

from pathlib import Path

from pydantic import ValidationError

from ..errors import CorruptFileError
from ..nested import on_one_line
from ..records import RoundRecord
from .atomic import append_line, drop_torn_line, write_file
from .digests import RESTORE, LineCheck, as_written, line_checks, sha256


class Ledger:
    """``records.jsonl`` and ``records.sha256`` of a run folder.

    Attributes:
        path: Path of the records.
        checks: Path of their digests.
    """

    def __init__(self, folder: Path) -> None:
        self.path: Path = folder / "records.jsonl"
        self.checks: Path = folder / "records.sha256"

    def records(self, has_digests: bool) -> list[RoundRecord]:
        """Return the finished rounds, in the order in which they finished.

        Raises:
            CorruptFileError: A line has changed. (An incomplete last line is ignored.)
        """
        if not self.path.exists():
            return []
        *lines, _ = as_written(self.path.read_bytes()).split(b"\n")
        records = []
        for number, line in enumerate(lines, 1):
            try:
                records.append(RoundRecord.model_validate_json(line))
            except ValidationError as e:
                raise CorruptFileError(
                    f"{self.path}, line {number}, is not a record",
                    got=first_line(e),
                    fix="restore the file; deleting this line and all after it, here and in"
                    f" {self.checks.name}, loses only their rounds",
                ) from e
        if lines and has_digests:
            self._compare(lines)
        return records

    def _compare(self, lines: list[bytes]) -> None:
        """Compare the lines with their digests. A live run may have more digests than lines."""
        checks = self.line_checks()
        for number, (line, check) in enumerate(zip(lines, checks, strict=False), 1):
            if sha256(line) != check.record:
                raise CorruptFileError(
                    f"{self.path}, line {number}, differs from what the run wrote", fix=RESTORE
                )
        if len(checks) < len(lines):
            expected = f"{len(lines)}, as {self.path.name}"
            raise CorruptFileError(f"{self.checks} is missing lines", got=len(checks), expected=expected)

    def line_checks(self) -> list[LineCheck]:
        """Return the digests of all lines, and of the files of each round.

        Raises:
            CorruptFileError: A line has changed.
        """
        return list(line_checks(self.checks, self._digests()))

    def check_of(self, round_: int, arm: str) -> LineCheck:
        """Return the digests of a finished round.

        Raises:
            CorruptFileError: They are missing or have changed.
        """
        content = self._digests()
        # Searched, not parsed: a run may have thousands of rounds, and reads each once.
        if (found := content.rfind(f'{{"place": "round_{round_}/{arm}"'.encode())) < 0:
            raise CorruptFileError(f"{self.checks} has no line for round_{round_}/{arm}", fix=RESTORE)
        line = content[content.rfind(b"\n", 0, found) + 1 :].partition(b"\n")[0]
        (check,) = line_checks(self.checks, line + b"\n")
        return check

    def _digests(self) -> bytes:
        return self.checks.read_bytes() if self.checks.exists() else b""

    def append(self, record: RoundRecord, files: dict[str, str]) -> None:
        """Add the record of a round with ``files``, the digests of its files by name.

        Raises:
            StorageError: It could not be written; the round does not count.
        """
        line = on_one_line(record.model_dump_json())
        # The digest first: without its record it does not count, but a record without a digest would.
        check = LineCheck(f"round_{record.round}/{record.arm}", sha256(line.encode()), files)
        append_line(self.checks, check.line())
        append_line(self.path, line)

    def repair(self, finished: bool) -> None:
        """Remove what a kill in the middle of `append` left behind.

        Args:
            finished: Whether the run is finished; then it was not killed.

        Raises:
            CorruptFileError: Lines are missing from the records.
        """
        for path in (self.path, self.checks):
            drop_torn_line(path)
        checks = self.line_checks()
        records = self.path.read_bytes().count(b"\n") if self.path.exists() else 0
        if len(checks) <= records:
            return
        if finished or len(checks) > records + 1:
            raise CorruptFileError(
                f"{self.path} is missing lines",
                got=records,
                expected=f"{len(checks)}, as {self.checks.name}",
                fix=f"restore it, or also delete the last lines of {self.checks.name} to lose their rounds",
            )
        write_file(self.checks, b"".join(f"{check.line()}\n".encode() for check in checks[:records]))


def first_line(error: Exception) -> str:
    """Return the readable part of an error's message."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
    return str(error).splitlines()[0]
