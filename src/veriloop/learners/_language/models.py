"""Find, load and store causal language models with their tokenizers."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ...data_root import data_root
from ...errors import CorruptFileError, DataError, MissingExtraError
from ...extras import require
from ...networks import device
from .places import MODEL_FOLDER, adapter_base, find_folder


class Language(NamedTuple):
    """A causal language model and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def find(name: str) -> Language:
    """Load the model ``name``: a folder, one in ``$VERILOOP_DATA``, or a name on the Hugging Face hub.

    Raises:
        DataError: It is missing or cannot be read; the message says what to download, and where to put it.
    """
    found = find_folder(name)
    try:
        return _load(found or name)
    except MissingExtraError:
        raise
    except Exception as e:  # the libraries raise many types for a missing network or a broken file
        if found:
            reason = " ".join(str(e).split())[:160]
            raise DataError(f"the model in {found} cannot be loaded ({reason})", expected=MODEL_FOLDER) from e
        root = data_root()
        where = root / Path(name).name if root else "DIR"
        reason = str(e).strip().split("\n")[0]
        raise DataError(
            f"model {name!r} is neither here nor available from the Hugging Face hub ({reason})",
            fix=f"on a machine with a network, run: hf download {name} --local-dir {where}"
            + ("" if root else "; then set model to DIR"),
        ) from e


def check_places(language: Language, prompt_tokens: int, new_tokens: int) -> None:
    """Refuse prompts and completions that are too long together for the model.

    Raises:
        DataError: They are too long.
    """
    places = getattr(language.model.config.get_text_config(), "max_position_embeddings", None)
    if places is not None and prompt_tokens + new_tokens > places:
        raise DataError(
            "prompt and completion together are too long for the model",
            got=f"{prompt_tokens} + {new_tokens}",
            expected=f"at most {places} tokens",
            fix="lower prompt.max_tokens or decoding.max_new_tokens",
        )


def save(language: Language, directory: Path) -> None:
    """Write the model and its tokenizer to the existing ``directory``, as a Hugging Face folder.

    Raises:
        OSError: A file could not be written.
    """
    with _silent():
        try:
            language.model.save_pretrained(directory)
            language.tokenizer.save_pretrained(directory)
        except OSError:
            raise
        except Exception as e:
            # Both libraries are written in Rust, and have their own errors for a full disk.
            raise OSError(str(e)) from e


def load(directory: Path) -> Language:
    """Read what :func:`save` wrote.

    Raises:
        CorruptFileError: A file is missing, truncated or changed.
    """
    try:
        return _load(directory)
    except Exception as e:  # the libraries raise many types for a broken file
        raise CorruptFileError(
            f"language model {directory} cannot be read ({e})", fix="restore its files, or create it again"
        ) from e


def _load(place: Path | str) -> Language:
    base = adapter_base(place) if isinstance(place, Path) else None
    if base is not None:
        return _merged(Path(place), find(base))
    local = isinstance(place, Path)
    # No custom code and no pickles, because loading a model must not run code that came with it.
    safe = {"local_files_only": local, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(place, **safe)
    with _silent():
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            place,
            **safe,
            use_safetensors=True,
            dtype="auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, in one line
        )
    model, info = loaded
    if info["missing_keys"]:  # they would be filled with random numbers
        raise ValueError(f"weights are missing: {', '.join(sorted(info['missing_keys'])[:3])}")
    if info["mismatched_keys"]:
        names = sorted(str(key[0]) for key in info["mismatched_keys"])
        raise ValueError(f"weights whose shapes differ from config.json: {', '.join(names[:3])}")
    if any(name.endswith("ForMaskedLM") for name in model.config.architectures or ()):
        raise ValueError(f"{model.config.architectures[0]} fills in masked words and cannot continue a text")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, the model "
            f"{model.get_input_embeddings().num_embeddings}"
        )
    return Language(model.eval().requires_grad_(False).to(device()), tokenizer)


def _merged(folder: Path, base: Language) -> Language:
    """Return the model ``base`` with the adapter in ``folder`` merged into its weights."""
    require("peft")
    import peft

    with _silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the libraries about each other
        adapted = peft.PeftModel.from_pretrained(base.model, str(folder), local_files_only=True)
        model: Any = adapted.merge_and_unload()
    tokenizer = base.tokenizer
    if (folder / "tokenizer_config.json").is_file():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Language(model.eval().requires_grad_(False).to(device()), tokenizer)


def weights_digest(model: PreTrainedModel) -> str:
    """Return the SHA-256 of a model's parameters, by name, type and shape, in hexadecimal."""
    whole = hashlib.sha256()
    for name, parameter in model.named_parameters():
        whole.update(f"{name} {parameter.dtype} {tuple(parameter.shape)}\n".encode())
        whole.update(parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def stop_tokens(language: Language) -> frozenset[int]:
    """Return the tokens that end a text, from the tokenizer and the model's generation settings."""
    named = language.model.generation_config.eos_token_id if language.model.generation_config else None
    more = named if isinstance(named, list) else [named]
    return frozenset(t for t in [language.tokenizer.eos_token_id, *more] if isinstance(t, int))


@contextmanager
def _silent() -> Iterator[None]:
    # A round has its own progress display, and errors are reported in one line.
    logging = transformers.utils.logging
    shown, before = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if shown:
            logging.enable_progress_bar()
