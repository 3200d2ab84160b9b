"""Run folders as a kill leaves them, for tests of resuming."""

from pathlib import Path

from ..store.folder import RunFolder


def cut(path: Path, records: int) -> RunFolder:
    """Make the run at ``path`` look as if it was killed after its first ``records`` records."""
    folder = RunFolder(path)
    folder.set_status("running")
    for name in ("records.jsonl", "records.sha256"):
        lines = (path / name).read_bytes().splitlines(keepends=True)
        (path / name).write_bytes(b"".join(lines[:records]))
    return folder
