"""Low-rank adapters: trained beside a model's weights, added to them, and stored without them."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from ...errors import CorruptFileError, DataError, MissingExtraError
from . import models
from .models import Language
from .places import ADAPTER
from .recipe import LoRA

WEIGHTS = "adapter_model.safetensors"
"""The file of an adapter's weights, as PEFT calls it."""

Tensors = Mapping[str, Tensor]
"""The weights of an adapter, by PEFT's names."""


class Base(NamedTuple):
    """The model that an adapter is for.

    Attributes:
        model: Name of the model, as in the plan.
        digest: Digest of its stored weights, see `models.weights_digest`.
    """

    model: str
    digest: str


class Adapter(NamedTuple):
    """An adapter, and what it is added to.

    Attributes:
        base: The model.
        lora: The adapter's shape.
        tensors: Its weights, float32 on the CPU.
    """

    base: Base
    lora: LoRA
    tensors: Tensors


def found(name: str) -> tuple[Language, Base]:
    """Return the model ``name`` with float32 weights, and a key by which to recognise it.

    Raises:
        DataError: As `models.find`.
    """
    language = models.find(name)
    base = Base(name, models.weights_digest(language.model))
    return Language(language.model.float(), language.tokenizer), base


def fresh(model: PreTrainedModel, lora: LoRA) -> Tensors:
    """Return an adapter that changes nothing yet, drawn from torch's global stream."""
    with attached(model, lora, None) as tensors:
        return tensors()


@contextmanager
def attached(model: PreTrainedModel, lora: LoRA, tensors: Tensors | None) -> Iterator[Any]:
    """Put adapters on the model's linear layers inside the block; nothing else of it is trained.

    The block receives a function that returns their current weights. Afterwards the model is unchanged.

    Args:
        model: Model, changed in place.
        lora: Shape of the adapters.
        tensors: Initial weights; drawn when None.

    Raises:
        MissingExtraError: PEFT is not installed.
        ValueError: The tensors are not those of such adapters.
    """
    adapted = _attach(model, lora, tensors)
    try:
        yield lambda: _tensors(adapted)
    finally:
        adapted.unload()


def merge(model: PreTrainedModel, lora: LoRA, tensors: Tensors) -> None:
    """Add an adapter to the weights of ``model``, in place."""
    _attach(model, lora, tensors).merge_and_unload()
    model.requires_grad_(False)


def save(adapter: Adapter, directory: Path) -> None:
    """Write a folder that PEFT and transformers load, where they find the base by its name.

    Raises:
        OSError: Something could not be written.
    """
    config = _config(adapter.lora).to_dict()
    config |= {"base_model_name_or_path": adapter.base.model, "inference_mode": True}
    plain = {name: sorted(value) if isinstance(value, set) else value for name, value in config.items()}
    (directory / ADAPTER).write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n")
    try:
        save_file(dict(adapter.tensors), directory / WEIGHTS)
    except Exception as e:
        # The library is written in Rust, and raises another error for a full disk.
        raise OSError(str(e)) from e


def described(adapter: Adapter) -> dict[str, Any]:
    """Return what `load` needs besides the files of `save`, as plain JSON values."""
    return {**adapter.base._asdict(), "lora": adapter.lora.model_dump(mode="json")}


def load(directory: Path, description: Mapping[str, Any]) -> tuple[Language, Adapter]:
    """Return the model with the adapter added to its weights, and the adapter.

    Raises:
        CorruptFileError: A file is missing or changed, or the base is no longer the same model.
        DataError: The base is not there.
    """
    try:
        expected = Base(description["model"], description["digest"])
        lora = LoRA.model_validate(description["lora"])
        tensors = load_file(directory / WEIGHTS)
    except Exception as e:  # the library raises whatever a broken file makes it trip over
        raise CorruptFileError(f"adapter {directory} cannot be read ({e})", fix="restore its files") from e
    try:
        language, base = found(expected.model)
    except DataError as e:
        raise DataError(
            f"the model that the adapter in {directory} is for cannot be loaded ({e.what})",
            got=expected.model,
            fix="give the command in the folder in which the run was started, or put it where it was",
        ) from e
    if base != expected:
        raise CorruptFileError(
            f"the adapter in {directory} is for other weights than {expected.model} has now",
            got=f"digest {base.digest[:12]}",
            expected=expected.digest[:12],
            fix="put the model back that the run began with",
        )
    try:
        merge(language.model, lora, tensors)
    except (ValueError, RuntimeError) as e:
        raise CorruptFileError(f"adapter {directory} does not fit its model ({e})") from e
    return language, Adapter(base, lora, tensors)


def _config(lora: LoRA) -> Any:
    peft = _peft()
    return peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type=peft.TaskType.CAUSAL_LM,
    )


def _attach(model: PreTrainedModel, lora: LoRA, tensors: Tensors | None) -> Any:
    peft = _peft()
    model.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries about each other
        adapted = peft.get_peft_model(model, _config(lora))
        if tensors is not None:
            known = {name: tensor.shape for name, tensor in _tensors(adapted).items()}
            if known != {name: tensor.shape for name, tensor in tensors.items()}:
                adapted.unload()
                raise ValueError("its weights have other names or shapes")
            peft.set_peft_model_state_dict(adapted, dict(tensors))
    return adapted


def _tensors(adapted: Any) -> dict[str, Tensor]:
    state = _peft().get_peft_model_state_dict(adapted)
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def _peft() -> Any:
    try:
        import peft
    except ModuleNotFoundError as e:
        raise MissingExtraError.of("peft", "llm") from e
    return peft
