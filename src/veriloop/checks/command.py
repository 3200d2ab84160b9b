"""Commands: does a user's program accept the text?"""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import ByteSize, Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from .base import ReadyCheck
from .python_tests import STARTED


class CommandCheck(ReadyCheck, frozen=True):
    """Runs a command on each text: exit code 0 accepts, any other rejects.

    It runs in an empty folder with the text in ``text.txt`` and all columns in ``row.json``. The text is its
    standard input, unless ``file`` gives the name of a file for it. A command that cannot be started, takes
    too long, or is ended by a signal is an abstention. Everything it has started ends with it. The last line
    it prints is the reason. It is not sandboxed: a command that runs generated code must do that itself.

    Attributes:
        command: Program and arguments; ``{file}`` is the text's path, ``{home}`` the run's working directory.
            A string instead of a list is refused unless ``shell`` is set.
        shell: Whether the command is one line for ``/bin/sh``.
        file: Name of the file for the text, such as ``answer.py``.
        reward_file: Whether the score is read from the file ``$VERILOOP_REWARD``: a number, true or false, or
            ``{"score": ..., "reason": ...}``; exit codes other than 0 are then abstentions.
        files: Largest size of a file that it may write.
        processes: Largest number of further processes; None for no limit.
    """

    program: ClassVar[str] = "veriloop.checks.programs.command:check"

    command: tuple[str, ...] | str
    shell: bool = False
    file: Annotated[str, Field(pattern=r"^[\w.-]*\w[\w.-]*$")] | None = None
    reward_file: bool = False
    files: Annotated[ByteSize, Field(ge=0)] = ByteSize(100_000_000)

    @model_validator(mode="after")
    def _a_list_or_a_line(self) -> Self:
        if isinstance(self.command, str) != self.shell or not self.command:
            got = f"a line, {self.command!r}" if isinstance(self.command, str) else "a list"
            expected = "a line for the shell" if self.shell else "a list: [program, argument, ...]"
            fix = None if self.shell else "or set shell: true"
            raise ConfigError("command", got=got, expected=expected, fix=fix)
        return self

    @property
    @override
    def allowed(self) -> float:
        return self.timeout + STARTED

    @override
    def check_call(self, columns: Collection[str]) -> list[str]:
        notes = super().check_call(columns)
        program = self._parts[0].replace("{home}", str(Path.cwd()))
        if shutil.which(program) is None:
            fix = "check its name; the command does not run in the working directory, so use {home}/NAME"
            raise ConfigError("command", got=program, expected="a program that can be started", fix=fix)
        return notes

    @override
    def source(self) -> dict[str, Path]:
        named = [part.replace("{home}/", "") for part in self._parts if part.startswith("{home}/")]
        return {f"command {name}": Path(name) for name in named if Path(name).is_file()}

    @override
    def settings(self) -> Mapping[str, Any]:
        how = {"command": list(self._parts), "file": self.file, "reward_file": self.reward_file}
        limits = {"timeout": self.timeout, "files": self.files, "processes": self.processes}
        return {"text": self.text, **how, **limits, "home": str(Path.cwd())}

    @property
    def _parts(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", self.command) if isinstance(self.command, str) else self.command
