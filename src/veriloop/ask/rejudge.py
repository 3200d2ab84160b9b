"""Judge a finished round's candidates with another verifier, as the loop would."""

import time
from dataclasses import dataclass, replace

from pydantic import ValidationError

from ..executors.threads import limit_threads
from ..generator import Generator
from ..judge import Judge
from ..loop import seam
from ..loop.data import load_schema
from ..loop.gather import judgement
from ..loop.one_round import State, candidates_of, step
from ..loop.opening import opened
from ..loop.plan import Arm, Plan, Rival, seen_by_verifiers
from ..loop.stores import load_state
from ..records import RoundRecord
from ..remote.client import requests_sent
from ..rng import Stage
from ..samples import Samples
from ..store.folder import RunFolder
from .replay import Remade, Replay, Witness


@dataclass(frozen=True, eq=False)
class Rejudged:
    """The result of judging a round's candidates with a rival verifier.

    Attributes:
        remade: Candidates with the rival's scores and decisions.
        kept: Samples that the arm would train on.
        seconds: Seconds for fitting and judging.
        requests: Number of requests it sent to services.
    """

    remade: Remade
    kept: Samples
    seconds: float
    requests: int


def rejudged(again: Replay, folder: RunFolder, rival: Rival) -> Rejudged:
    """Judge a round's candidates with a rival verifier.

    The rival is fitted in each round from 1 on, as in a separate run, but with this arm's models. No more
    candidates are made: if it accepts fewer than the round wants, fewer are kept.

    Args:
        again: Round to judge.
        folder: Run folder.
        rival: Verifier and acceptance rule.

    Raises:
        AwaitingVerdicts: People have to judge some of the candidates first.
        ConfigError: The rule cannot be used with this verifier, or it does not suit the data.
        RunFolderError: The models of earlier rounds are not stored.
    """
    plan = with_rival(again, rival)
    context = replace(again.context, plan=plan)
    name, sent, began = context.name, requests_sent(), time.perf_counter()
    with limit_threads(plan.threads):
        judge = _fitted(again, folder, plan)
        address = plan.address(name, again.round)
        opening = opened(plan, name, context.data, address, folder.solved(again.round - 1, name))
        candidates = candidates_of(
            model_of(again, folder, again.round), judge, opening.pool, context, address
        )
        seen = Witness(opening.selection)
        for number, (samples, _, groups) in enumerate(again.chunks):
            verdicts = judgement(candidates, samples, number)
            rng = address.at(Stage.ACCEPT, number).rng()
            seam.call(seen, "offer", seen.offer, verdicts, samples, groups, rng)
    seconds = time.perf_counter() - began
    remade = seen.remade(again.round, rival.verifier.kind, context.data)
    kept = remade.samples.select(remade.accepted == 1)
    return Rejudged(remade, kept, seconds, requests_sent() - sent)


def with_rival(again: Replay, rival: Rival) -> Plan:
    """Return the plan of the round with the rival in its arm.

    Raises:
        ConfigError: The rule cannot be used with this verifier, or it does not suit the data.
    """
    plan, name = again.context.plan, again.context.name
    schema = seen_by_verifiers(load_schema(plan.dataset))
    changed = {"verifier": seam.suited(rival.verifier, schema), "acceptance": rival.acceptance}
    try:
        arm = Arm.model_validate({**dict(plan.arms[name]), **changed})
    except ValidationError as e:
        # The error that `Arm` itself gives for the two.
        raise e.errors()[0].get("ctx", {}).get("error", e) from None
    return plan.model_copy(update={"arms": {**plan.arms, name: arm}})


def retrained(again: Replay, folder: RunFolder, rival: Rival) -> RoundRecord:
    """Return the round with the rival in its arm: candidates, model and measurements.

    `rejudged` avoids this cost; this is the reference for its quality.
    """
    plan = with_rival(again, rival)
    context, number = replace(again.context, plan=plan), again.round
    before = load_state(again.context.plan, folder, context.name, number - 1)
    judge = _fitted(again, folder, plan, number - 1)
    state = State(number - 1, before.generator, judge, before.kept, solved=before.solved)
    return step(state, context)[1]


def _fitted(again: Replay, folder: RunFolder, plan: Plan, last: int | None = None) -> Judge | None:
    """Return the rival fitted in each round up to ``last``, this one when None; None for round 0."""
    name, data, judge = again.context.name, again.context.data, None
    verifier = plan.arms[name].verifier
    assert verifier is not None
    for number in range(1, 1 + (again.round if last is None else last)):
        model = model_of(again, folder, number)
        rng = plan.address(name, number).at(Stage.UPDATE).rng()
        judge = seam.judge(verifier, judge, model, data.train, rng)
    return judge


def model_of(again: Replay, folder: RunFolder, round_: int) -> Generator:
    """Return the model that made the candidates of a round: that of the round before."""
    return load_state(again.context.plan, folder, again.context.name, round_ - 1).generator
