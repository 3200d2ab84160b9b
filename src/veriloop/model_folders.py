"""Check folders of Hugging Face models by file name only."""

from pathlib import Path

from .errors import DataError


def check_safetensors(folder: Path) -> None:
    """Refuse a model that has its weights as pickle only, because unpickling a file can run code in it.

    Raises:
        DataError: ``folder`` has such weights and no safetensors.
    """
    pickles = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")
    )
    # Trainer state files may also be here; they are not loaded.
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
