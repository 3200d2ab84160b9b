"""The plan of a run: data, learner, metrics and arms, all checked before anything is computed."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, SerializeAsAny, StringConstraints, field_validator, model_validator

from ..advise.stop import Stop, with_direction
from ..cards import Gate
from ..datasets.base import Dataset
from ..errors import ConfigError
from ..executors.base import Executor
from ..executors.serial import Serial
from ..learners.base import Learner
from ..metrics.base import Metric
from ..parts import Checked, at, did_you_mean
from ..quantity import Quantity
from ..rng import ARMS, START, Address, name_key
from ..rules.acceptance import READS_SCORES, AcceptAll, Acceptance, DensityRatio
from ..rules.policy import DataPolicy, Replace
from ..rules.schedule import Schedule
from ..schema import Extra, Schema
from ..trackers.base import Tracker
from ..verifiers.base import PLACE, Verifier
from . import seam
from .arms import USUAL_ARMS, expanded
from .per_prompt import TextsOfPrompts

Positive = Annotated[int, Field(gt=0)]
ArmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)]

CANDIDATES_PER_KEPT = 1_000
"""Default limit on candidates per round, as a multiple of the samples it wants."""


class Rival(NamedTuple):
    """A verifier to replace the one of an arm, with the rule that turns its scores into decisions."""

    verifier: Verifier
    acceptance: Acceptance


class Arm(TextsOfPrompts, frozen=True):
    """One chain of rounds with one setting.

    Attributes:
        train_on: ``kept`` to train on each round's accepted samples (the loop). ``real`` to train once, in
            round 1, on all real training data (the upper bound).
        schedule: Number of samples that each round keeps. Required when training on kept samples.
        verifier: Verifier of the candidates; None for an unverified arm.
        acceptance: Rule that turns scores into decisions; `AcceptAll` if the verifier decides or there is
            none.
        policy: Policy that assembles the training set.
        balance: Column of the conditions; the kept samples are divided equally over its values.
        warm_start: Whether each model continues from the one before instead of starting from scratch.
        max_candidates: Limit on candidates per round; 1,000 per wanted sample when None.
        on_exhausted: What to do at that limit: raise an error, train on fewer samples (and record it), or
            stop the arm. An arm that keeps nothing stops in any case.
        hopeless_after: Number of consecutive abstentions after which the arm ends. Once some candidates were
            judged, it is multiplied by the number it took to judge one. No limit when None.
        drop_truncated: Whether to reject texts cut at the length limit. Otherwise the model trains on them
            without an end token.
        stop: Rule that ends the arm before its last round.

    The other fields are those of `TextsOfPrompts`.
    """

    train_on: Literal["kept", "real"] = "kept"
    schedule: SerializeAsAny[Schedule] | None = None
    verifier: SerializeAsAny[Verifier] | None = None
    acceptance: SerializeAsAny[Acceptance] = AcceptAll()
    policy: SerializeAsAny[DataPolicy] = Replace()
    balance: str | None = None
    warm_start: bool = False
    max_candidates: Positive | None = None
    on_exhausted: Literal["raise", "train_with_fewer", "stop"] = "raise"
    hopeless_after: Positive | None = 64
    drop_truncated: bool = False
    stop: Stop | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.train_on == "kept" and self.schedule is None:
            raise ConfigError(
                "no schedule", expected="how many samples each round keeps, such as {kind: constant, n: 4000}"
            )
        accepts_all = isinstance(self.acceptance, AcceptAll)
        if self.verifier is None and not accepts_all:
            raise ConfigError(
                f"acceptance {self.acceptance.kind!r} needs scores, but this arm has no verifier",
                fix="give the arm a verifier, or acceptance: accept_all",
            )
        if accepts_all and self.train_on == "kept" and self.verifier and self.verifier.only_scores:
            raise ConfigError(
                "acceptance 'accept_all' would keep every candidate",
                got=f"verifier {self.verifier.kind!r}, which gives scores and no decisions",
                expected="a rule that uses scores",
                fix=READS_SCORES,
            )
        if isinstance(self.acceptance, DensityRatio) and self.verifier and not self.verifier.calibrated:
            raise ConfigError(
                "acceptance 'density_ratio' reads a score as the probability that a sample is real",
                got=f"verifier {self.verifier.kind!r}, whose scores only rank",
                expected="a calibrated verifier, such as {kind: discriminator, calibration: 0.1}",
                fix="calibrate the verifier, or use top_fraction",
            )
        self.check_rule(self.acceptance, self.verifier is not None, self.max_candidates)
        return self

    @property
    def texts_per_prompt(self) -> int:
        """Number of texts a round writes for each prompt.

        Without a verifier there is no choice among them, so only the texts to keep are written.
        """
        n = self.samples_per_prompt
        return 1 if n is None else n if self.verifier is not None else self.keep_per_prompt or n

    def suited_to(self, schema: Schema, path: str) -> Self:
        """Adapt this arm to data of ``schema``; ``path`` is its path in the plan. See `Plan.suited_to`."""
        if self.train_on == "real":
            for name in schema.made:
                schema.written_by_people(name, f"{path}: training on real data")
            return self
        with at(f"{path}.acceptance"):
            acceptance = seam.suited(self.acceptance, schema)
        with at(f"{path}.policy"):
            policy = seam.suited(self.policy, schema)
        verifier = self.verifier
        if verifier is not None:
            with at(f"{path}.verifier"):
                verifier = seam.suited(verifier, seen_by_verifiers(schema))
        groups = [name for name in schema.given if schema[name].role not in ("image", "vector")]
        if self.balance is not None and self.balance not in groups:
            raise ConfigError(
                f"{path}.balance",
                got=self.balance,
                expected=f"a column of the conditions ({', '.join(groups) or 'there are none'})",
                fix=did_you_mean(self.balance, groups),
            )
        self.check_schema(schema, path)
        return self.model_copy(update={"acceptance": acceptance, "policy": policy, "verifier": verifier})

    def limit(self, round_: int) -> int:
        """Return the limit on candidates in round ``round_``, for an arm that trains on kept samples."""
        assert self.schedule is not None
        return self.max_candidates or CANDIDATES_PER_KEPT * self.schedule.wanted(round_)


ARM_DEFAULTS = tuple(name for name in Arm.model_fields if name != "train_on")
"""Arm settings that may also be given in the plan, as defaults for all arms."""


class Plan(Checked, frozen=True):
    """A whole run. Equal plans give equal results, apart from wall-clock times.

    Parts are objects, or mappings as in a configuration file; a kind without settings may be a string::

        Plan(
            dataset=Digits(start=25),
            learner="cvae",
            verifier=Discriminator(),
            acceptance=TopFraction(fraction=0.1),
            schedule=Constant(n=500),
            metrics=["frechet"],
            arms=["verified", "unverified"],
        )

    Settings of `Arm`, such as ``verifier`` and ``schedule``, may be given here as defaults for every arm.
    ``arms`` may be a list of the usual names: ``verified``, ``unverified``, ``all_real``. Without ``arms``, a
    plan has all three.

    Attributes:
        seed: Seed of all random numbers.
        rounds: Number of rounds after the start model.
        dataset: Source of real samples.
        learner: Learner that trains the start model and every round's model.
        arms: Arms by name, in the order of reports. All share one start model.
        metrics: Metrics computed after each round, on held-out real data.
        evaluation_samples: Number of samples for the metrics; with held-out prompts, at most one per prompt.
        chunk_size: Number of candidates made and judged at a time, which limits memory use and what a kill
            loses. The default depends on the learner: see `Learner.chunk_rows`.
        keep_rejected: Whether to also save the candidates that were not kept (``rejected.npz``).
        keep_candidates: Whether to save all candidates with their verdicts (``candidates/``), chunk by chunk.
        keep_models: Which models and judges to keep: those of ``all`` rounds, those of the start and each
            arm's ``last`` round, or also its ``best`` one by the first metric with a direction. Auditing a
            round needs its models or its candidates.
        ship: What a round must show before it is recommended to ship.
        threads: Number of threads of numerical libraries in each process. Results may depend on it in the
            last bits, so it is part of the plan; parallel work is done by the executor.
        common_random_numbers: Whether all arms draw the same random numbers, which makes their difference
            less noisy and gives equal results for equal settings. Otherwise each arm draws by its name.
        executor: Executor of the work. Results do not depend on it.
        parallel: What the executor distributes: the arms of a round, or the chunks of an arm's candidates.
            The default is chunks for a learner that uses all cores itself: see `Learner.fills_cores`.
        tracker: One tracker or several that show the rounds elsewhere. Results do not depend on them.
        notify: Program and arguments to call, without a shell, when the run waits for people or ends. Its
            environment contains ``VERILOOP_RUN``, ``VERILOOP_STATUS`` and ``VERILOOP_REASON``. If it fails,
            an event reports it.
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    rounds: Positive = 6
    dataset: SerializeAsAny[Dataset]
    learner: SerializeAsAny[Learner]
    arms: Annotated[dict[ArmName, Arm], Field(min_length=1)]
    metrics: tuple[SerializeAsAny[Metric], ...] = ()
    evaluation_samples: Positive = 2_000
    chunk_size: Positive = Field(default_factory=lambda given: _chunk_rows(given))
    keep_rejected: bool = False
    keep_candidates: bool = False
    keep_models: Literal["all", "last", "best"] = "all"
    ship: Gate = Gate()
    threads: Positive = 1
    common_random_numbers: bool = True
    executor: SerializeAsAny[Executor] = Serial()
    parallel: Literal["arms", "chunks"] = Field(default_factory=lambda given: _parallel(given))
    tracker: tuple[SerializeAsAny[Tracker], ...] = ()
    notify: tuple[str, ...] = ()

    if TYPE_CHECKING:
        # Type checkers would know only the fields, not the defaults for all arms or mappings for parts.
        def __init__(self, **settings: Any) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _spread_over_arms(cls, data: Any) -> Any:
        """Give each arm the defaults in the plan, and remove them from the plan itself."""
        if not isinstance(data, Mapping):
            return data
        settings = dict(data)
        defaults = {key: settings.pop(key) for key in ARM_DEFAULTS if key in settings}
        known = [*cls.model_fields, *ARM_DEFAULTS]
        for key in settings:
            if key not in known and key in (words := {**Arm.renamed, **cls.renamed}):
                raise ConfigError(f"key {key!r} belongs to an earlier version", fix=words[key])
            if key not in known:
                raise ConfigError(
                    f"{key}: unknown key",
                    expected=f"one of {', '.join(known)}",
                    fix=did_you_mean(str(key), known),
                )
        settings["arms"] = expanded(settings.get("arms", list(USUAL_ARMS)), defaults)
        return settings

    @field_validator("tracker", mode="before")
    @classmethod
    def _one_or_several(cls, data: Any) -> Any:
        return () if data is None else data if isinstance(data, list | tuple) else (data,)

    @field_validator("tracker")
    @classmethod
    def _each_once(cls, trackers: tuple[Tracker, ...]) -> tuple[Tracker, ...]:
        if len(set(trackers)) < len(trackers):
            raise ConfigError("duplicate tracker", got=", ".join(t.kind for t in trackers))
        return trackers

    @model_validator(mode="after")
    def _names_apart(self) -> Self:
        if START in self.arms:
            raise ConfigError("arm name", got=START, expected="another name; this one is the start model's")
        seam.declared(self.learner, *self.metrics, *(arm.verifier for arm in self.arms.values()))
        self._check_draws()
        keys = {name_key(name) for name in self.arms}
        if not self.common_random_numbers and len(keys) < len(self.arms):
            raise ConfigError("two arm names share a seed", got=", ".join(self.arms), fix="rename one arm")
        chains = [name for name, arm in self.arms.items() if arm.train_on == "kept"]
        if self.ship.than not in (START, *chains):
            raise ConfigError(
                "ship.than",
                got=self.ship.than,
                expected=f"one of {', '.join((START, *chains))}",
                fix=did_you_mean(self.ship.than, (START, *chains)),
            )
        judged = [name for name in chains if self.arms[name].verifier is not None] or chains
        if judged == [self.ship.than]:
            others = (START, *(name for name in chains if name != self.ship.than))
            raise ConfigError(
                "ship.than is the arm whose round is to be named",
                got=self.ship.than,
                expected=f"what it has to beat: {' or '.join(others)}",
            )
        self.check_decisions(quantities := quantities_of(self.metrics))
        if self.keep_models == "best" and all(q.better is None for q in quantities.values()):
            raise ConfigError(
                "keep_models 'best' needs a metric with a better direction",
                got=", ".join(quantities) or "no metrics",
                fix="add one, or set keep_models to last",
            )
        return self

    def _check_draws(self) -> None:
        """Refuse settings that need different texts per prompt if all of them would be equal."""
        asking = {f"arms.{n}.samples_per_prompt": a.texts_per_prompt > 1 for n, a in self.arms.items()}
        asking |= {f"metrics.{metric.kind}": metric.draws_again for metric in self.metrics}
        for path, asks in asking.items():
            if asks and not self.learner.draws:
                raise ConfigError(
                    f"{path}: all texts of a prompt would be equal",
                    got="a learner that decodes greedily",
                    fix="sample instead: set learner.decoding.temperature above 0, such as 1.0",
                )

    def check_decisions(self, quantities: Mapping[str, Quantity]) -> None:
        """Check that the gate and each stop rule find their quantity.

        Raises:
            ConfigError: A quantity is missing or has no direction.
        """
        wanted = {"ship": self.ship.quantity} | {
            f"arms.{name}.stop": arm.stop.quantity
            for name, arm in self.arms.items()
            if arm.stop and arm.stop.when != "budget"
        }
        for path, quantity in wanted.items():
            if quantity is not None:
                try:
                    with_direction(quantity, quantities)
                except ConfigError as e:
                    what = f"{path}.{e.what}"
                    raise ConfigError(what, got=e.got, expected=e.expected, fix=e.fix) from None

    def suited_to(self, schema: Schema) -> Self:
        """Adapt this plan to data of ``schema``: each part with its unset options filled in.

        The run's manifest stores the plan as it was written; the adapted one is used to compute.

        Raises:
            VeriloopError: A part cannot work with such data; the message starts with the part's path.
        """
        with at("learner"):
            learner = seam.suited(self.learner, schema)
        arms = {name: arm.suited_to(schema, f"arms.{name}") for name, arm in self.arms.items()}
        metrics: list[Metric] = []
        for metric in self.metrics:
            with at(f"metrics.{metric.kind}"):
                metrics.append(seam.suited(metric, schema))
        return self.model_copy(update={"learner": learner, "arms": arms, "metrics": tuple(metrics)})

    def config(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, from which `Plan.model_validate` makes an equal one."""
        return json.loads(self.model_dump_json())

    def address(self, arm: str, round_: int) -> Address:
        """Return the address of the random streams of a round of ``arm``; round 0 is the start model's."""
        if round_ == 0:
            return Address(self.seed)
        return Address(self.seed, ARMS if self.common_random_numbers else arm, round_)

    def last_round(self, arm: str) -> int:
        """Return the last round of ``arm``."""
        return self.rounds if self.arms[arm].train_on == "kept" else 1


def _chunk_rows(given: dict[str, Any]) -> int:
    """Default of ``chunk_size``, from the fields before it; an arbitrary value if they are invalid."""
    return given["learner"].chunk_rows if "learner" in given else 1


def _parallel(given: dict[str, Any]) -> Literal["arms", "chunks"]:
    """Default of ``parallel``, from the fields before it."""
    return "chunks" if "learner" in given and given["learner"].fills_cores else "arms"


def quantities_of(metrics: Iterable[Metric]) -> dict[str, Quantity]:
    """Return what ``metrics`` measure, by name, in order.

    Raises:
        ConfigError: Two of them measure the same quantity.
        ContractError: A metric does not declare what it measures.
    """
    found: dict[str, Quantity] = {}
    for metric in metrics:
        own = seam.quantities(metric)
        if twice := [name for name in own if name in found]:
            raise ConfigError(
                "two metrics measure the same quantity",
                got=", ".join(twice),
                fix="remove one of them, or give a function metric another name",
            )
        found |= own
    return found


def seen_by_verifiers(schema: Schema) -> Schema:
    """Return the columns that verifiers receive: those of the data, and where a candidate was made."""
    return Schema({**schema, **{name: Extra() for name in PLACE}})
