"""The records of a run, line by line, and beside each the digests that it is compared with."""

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
        path: Of the records.
        checks: Of their digests.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.checks = folder / "records.jsonl", folder / "records.sha256"

    def records(self, has_digests: bool) -> list[RoundRecord]:
        """The finished rounds, in the order in which they finished.

        Raises:
            CorruptFileError: A line has changed. (A last line without its end does not count.)
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
                    fix="restore the file; deleting this line and those after it, here and in"
                    f" {self.checks.name}, loses their rounds only",
                ) from e
        if lines and has_digests:
            self._compare(lines)
        return records

    def _compare(self, lines: list[bytes]) -> None:
        """Compare the lines with their digests. Of these there may be more, in a live run."""
        checks = self.line_checks()
        for number, (line, check) in enumerate(zip(lines, checks, strict=False), 1):
            if sha256(line) != check.record:
                raise CorruptFileError(f"{self.path}, line {number}, is not what the run wrote", fix=RESTORE)
        if len(checks) < len(lines):
            expected = f"{len(lines)}, as {self.path.name}"
            raise CorruptFileError(f"{self.checks} lacks lines", got=len(checks), expected=expected)

    def line_checks(self) -> list[LineCheck]:
        """The digests of all lines, and of the files of each round.

        Raises:
            CorruptFileError: A line has changed.
        """
        return list(line_checks(self.checks, self._digests()))

    def check_of(self, round_: int, arm: str) -> LineCheck:
        """The digests of a finished round.

        Raises:
            CorruptFileError: They have changed, or are not there.
        """
        content = self._digests()
        # Looked for, not parsed: a run may have thousands of rounds, and reads each once.
        if (found := content.rfind(f'{{"place": "round_{round_}/{arm}"'.encode())) < 0:
            raise CorruptFileError(f"{self.checks} has no line for round_{round_}/{arm}", fix=RESTORE)
        line = content[content.rfind(b"\n", 0, found) + 1 :].partition(b"\n")[0]
        (check,) = line_checks(self.checks, line + b"\n")
        return check

    def _digests(self) -> bytes:
        return self.checks.read_bytes() if self.checks.exists() else b""

    def append(self, record: RoundRecord, files: dict[str, str]) -> None:
        """Add the record of a round, which left ``files``, by name with their digests.

        Raises:
            StorageError: It could not be written; the round does not count.
        """
        line = on_one_line(record.model_dump_json())
        # First the digest: without its record it does not count, as a record without its digest would.
        check = LineCheck(f"round_{record.round}/{record.arm}", sha256(line.encode()), files)
        append_line(self.checks, check.line())
        append_line(self.path, line)

    def mend(self, finished: bool) -> None:
        """Forget what a kill in the middle of `append` has left.

        Args:
            finished: Whether the run is: then none was killed.

        Raises:
            CorruptFileError: Lines of the records are lost.
        """
        for path in (self.path, self.checks):
            drop_torn_line(path)
        checks = self.line_checks()
        records = self.path.read_bytes().count(b"\n") if self.path.exists() else 0
        if len(checks) <= records:
            return
        if finished or len(checks) > records + 1:
            raise CorruptFileError(
                f"{self.path} lacks lines",
                got=records,
                expected=f"{len(checks)}, as {self.checks.name}",
                fix=f"restore it; to lose their rounds, delete the last lines of {self.checks.name} as well",
            )
        write_file(self.checks, b"".join(f"{check.line()}\n".encode() for check in checks[:records]))


def first_line(error: Exception) -> str:
    """Of an error's message, the part for people."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
    return str(error).splitlines()[0]
