"""The exceptions of veriloop. Each one states what was found, what was expected, and what to do.

The command line prints ``str(error)`` as one line and exits with 2, so a message never holds a newline.
Every error survives pickling, because executors bring errors back from other processes.
"""

from typing import Any, Self

LONGEST = 600
"""Maximum length of the received value in a message, in characters."""


class VeriloopError(Exception):
    """Base class of all errors that veriloop raises on purpose.

    Args:
        what: What went wrong, in a few words that name the thing (a path, a key, a column).
        got: What was found. Left out of the message when None.
        expected: What would have been accepted. Left out when None.
        fix: What the user can do about it. Left out when None.
    """

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, fix: str | None = None
    ) -> None:
        self.what: str = what
        self.got: str | int | float | bool | None = (
            got if got is None or isinstance(got, str | int | float | bool) else str(got)
        )
        self.expected: str | None = None if expected is None else str(expected)
        self.fix: str | None = fix
        super().__init__(self._line())

    def _line(self) -> str:
        parts = [self.what]
        if self.got is not None:
            got = self.got if len(str(self.got)) <= LONGEST else f"{str(self.got)[: LONGEST - 3]}..."
            parts.append(f"got {got!r}" if isinstance(got, str) else f"got {got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        line = ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]
        if self.fix is not None:
            line = f"{line.rstrip('.')}. {self.fix[0].upper()}{self.fix[1:]}"
        return one_line(line)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.got, self.expected, self.fix)


def one_line(text: str) -> str:
    """Return ``text`` in one line that any file can store, with unpaired surrogates as question marks."""
    return " ".join(text.encode(errors="replace").decode().split())


def _rebuild(
    cls: type[VeriloopError], what: str, got: object, expected: object, fix: str | None
) -> VeriloopError:
    return cls(what, got=got, expected=expected, fix=fix)


class ConfigError(VeriloopError, ValueError):
    """A setting is wrong: an unknown key, a bad value, a part that does not exist."""


class DataError(VeriloopError, ValueError):
    """Data are missing, have the wrong shape or type, or do not match their checksum."""


class DomainError(VeriloopError, ValueError):
    """An argument lies outside the domain of a mathematical function."""


class MissingExtraError(VeriloopError, ImportError):
    """An optional dependency is not installed; the message names the extra to install."""

    @classmethod
    def of(cls, package: str, extra: str) -> Self:
        """Return the error for a missing ``package`` that the extra ``extra`` installs."""
        return cls(
            f"this needs the package {package!r}, which is not installed",
            fix=f"install it with: pip install 'veriloop[{extra}]'",
        )


class RunFolderError(VeriloopError):
    """A run folder is missing, already in use, from another configuration, or unreadable."""


class RunLockedError(RunFolderError):
    """Another process is writing to this run folder."""


class CorruptFileError(RunFolderError):
    """A file written by veriloop is truncated or was changed."""


class StorageError(VeriloopError, OSError):
    """Writing failed: the disk is full, a size limit was hit, or the folder is not writable."""


class ReadOnlyError(StorageError):
    """The folder cannot be written to; reading it still works."""


class ExhaustedError(VeriloopError):
    """A round reached ``max_candidates`` candidates and still kept fewer samples than it wanted."""


class BudgetError(VeriloopError):
    """The plan's limit on requests to a service, or on its cost, was reached."""


class ContractError(VeriloopError, TypeError):
    """A part broke the contract of its family, for example by returning too few verdicts."""
