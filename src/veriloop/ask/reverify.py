"""Compare verifiers before any training, on the same candidates of a finished round."""

import itertools
import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..advise.choose import Pair, ahead, predict
from ..advise.intervals import LEVEL, Interval, Share, Z, wilson
from ..errors import VeriloopError
from ..executors.threads import limit_threads
from ..loop.plan import Plan, Rival
from ..quantity import Quantity
from ..records import Estimate, Number, RoundRecord
from ..report.forecasts import chain_of
from ..rng import Address
from ..rules.acceptance import TopFraction
from ..store.folder import RunFolder
from .audit_run import audit_remade
from .kept_quality import Scale
from .rejudge import Rejudged, model_of, rejudged
from .replay import Remade, Replay, replay

OWN = "as run"
"""Name of the arm's own verifier among its rivals."""

_REPLICATES = 1_000
"""Number of resamples for an interval of kappa."""


class Choice(BaseModel):
    """The expected result of one verifier in the round.

    Attributes:
        name: Name as given.
        verifier: Kind of the verifier.
        accepted: Share of candidates accepted.
        kept: Number of candidates that the arm would train on.
        kept_quality: Quantity of the kept samples, as if a model had made them; or of the trial model.
        predicted: Quantity of the model after the round, on data for decisions.
        gain: Decrease of the mean's distance from the real one in spreads, by the audit; None if unknown.
        notes: Reasons for missing values, in sentences.
        seconds: Seconds for fitting and judging.
        requests: Number of requests it sent to services.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    name: str
    verifier: str
    accepted: Share
    kept: int
    kept_quality: Interval
    predicted: Interval
    gain: Interval | None
    notes: list[str]
    seconds: float
    requests: int


class Reverified(BaseModel):
    """Verifiers compared on one round's candidates, the best first.

    Attributes:
        subject: Arm and round.
        quantity: Predicted quantity.
        better: Its better direction.
        before: Value for the model that made the candidates.
        pairs: Finished rounds that the prediction is based on.
        choices: Verifiers by predicted quantity, the best first.
        ahead: How much better the model is with the first of two verifiers, by ``a / b`` in the order of
            ``choices``. An interval that holds 0 leaves the order open.
        kappa: Cohen's kappa of each pair of verifiers, on what they accept, by ``a / b``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    subject: str
    quantity: str
    better: str
    before: Number
    pairs: list[Pair]
    choices: list[Choice]
    ahead: dict[str, Interval]
    kappa: dict[str, Interval]


def reverify(
    plan: Plan,
    folder: RunFolder,
    arm: str,
    round_: int | None,
    rivals: Mapping[str, Rival],
    metric: str | None = None,
    trial: float | None = None,
) -> Reverified:
    """Rank verifiers by the predicted model after the round, without training one.

    Each is fitted and called as in the loop. What it keeps is measured with the plan's own metric, as if a
    model had made it, and the run's finished rounds show what a learner makes of such a set
    (`veriloop.advise.choose`). Samples of given classes are weighted as in the metric, so that a rival that
    keeps only one class is judged class by class.

    Kept sets of equal quality may differ in their use to a learner. With ``trial``, a model is trained on
    that share of each set, of rivals and of finished rounds, and is measured instead of the set.

    Args:
        plan: Plan of the run.
        folder: Run folder.
        arm: Name of the arm.
        round_: Number of a finished round; None for the last one.
        rivals: Rivals by name.
        metric: Name of the quantity; the run's headline when None.
        trial: Share of a kept set that a trial model is trained on; None for no training.

    Raises:
        AwaitingVerdicts: People have to judge some of the candidates first.
        ConfigError: There is no such arm, round or quantity; the quantity needs the model itself, or answers
            to held-out prompts; or a rival does not suit the data.
        CorruptFileError: A file cannot be read.
        RunFolderError: The models of earlier rounds are not stored.
    """
    again = replay(plan, folder, arm, round_)
    _, name = chain_of(folder, arm, metric)
    quantity = folder.manifest().cards.quantity(name)
    warm = trial is not None and again.context.arm.warm_start
    scale = Scale.of(again, name, trial, model_of(again, folder, again.round) if warm else None)
    records = folder.records()
    pairs = _pairs(folder, again.context.plan, records, scale)
    own = next(r for r in records if (r.arm, r.round) == (arm, again.round))
    found = {
        OWN: _own(again, own),
        **{name: rejudged(again, folder, rival) for name, rival in rivals.items()},
    }
    rules = {OWN: again.context.arm.acceptance, **{name: rival.acceptance for name, rival in rivals.items()}}
    choices = []
    for called, said in found.items():
        quality, error = scale.of_kept(said.kept, again)
        predicted = predict(quality, pairs, quantity)
        audited = _gain(said.remade, isinstance(rules[called], TopFraction), plan.threads)
        kept_quality = Interval(value=quality, low=quality - Z * error, high=quality + Z * error)
        choices.append(_choice(called, said, kept_quality, predicted, *audited))

    before = next(r for r in records if (r.arm, r.round) == (arm, again.round - 1))
    ranked = sorted(choices, key=lambda choice: _loss(choice, quantity))
    return Reverified(
        subject=f"{arm}, round {again.round}",
        quantity=name,
        better=quantity.direction,
        before=_decided_by(before)[name].value,
        pairs=pairs,
        choices=ranked,
        ahead={
            f"{a.name} / {b.name}": ahead(a.kept_quality.value, b.kept_quality.value, pairs, quantity)
            for a, b in itertools.combinations(ranked, 2)
        },
        kappa=_kappa({called: said.remade for called, said in found.items()}),
    )


def _loss(choice: Choice, quantity: Quantity) -> float:
    """Return the loss that orders the choices; infinite where nothing is predicted."""
    loss = float(quantity.loss(np.array([choice.predicted.value]))[0])
    return math.inf if math.isnan(loss) else loss


def _choice(
    name: str,
    said: Rejudged,
    kept_quality: Interval,
    predicted: Interval,
    gain: Interval | None,
    notes: list[str],
) -> Choice:
    nothing = [] if len(said.kept) else ["It keeps nothing: the round could not be trained."]
    return Choice(
        name=name,
        verifier=said.remade.verifier,
        accepted=wilson(int(np.nansum(said.remade.accepted)), len(said.remade.accepted)),
        kept=len(said.kept),
        kept_quality=kept_quality,
        predicted=predicted,
        gain=gain,
        notes=[*nothing, *notes],
        seconds=said.seconds,
        requests=said.requests,
    )


def _decided_by(record: RoundRecord) -> Mapping[str, Estimate]:
    return record.validation or record.metrics


def _pairs(folder: RunFolder, plan: Plan, records: list[RoundRecord], scale: Scale) -> list[Pair]:
    """Return the qualities of kept set and model, for every finished round that trained on what it kept."""
    pairs = []
    for record in records:
        if record.round == 0 or plan.arms[record.arm].train_on != "kept":
            continue
        kept, _ = scale.of_kept(folder.kept(record.round, record.arm))
        model = _decided_by(record)[scale.name].value
        if math.isfinite(kept) and math.isfinite(model):
            pairs.append(Pair(kept, model))
    return pairs


def _own(again: Replay, record: RoundRecord) -> Rejudged:
    made = again.remade
    seconds = record.seconds.get("update", 0.0) + record.seconds.get("verify", 0.0)
    return Rejudged(made, made.samples.select(made.accepted == 1), seconds, 0)


def _gain(made: Remade, by_score: bool, threads: int) -> tuple[Interval | None, list[str]]:
    try:
        with limit_threads(threads):
            return audit_remade(made, by_score)[0].gain_one_round, []
    except VeriloopError as e:
        return None, [f"No audit: {e}."]


def _kappa(made: Mapping[str, Remade]) -> dict[str, Interval]:
    """Return agreement on the candidates that both judge; intervals by resampling these."""
    found, rng = {}, Address(0, "reverify").rng()
    for (a, one), (b, other) in itertools.combinations(made.items(), 2):
        _, left, right = np.intersect1d(one.number, other.number, return_indices=True)
        first, second = one.accepted[left], other.accepted[right]
        both = np.isfinite(first) & np.isfinite(second)
        counts = np.bincount((2 * first[both] + second[both]).astype(int), minlength=4)
        found[f"{a} / {b}"] = _kappa_of(counts, rng)
    return found


def _kappa_of(counts: np.ndarray, rng: np.random.Generator) -> Interval:
    """Return Cohen's kappa of counts of (no, no), (no, yes), (yes, no), (yes, yes)."""

    def kappa(counts: np.ndarray) -> np.ndarray:
        """Return kappa for counts of shape (..., 4); NaN where both always agree by chance."""
        shares = counts / counts.sum(axis=-1, keepdims=True)
        first, second = shares[..., 2] + shares[..., 3], shares[..., 1] + shares[..., 3]
        by_chance = first * second + (1 - first) * (1 - second)
        agreed = shares[..., 0] + shares[..., 3]
        return np.where(by_chance < 1, (agreed - by_chance) / np.maximum(1 - by_chance, 1e-300), np.nan)

    if not counts.sum():
        return Interval(value=math.nan, low=math.nan, high=math.nan)
    # What is resampled are rows, of which only these counts matter.
    drawn = kappa(rng.multinomial(counts.sum(), counts / counts.sum(), _REPLICATES))
    low, high = (
        np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        if np.isfinite(drawn).any()
        else (math.nan,) * 2
    )
    return Interval(value=float(kappa(counts)), low=float(low), high=float(high))
