"""Read manifests of format 1, which had no cards, as if they had them."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ..cards import ArmCard, PromptCard, RunCard
from ..errors import VeriloopError
from ..parts import resolve
from ..quantity import Quantity
from ..schema import Completion, Extra, Id, Image, Label, Prompt, Reference, Schema

OWN = frozenset(
    {"nelbo", "frechet", "fid", "accuracy", "prdc", "diversity", "parameter_error"}
    | {"rouge", "text_form", "text_diversity", "loss", "function"}
)
"""Kinds of metrics built in at format 1; others may mean something else today."""


def migrated(manifest: Mapping[str, Any], measured: Iterable[str]) -> dict[str, Any]:
    """Return a manifest of format 1 with cards, as far as its configuration allows.

    Args:
        manifest: Content of the file.
        measured: Names of the numbers in the run's records. For those of other people's metrics, the better
            direction is unknown.
    """
    settings = manifest.get("config", {})
    known = _quantities(settings.get("metrics", []))
    cards = RunCard(
        arms={name: _arm(arm, settings.get("rounds", 1)) for name, arm in settings.get("arms", {}).items()},
        quantities={name: known.get(name, Quantity()) for name in (*known, *measured)},
        columns=dict(_columns(settings.get("dataset", {}))),
        prompt=_prompt(settings.get("learner", {})),
    )
    return {**manifest, "format": 1, "cards": cards}


def _arm(arm: Mapping[str, Any], rounds: int) -> ArmCard:
    if arm.get("train_on") == "real":
        return ArmCard(role="bound", last_round=1)
    verifier = arm.get("verifier") or {}
    return ArmCard(
        verified=bool(verifier),
        verifier=verifier.get("kind"),
        last_round=rounds,
        verdict_stores=tuple(dict.fromkeys(_stores(verifier))),
    )


def _stores(verifier: object) -> list[str]:
    """Return the stores of all human verifiers, including those inside ensembles."""
    found: list[str] = []
    if isinstance(verifier, Mapping):
        if verifier.get("kind") == "human" and isinstance(verifier.get("store"), str):
            found.append(verifier["store"])
        verifier = list(verifier.values())
    if isinstance(verifier, list):
        found += [store for part in verifier for store in _stores(part)]
    return found


def _quantities(metrics: Iterable[Mapping[str, Any]]) -> dict[str, Quantity]:
    found: dict[str, Quantity] = {}
    for metric in metrics:
        if metric.get("kind") not in OWN:
            continue
        try:
            kind: Any = resolve("veriloop.metrics", metric["kind"])
            settings = {name: value for name, value in metric.items() if name in kind.model_fields}
            found |= kind.model_validate(settings).quantities
        except (VeriloopError, ValidationError):
            continue  # Its package is not installed, or its settings are outdated.
    return found


def _prompt(learner: Mapping[str, Any]) -> PromptCard | None:
    prompt = learner.get("prompt")
    return PromptCard(template=prompt["template"], chat=prompt["chat"]) if prompt else None


def _columns(dataset: Mapping[str, Any]) -> Schema:
    """Return the columns of data sets that follow from their configuration; none for others."""
    match dataset.get("kind"):
        case "digits":
            return Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=10)})
        case "mnist" | "fashion-mnist":
            return Schema({"pixels": Image(height=28, width=28, levels=1), "label": Label(classes=10)})
        case "text" | "hf" | "xsum":
            # Format 1 gave text columns its own names, whatever the files called them.
            kept = dataset.get("columns", {}).get("keep", ())
            named = {"id": Id(), "document": Prompt(), "summary": Completion(), "reference": Reference()}
            return Schema({**named, **{name: Extra() for name in kept if name not in named}})
    return Schema({})
