"""Backends that write completions: this process, a server started on the model, or any server by URL."""

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
"""Name of the model on a server started here."""

PLACE = "model server"
"""Where a run keeps the server that it has started: one, as a model may fill the memory of a GPU."""

ENDING = 20.0
"""Seconds that a server started here has to end after it is asked to."""


class Transformers(Checked, frozen=True):
    """The model runs in this process, on its GPU or CPU.

    Attributes:
        batch_tokens: Number of prompt and new tokens in memory together, including padding.
    """

    kind: Literal["transformers"] = "transformers"
    batch_tokens: Annotated[int, Field(gt=0)] = 16_384


class Client(Patience, frozen=True):
    """How to talk to a server with OpenAI's API: as in `Patience`, with enough time to write."""

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 32
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0


class Started(Client, frozen=True):
    """A server in another process, started on the trained model.

    A run keeps it until another model is to write, or one is to be trained, which may need its memory. So an
    arm that runs alone starts one each round, and of several arms each starts two. Worker processes keep
    none: there every chunk of candidates starts one.

    Attributes:
        command: Command that starts the server; ``{model}`` and ``{port}`` are filled in. It must name the
            model ``veriloop``.
        start_timeout: Seconds until the server must answer.
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
    """A running server. Its model writes the completions, whatever is trained here.

    Attributes:
        model: Name of the model on the server.

    The other fields are those of `Service`; ``url`` includes the version, such as
    ``http://localhost:8000/v1``.
    """

    kind: Literal["openai"] = "openai"
    model: str


class Decoding(Checked, frozen=True):
    """How completions are written.

    Attributes:
        max_new_tokens: Largest number of tokens in a completion, including the end-of-text token.
        temperature: Sampling temperature; 0 uses the most likely token (greedy decoding).
        top_k: Number of most likely tokens to sample from; all when None.
        top_p: Total probability of the most likely tokens to sample from.
        min_p: Least probability of a token to sample from, relative to the most likely one.
        repetition_penalty: Penalty on tokens that already occur in the prompt or the completion: their logits
            are divided by it if positive, and multiplied if negative. 1 for none.
        stop: Strings that end a completion; they are not part of it.
        backend: Backend that writes the completions.
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
                f"{idle[0]} has no effect at temperature 0, which uses the most likely token",
                fix=f"set temperature above 0, or remove {idle[0]}",
            )
        return self


def ask(
    server: Remote, prompts: Sequence[Asked], decoding: Decoding, rng: np.random.Generator
) -> list[Completion]:
    """Get a completion of each prompt from a running server, each with a seed drawn from ``rng``.

    Whether equal seeds give equal texts depends on the server. If the server answers a prompt without a text,
    or refuses it, the completion is empty, with the reason.

    Raises:
        VeriloopError: The server cannot be reached, refuses permanently, temporarily gives no answer to a
            prompt, or sends only replies without text.
    """
    # Imported late, because most models write in this process.
    from ...remote.writing import write

    settings: dict[str, Any] = {
        "model": server.model,
        "max_tokens": decoding.max_new_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
    }
    # Not all servers know these, and one that does not may refuse, so only set ones are sent.
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
    """Yield a server on a model: the run's own if it has the same weights, or else a new one.

    Args:
        backend: How it is started.
        weights: Their digest.
        save: Writes the model into an existing folder.

    Raises:
        VeriloopError: As `started` does.
    """

    @contextlib.contextmanager
    def opened() -> Iterator[Serving]:
        """Save the model in a temporary folder and yield a server on it."""
        with tempfile.TemporaryDirectory() as folder:
            save(Path(folder))
            with started(backend, Path(folder)) as server:
                yield server

    key = f"{backend.model_dump_json()} {weights}"
    return kept(PLACE, key, opened, lambda server: server.process.poll() is None)


@contextlib.contextmanager
def started(backend: Started, model: Path) -> Iterator[Serving]:
    """Run a server on the model folder ``model`` inside the block.

    It ends with this process, however that ends, together with everything it has started: an orphan would
    hold the GPU.

    Raises:
        VeriloopError: The command does not exist, ends, or does not answer in time; with its last output.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [part.format(model=model, port=port) for part in backend.command]
    url = f"http://127.0.0.1:{port}/v1"
    with tempfile.TemporaryFile() as log:
        if shutil.which(command[0]) is None:
            raise VeriloopError(
                f"server {command[0]!r} cannot be started (it does not exist, or is not executable)",
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
