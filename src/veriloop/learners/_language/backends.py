"""Who writes completions: our own process, a server that we start on the model, or any server by its URL."""

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ...errors import MissingExtraError, VeriloopError
from ...guarded.process import GuardedProcess
from ...parts import Checked

STARTED_MODEL = "veriloop"
"""What a server that we start calls its model."""

ENDING = 20.0
"""Seconds that a server that we started has to end by itself when it is asked to."""

BUSY = {408, 429, 500, 502, 503, 504}
"""HTTP answers after which the same question may be asked again."""


class Transformers(Checked, frozen=True):
    """The model is in our own process, on its GPU or CPU.

    Attributes:
        batch_tokens: Prompt and new tokens that are in memory together, padding included.
    """

    kind: Literal["transformers"] = "transformers"
    batch_tokens: Annotated[int, Field(gt=0)] = 16_384


class Client(Checked, frozen=True):
    """How to talk to a server with OpenAI's interface.

    Attributes:
        requests: Prompts that are with the server at a time.
        timeout: Seconds to wait for one answer.
        attempts: How often to ask when the server is busy or the connection breaks.
    """

    requests: Annotated[int, Field(gt=0)] = 32
    timeout: Annotated[float, Field(gt=0)] = 600
    attempts: Annotated[int, Field(gt=0)] = 5


class Started(Client, frozen=True):
    """A server in a process of its own, started on the trained model for one call of ``sample``.

    It costs a start for each chunk of candidates: choose a large ``chunk_size``.

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


class Remote(Client, frozen=True):
    """A server that runs already. Its model writes, whatever is trained here.

    Attributes:
        url: Up to and including the version, such as ``http://localhost:8000/v1``.
        model: What the server calls its model.
        key_variable: The environment variable that holds the key, if the server wants one.
    """

    kind: Literal["openai"] = "openai"
    url: str
    model: str
    key_variable: str = "OPENAI_API_KEY"


class Decoding(Checked, frozen=True):
    """How completions are written.

    Attributes:
        max_new_tokens: The longest completion, the end-of-text token included.
        temperature: 0 takes the likeliest token (greedy decoding).
        top_p: Draw from the likeliest tokens that together have this probability.
        backend: Who writes.
    """

    max_new_tokens: Annotated[int, Field(gt=0)] = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    backend: Annotated[Transformers | Started | Remote, Field(discriminator="kind")] = Transformers()


def ask(
    server: Remote, prompts: Sequence[str], chat: bool, decoding: Decoding, rng: np.random.Generator
) -> list[str]:
    """A completion of each prompt by a running server, each with a seed of its own drawn from ``rng``.

    Whether equal seeds give equal texts is the server's affair.

    Raises:
        VeriloopError: The server cannot be reached, refuses, or answers something else.
    """
    try:
        import httpx
    except ModuleNotFoundError as e:
        raise MissingExtraError.of("httpx", "llm") from e
    seeds = rng.integers(2**31, size=len(prompts)).tolist()
    key = os.environ.get(server.key_variable)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    path = "chat/completions" if chat else "completions"
    url = f"{server.url.rstrip('/')}/{path}"

    def one(prompt: str, seed: int) -> str:
        question: dict[str, Any] = {
            "model": server.model,
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "seed": seed,
        }
        question |= {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
        reason: object = "never asked"
        for attempt in range(1, server.attempts + 1):
            try:
                answer = client.post(url, json=question)
            except httpx.TransportError as e:
                reason = e
            else:
                if answer.is_success:
                    return _completion(answer, url)
                reason = f"HTTP {answer.status_code}: {answer.text[:200]}"
                if answer.status_code not in BUSY:
                    break
            if attempt < server.attempts:
                time.sleep(0.1 * 2**attempt)
        raise VeriloopError(f"server {url} gave no completion ({reason})", fix="check url, model and key")

    with (
        httpx.Client(timeout=server.timeout, headers=headers) as client,
        ThreadPoolExecutor(server.requests) as pool,
    ):
        return list(pool.map(one, prompts, seeds))


def _completion(answer: Any, url: str) -> str:
    try:
        choice = answer.json()["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        return text.strip()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as e:
        raise VeriloopError(
            f"server {url} does not answer as OpenAI's interface does", got=answer.text[:200]
        ) from e


@contextlib.contextmanager
def started(backend: Started, model: Path) -> Iterator[Remote]:
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
            yield Remote(url=url, model=STARTED_MODEL, key_variable="", **fields)
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
