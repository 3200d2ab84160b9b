"""Find a language model's folder by file names only, without the libraries that load models."""

import json
from collections.abc import Sequence
from pathlib import Path

from ...data_root import data_root
from ...errors import DataError
from ...model_folders import check_safetensors

MODEL_FOLDER = "a folder with config.json, model.safetensors and tokenizer.json, or a LoRA adapter's"

CONFIG, ADAPTER = "config.json", "adapter_config.json"
"""Files that identify a model's folder, and one of an adapter, as written by PEFT."""


def adapter_base(folder: Path) -> str | None:
    """Return the base model that the adapter in ``folder`` names; None if the folder holds a model.

    Raises:
        DataError: The adapter does not name a base model.
    """
    path = folder / ADAPTER
    if (folder / CONFIG).is_file() or not path.is_file():
        return None
    try:
        base = json.loads(path.read_text())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str) or not base:
        raise DataError(
            f"the adapter in {folder} does not name a base model",
            expected=f"base_model_name_or_path in {path}: a model's folder, or its name on the hub",
            fix="set it, or merge the adapter with PEFT's merge_and_unload, and save the whole model",
        )
    return base


def folders_of(name: str) -> list[Path]:
    """Return the local folders a model is loaded from: its own and an adapter's base; empty for the hub.

    Raises:
        DataError: As for `find_folder` and `adapter_base`; or the base cannot be found.
    """
    folder = find_folder(name)
    if folder is None:
        return []
    base = adapter_base(folder)
    if base is None:
        return [folder]
    try:
        below = find_folder(base)
    except DataError as e:
        raise DataError(
            f"the adapter in {folder} is for a model that cannot be found",
            got=base,
            fix=f"put it there, or set base_model_name_or_path in {folder / ADAPTER} to its folder",
        ) from e
    return [folder] if below is None else [folder, below]


def find_folder(name: str) -> Path | None:
    """Return the folder of the model ``name``, here or in ``$VERILOOP_DATA``; None for a name on the hub.

    Raises:
        DataError: It cannot be a hub name and there is no model in that folder; or its weights are pickles.
    """
    root, here = data_root(), Path(name).expanduser()
    places = [here, *([root / name, root / here.name] if root else [])]
    found = next((place for place in places if _is_model(place)), None)
    if found is None and (here.exists() or name.startswith(("/", ".", "~")) or name.count("/") > 1):
        looked = " or ".join(dict.fromkeys(str(place / CONFIG) for place in places))
        raise DataError(f"no model in {name!r}", got=f"no file {looked}", expected=MODEL_FOLDER)
    if found is not None:
        check_safetensors(found)
    return found


def _is_model(place: Path) -> bool:
    return (place / CONFIG).is_file() or (place / ADAPTER).is_file()


NO_TEMPLATE = "the model has no chat template, but the prompts are chats"


def check_chat_template(folders: Sequence[Path]) -> None:
    """Refuse a model, or an adapter with its base, that has no template for chats.

    Raises:
        DataError: None of the folders has a chat template.
    """
    if folders and not any(map(_has_chat_template, folders)):
        raise DataError(
            NO_TEMPLATE,
            got=", ".join(map(str, folders)),
            expected="chat_template in tokenizer_config.json, or a file chat_template.jinja",
            fix="use the model's instruct version, or a text column with chat: false",
        )


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes()).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return False
