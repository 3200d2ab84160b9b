"""Build a run's cards from its plan: the description in its manifest."""

from collections.abc import Iterator, Mapping

from ..cards import ArmCard, RunCard
from ..schema import Schema
from ..verifiers.base import Verifier
from .plan import Arm, Plan, quantities_of


def run_card(plan: Plan, schema: Schema) -> RunCard:
    """Describe a run of ``plan``.

    Args:
        plan: Plan whose metrics and learner need not be adapted to the data yet.
        schema: Schema of the data.

    Raises:
        ConfigError: A metric or the learner cannot work on such data, or a stop rule uses a quantity that is
            not measured.
    """
    quantities = quantities_of(metric.suited_to(schema) for metric in plan.metrics)
    plan.check_decisions(quantities)
    return RunCard(
        arms={name: _arm_card(arm, plan.last_round(name), schema) for name, arm in plan.arms.items()},
        quantities=quantities,
        columns=dict(schema),
        keeps_models=plan.keep_models,
        ship=plan.ship,
        prompt=plan.learner.suited_to(schema).prompt_card(),
        base_model=plan.learner.starts_from(),
    )


def _arm_card(arm: Arm, last_round: int, schema: Schema) -> ArmCard:
    if arm.train_on == "real":
        return ArmCard(role="bound", last_round=last_round)
    stores = [store for verifier in verifiers_in(arm.verifier) for store in verifier.verdict_stores()]
    briefs = [v.suited_to(schema).brief() for v in verifiers_in(arm.verifier) if v.verdict_stores()]
    return ArmCard(
        verified=arm.verifier is not None,
        verifier=arm.verifier.kind if arm.verifier is not None else None,
        last_round=last_round,
        verdict_stores=tuple(dict.fromkeys(stores)),
        brief=next((brief for brief in briefs if brief), None),
    )


def asks_people(verifier: Verifier | None) -> bool:
    """Whether people judge, alone or in an ensemble."""
    return any(one.verdict_stores() for one in verifiers_in(verifier))


def verifiers_in(found: object) -> Iterator[Verifier]:
    """Yield a verifier and the verifiers inside it, such as the members of an ensemble."""
    if isinstance(found, Verifier):
        yield found
        found = dict(found)
    if isinstance(found, Mapping):
        found = list(found.values())
    if isinstance(found, list | tuple):
        for part in found:
            yield from verifiers_in(part)
