"""Train with TRL's SFTTrainer in separate processes: ``torchrun --module ...trl_job FOLDER``.

The folder holds the model to start from (``start/``), the adapter to go on with if there is one
(``adapter_model.safetensors``), the rows (``rows.json``), TRL's settings (``settings.json``) and ours
(``training.json``); the first process writes ``trained/``: a model, or the adapter.

A single process uses veriloop's own training loop instead: the trainer takes seconds to start, for each fit
of each round, and without FlashAttention it pads batches, or lets joined rows attend to each other.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import transformers
from safetensors.torch import load_file, save_file

from ...advance import StepDone, report
from ...errors import ConfigError, VeriloopError
from ...networks import device
from . import adapters, models
from .models import Language
from .recipe import Training
from .training import WARM_UP, Row, trainable

STEPS = "steps.jsonl"
"""File to which the first process writes each step."""

POLL_SECONDS = 0.5


def train_in_processes(
    language: Language,
    rows: Sequence[Row],
    training: Training,
    seed: int,
    tensors: adapters.Tensors | None = None,
) -> tuple[Language, adapters.Tensors | None]:
    """Train on ``rows`` by ``training.processes`` data-parallel processes.

    Args:
        language: Model to start from.
        rows: Rows to learn.
        training: Settings of the training.
        seed: Seed of the trainer.
        tensors: Weights of an adapter, which is then trained instead of the model.

    Returns:
        The trained model; or the same model, and the trained adapter.

    Raises:
        ConfigError: The batch size is not a multiple of the number of processes.
        VeriloopError: A process failed; with its last output.
    """
    each, left = divmod(training.batch_size, training.processes)
    if left:
        raise ConfigError(
            "batch_size", got=training.batch_size, expected=f"a multiple of processes={training.processes}"
        )
    fitting = training.tokens_per_pass // max(map(len, rows))
    at_once = max(n for n in range(1, each + 1) if each % n == 0 and n <= max(1, fitting))
    settings = {
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": each // at_once,
        "learning_rate": training.learning_rate,
        "weight_decay": training.weight_decay,
        "lr_scheduler_type": "cosine",
        "warmup_steps": WARM_UP,
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps or -1,
        "bf16": training.precision == "bfloat16",
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "start").mkdir()
        models.save(language, folder / "start")
        if tensors is not None:
            save_file(dict(tensors), folder / adapters.WEIGHTS)
        (folder / "rows.json").write_text(json.dumps(rows))
        (folder / "settings.json").write_text(json.dumps(settings))
        fields = training.model_dump(mode="json")  # for a learner, its kind and further fields are included
        own = {name: fields[name] for name in Training.model_fields}
        (folder / "training.json").write_text(json.dumps(own))
        launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(training.processes)]
        command = [sys.executable, "-m", *launch, "--module", __name__, scratch]
        _carry_out(command, folder)
        if tensors is None:
            return models.load(folder / "trained"), None
        return language, load_file(folder / "trained" / adapters.WEIGHTS)


def _carry_out(command: Sequence[str], folder: Path) -> None:
    """Run ``command``, and report the steps that it writes to ``folder``."""
    steps = folder / STEPS
    steps.touch()
    with (folder / "stderr").open("w+") as errors, steps.open() as written:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            over = False
            while not over:
                with suppress(subprocess.TimeoutExpired):
                    over = process.wait(POLL_SECONDS) is not None
                while (line := written.readline()).endswith("\n"):
                    report(StepDone(**json.loads(line)))
        finally:
            process.terminate()  # torchrun then ends its processes; no effect if it has ended
            process.wait()
        if process.returncode:
            errors.seek(0)
            raise VeriloopError("training by TRL failed", got=errors.read().strip().split("\n")[-1])


class _WrittenDown(transformers.TrainerCallback):
    """Writes each step that the trainer logs as a line, for the waiting process."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def on_log(
        self,
        args: transformers.TrainingArguments,
        state: transformers.TrainerState,
        control: transformers.TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Append the step to the file, if the main process logged a loss."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        step = StepDone(state.global_step, state.max_steps, logs["loss"], logs.get("grad_norm"))
        with self._file.open("a") as file:
            file.write(json.dumps(step._asdict()) + "\n")


def main(folder: Path) -> None:
    """Entry point of each process."""
    from transformers.utils.import_utils import is_flash_attn_2_available
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from datasets import Dataset

    language = models.load(folder / "start")
    rows = [Row(*row) for row in json.loads((folder / "rows.json").read_text())]
    data = Dataset.from_dict(
        {
            "input_ids": [row.prompt + row.completion for row in rows],
            "completion_mask": [[0] * len(row.prompt) + [1] * len(row.completion) for row in rows],
        }
    )
    joined = is_flash_attn_2_available()
    if joined:
        language.model.set_attn_implementation("flash_attention_2")
    arguments = SFTConfig(
        output_dir=str(folder / "scratch"),
        max_length=None,
        # Joined rows need an attention that separates them; others would attend across rows.
        padding_free=joined,
        train_sampling_strategy="random" if joined else "group_by_length",
        completion_only_loss=True,
        gradient_checkpointing=False,  # `trainable` has already turned it on if requested
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=device().type == "cpu",
        **json.loads((folder / "settings.json").read_text()),
    )
    tokenizer = language.tokenizer
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # required, but not used
    training = Training.model_validate_json((folder / "training.json").read_text())
    start = load_file(folder / adapters.WEIGHTS) if training.lora else None
    attached = adapters.attached(language.model, training.lora, start) if training.lora else nullcontext()
    with attached as tensors, trainable(language.model, training):
        trainer = SFTTrainer(language.model, arguments, train_dataset=data, processing_class=tokenizer)
        trainer.add_callback(_WrittenDown(folder / STEPS))
        trainer.train()
        if trainer.is_world_process_zero():
            (folder / "trained").mkdir()
            if tensors is None:
                models.save(language, folder / "trained")
            else:
                save_file(dict(tensors()), folder / "trained" / adapters.WEIGHTS)


if __name__ == "__main__":
    transformers.utils.logging.disable_progress_bar()
    main(Path(sys.argv[1]))
