"""Folders of models as Hugging Face writes them; looks at names only."""

from pathlib import Path

from .errors import DataError


def check_safetensors(folder: Path) -> None:
    """Refuse a model whose weights are pickles only: to unpickle a file is to run what stands in it.

    Raises:
        DataError: There are such weights in ``folder``, and none as safetensors.
    """
    pickles = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")
    )
    # Files of a trainer's state lie there, too, and are not loaded.
    others = ("training_args.bin", "optimizer.pt", "scheduler.pt")
    weights = [name for name in pickles if name not in others]
    if weights and not any(folder.glob("*.safetensors")):
        raise DataError(
            f"the model in {folder} has no weights as safetensors",
            got=f"{weights[0]}, a pickle, which can run code when it is loaded",
            expected="model.safetensors",
            fix="if you trust it, convert it once: AutoModelForCausalLM.from_pretrained(DIR)"
            ".save_pretrained(NEW_DIR), or the like for its class, and its tokenizer",
        )
