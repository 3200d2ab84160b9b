"""Export a round's model to a separate folder, with a model card, for other tools."""

import shutil
from pathlib import Path
from typing import NamedTuple

from ..cards import RunCard
from ..errors import ConfigError
from ..store.atomic import storage_errors
from ..store.folder import RunFolder
from .answer import first_arm, gate
from .hub_cards import Subject, model_card
from .summary import by_arm

CARD = "README.md"
"""File name of a card on the hub."""

ADAPTER = "adapter_config.json"
"""File that identifies the folder of an adapter."""

CONFIGS = ("config.json", ADAPTER)


class ExportedModel(NamedTuple):
    """An exported model: its folder, arm and round."""

    path: Path
    arm: str
    round: int


def to_ship(folder: RunFolder, arm: str | None = None, round_: int | None = None) -> Subject:
    """Return ``round_`` of ``arm``, or the round to ship when it is None.

    Args:
        folder: Run folder.
        arm: Name of the arm; None for the first one with a verifier.
        round_: Round number; 0 is the start model.

    Raises:
        ConfigError: There is no such finished round; or none is given and none is shown to be better.
    """
    cards = folder.manifest().cards
    chains = by_arm(folder.records(), cards.arms)
    if arm is not None and arm not in chains:
        raise ConfigError(
            f"no finished round of arm {arm!r} in {folder.path}",
            expected=f"one of {', '.join(chains)}" if chains else "a run with a finished round",
        )
    if not chains:
        raise ConfigError(f"no round of {folder.path} has finished", fix="run it first")
    name = arm or first_arm(cards, chains)
    numbers = [record.round for record in chains[name]]
    if round_ is None:
        return Subject(_shown(folder, cards, name), name)
    if round_ not in numbers:
        raise ConfigError(
            f"arm {name!r} has no such finished round",
            got=round_,
            expected=f"one of {', '.join(map(str, numbers))}",
        )
    return Subject(round_, name)


def _shown(folder: RunFolder, cards: RunCard, arm: str) -> int:
    """Return the round of ``arm`` that is shown to be better."""
    chains = by_arm(folder.records(), cards.arms)
    name = cards.ship.quantity or cards.headline_of(list(chains[arm][-1].metrics))
    found = None if name is None else gate(folder.rows, chains, cards, arm, name)
    if found is None or not found.round:
        said = found.verdict if found else "this run measures nothing, so no round is shown to be better"
        raise ConfigError(said, fix="choose one with --round; 0 is the start model")
    return found.round


def export_model(
    folder: RunFolder,
    path: Path,
    arm: str | None = None,
    round_: int | None = None,
    *,
    adapter: bool = False,
) -> ExportedModel:
    """Copy the model of a round to the new folder ``path``, with a model card.

    A language model's folder can be loaded by ``AutoModelForCausalLM.from_pretrained(path)``. An adapter is
    merged into the weights of its model, unless it is requested alone.

    Args:
        folder: Run folder.
        path: Path of a new or an empty folder.
        arm: See `to_ship`.
        round_: See `to_ship`.
        adapter: Whether to export a LoRA adapter without its model.

    Raises:
        ConfigError: ``path`` is not a new or empty folder, the run has no adapter, or see `to_ship`.
        RunFolderError: The run does not keep the models of this round.
        CorruptFileError: A file of the model has changed.
        StorageError: It could not be written.
    """
    of = to_ship(folder, arm, round_)
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise ConfigError("folder to export to", got=str(path), expected="a new or an empty folder")
    source = folder.model(of.round, of.arm)
    is_causal_lm = folder.manifest().cards.prompt is not None and any((source / c).exists() for c in CONFIGS)
    is_adapter = is_causal_lm and (source / ADAPTER).exists()
    if adapter and not is_adapter:
        raise ConfigError(
            f"round {of.round} of arm {of.arm!r} has no adapter",
            got="a whole model",
            fix="leave out --adapter; a run with learner.lora has adapters",
        )
    library = ("peft" if adapter else "transformers") if is_causal_lm else None
    card = model_card(folder, of, library, _load(folder, library))
    aside = path.with_name(f".{path.name}.exported")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            if is_adapter and not adapter:
                aside.mkdir()
                _save_whole(source, aside)
            else:
                shutil.copytree(source, aside, copy_function=shutil.copyfile)
            (aside / CARD).write_text(card)
            aside.replace(path)  # replaces an empty folder
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return ExportedModel(path, of.arm, of.round)


def _save_whole(source: Path, path: Path) -> None:
    """Write to ``path`` the model that the adapter in ``source`` makes of its base."""
    from ..learners._language.generator import CausalLMGenerator

    CausalLMGenerator.load(source).whole().save(path)


def _load(folder: RunFolder, library: str | None) -> str:
    """Return Python code that loads the model, to be run in its folder."""
    if library is None:
        name = folder.name
        return f'plan_of(RunFolder("{name}")).learner.generator_type.load(Path("."))  # with the run folder'
    loader = "AutoPeftModelForCausalLM" if library == "peft" else "AutoModelForCausalLM"
    return f'{loader}.from_pretrained(".")'
