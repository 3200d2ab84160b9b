"""Where a language model's folder is; looks at names only, without the libraries that load models."""

import os
from pathlib import Path

from ...errors import DataError
from ...model_folders import check_safetensors

MODEL_FOLDER = "a folder with config.json, model.safetensors and tokenizer.json"


def find_folder(name: str) -> Path | None:
    """The folder of the model ``name``, here or in ``$VERILOOP_DATA``; None for a name on the hub.

    Raises:
        DataError: It is no name on the hub, and there is no model in that folder; or its weights are pickles.
    """
    root = os.environ.get("VERILOOP_DATA")
    here = Path(name).expanduser()
    places = [here, *([Path(root, name), Path(root, here.name)] if root else [])]
    found = next((place for place in places if (place / "config.json").is_file()), None)
    if found is None and (here.exists() or name.startswith(("/", ".", "~")) or name.count("/") > 1):
        looked = " or ".join(dict.fromkeys(str(place / "config.json") for place in places))
        raise DataError(f"no model in {name!r}", got=f"no file {looked}", expected=MODEL_FOLDER)
    if found is not None:
        check_safetensors(found)
    return found
