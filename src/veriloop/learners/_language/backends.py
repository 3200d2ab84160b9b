"""Who writes completions: our own process, a server that we start on the model, or any server by its URL."""

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from ...errors import ConfigError, VeriloopError
from ...guarded.kept import kept
from ...guarded.process import GuardedProcess
from ...parts import Checked
from ...remote.completions import Completion
from ...remote.service import Patience, Service
from .control import Asked

STARTED_MODEL = "veriloop"
"""What a server that we start calls its model."""

PLACE = "model server"
"""Where a run keeps the server that it has started: one, as a model may fill the memory of a GPU."""

ENDING = 20.0
"""Seconds that a server that we started has to end by itself when it is asked to."""


class Transformers(Checked, frozen=True):
    """The model is in our own process, on its GPU or CPU.

    Attributes:
        batch_tokens: Prompt and new tokens that are in memory together, padding included.
    """

    kind: Literal["transformers"] = "transformers"
    batch_tokens: Annotated[int, Field(gt=0)] = 16_384


class Client(Patience, frozen=True):
    """How to talk to a server with OpenAI's interface: as `Patience` says, with time to write."""

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 32
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0


class Started(Client, frozen=True):
    """A server in a process of its own, started on the trained model.

    A run keeps it until another model is to write, or one is to be trained, which may need its memory. So an
    arm that runs alone starts one each round, and of several arms each starts two. Worker processes keep
    none: there every chunk of candidates starts one.

    Attributes:
        command: Starts the server; ``{model}`` and ``{port}`` are filled in. It must call the model
            ``veriloop``.
        start_timeout: Seconds until it has to answer.
    """

    kind: Literal["vllm"] = "vllm"
    command: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "vllm",
        "serve",
        "{model}",
        "--port",
        "{port}",
        "--served-model-name",
        STARTED_MODEL,
    )
    start_timeout: Annotated[float, Field(gt=0)] = 600


class Remote(Client, Service, frozen=True):
    """A server that runs already. Its model writes, whatever is trained here.

    Attributes:
        model: What the server calls its model.

    The other fields are those of `Service`; ``url`` goes up to and including the version, such as
    ``http://localhost:8000/v1``.
    """

    kind: Literal["openai"] = "openai"
    model: str


class Decoding(Checked, frozen=True):
    """How completions are written.

    Attributes:
        max_new_tokens: The longest completion, the end-of-text token included.
        temperature: 0 takes the likeliest token (greedy decoding).
        top_k: Draw from so many of the likeliest tokens; from all when None.
        top_p: Draw from the likeliest tokens that together have this probability.
        min_p: Draw from the tokens that have at least this share of the likeliest one's probability.
        repetition_penalty: Makes tokens less likely that stand in the prompt or in what was written: their
            logits are divided by it, or multiplied where they are below 0. 1 for none.
        stop: Strings that end a completion; they are no part of it.
        backend: Who writes.
    """

    max_new_tokens: Annotated[int, Field(gt=0)] = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_k: Annotated[int, Field(gt=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    repetition_penalty: Annotated[float, Field(gt=0)] = 1.0
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    backend: Annotated[Transformers | Started | Remote, Field(discriminator="kind")] = Transformers()

    @model_validator(mode="after")
    def _draws(self) -> Self:
        drawing = {"top_k": self.top_k, "top_p": self.top_p < 1, "min_p": self.min_p}
        if not self.temperature and (idle := [name for name, value in drawing.items() if value]):
            raise ConfigError(
                f"{idle[0]} does nothing at temperature 0, where the likeliest token is taken",
                fix=f"set temperature above 0, or take {idle[0]} out",
            )
        return self


def ask(
    server: Remote, prompts: Sequence[Asked], decoding: Decoding, rng: np.random.Generator
) -> list[Completion]:
    """A completion of each prompt by a running server, each with a seed of its own drawn from ``rng``.

    Whether equal seeds give equal texts is the server's affair. A prompt that the server answers without a
    text, or refuses, has an empty one with the reason.

    Raises:
        VeriloopError: The server cannot be reached, refuses for good, gives no answer to a prompt for now, or
            answers nothing but replies without text.
    """
    # Not before it is needed: most models write in our own process.
    from ...remote.writing import write

    settings: dict[str, Any] = {
        "model": server.model,
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
    }
    # Not all servers know these, and a server that does not may refuse: it is sent what is set.
    more = {"top_k": decoding.top_k, "min_p": decoding.min_p, "stop": list(decoding.stop)}
    settings |= {name: value for name, value in more.items() if value}
    if decoding.repetition_penalty != 1:
        settings["repetition_penalty"] = decoding.repetition_penalty
    seeds = rng.integers(2**31, size=len(prompts)).tolist()
    return write(server, server.model, settings, prompts, seeds)


class Serving(NamedTuple):
    """A server that we have started, and its process."""

    remote: Remote
    process: GuardedProcess


def serving(
    backend: Started, weights: str, save: Callable[[Path], None]
) -> contextlib.AbstractContextManager[Serving]:
    """A server on a model: the one that the run keeps, if it has the same weights, or else a new one.

    Args:
        backend: How it is started.
        weights: Their digest.
        save: Writes the model into an existing folder.

    Raises:
        VeriloopError: As `started` does.
    """

    @contextlib.contextmanager
    def opened() -> Iterator[Serving]:
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder))
            with started(backend, Path(folder)) as server:
                yield server

    key = f"{backend.model_dump_json()} {weights}"
    return kept(PLACE, key, opened, lambda server: server.process.poll() is None)


@contextlib.contextmanager
def started(backend: Started, model: Path) -> Iterator[Serving]:
    """A server on the model folder ``model`` while the block runs.

    It ends with this process, however that ends, and with it all that it has started: an orphan would hold
    the GPU.

    Raises:
        VeriloopError: The command is not there, ends, or does not answer in time; with its last words.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [part.format(model=model, port=port) for part in backend.command]
    url = f"http://127.0.0.1:{port}/v1"
    with tempfile.TemporaryFile() as log:
        if shutil.which(command[0]) is None:
            raise VeriloopError(
                f"server {command[0]!r} cannot be started (it is not there, or may not be run)",
                fix="install it (pip install vllm), or set decoding.backend to transformers",
            )
        process = GuardedProcess(command, output=log, grace=ENDING)
        try:
            if not _answers(url, process, backend.start_timeout):
                log.seek(0)
                words = log.read().decode(errors="replace").strip().split("\n")
                raise VeriloopError(f"server {' '.join(command)} did not start", got=words[-1])
            fields = {name: getattr(backend, name) for name in Client.model_fields}
            yield Serving(Remote(url=url, model=STARTED_MODEL, **fields), process)
        finally:
            process.end()


def _answers(url: str, process: GuardedProcess, seconds: float) -> bool:
    import httpx

    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/models", timeout=5).is_success:
                return True
        time.sleep(0.1)
    return False
