"""The contract suites of acceptance rules, data policies and schedules."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...rules.acceptance import Acceptance, Group, Pointwise, Ranked, Selection
from ...rules.policy import DataPolicy
from ...rules.schedule import Schedule
from ...samples import Samples, concat
from ...verdicts import Decision, Verdicts
from ._common import contents, drawn, in_company, stream, suite, unchanged
from .parts import check_part

CHUNK, CHUNKS = 30, 400
"""Size of chunks of candidates for a rule, and largest number of candidates."""

QUOTA: Mapping[Group, int] = {0: 5, 1: 7}


@suite
def check_acceptance(rule: Acceptance, real: Samples) -> None:
    """Check that selections fill the quota exactly, count every candidate once, and respect decisions.

    Args:
        rule: Rule to check, with scores between 0 and 1.
        real: Real samples; candidates are drawn from them.
    """
    check_part(rule)
    with unchanged("open", rule, real=real):
        quota = dict(QUOTA)
        selection = rule.open(quota, real, None)
        assert isinstance(selection, Selection), f"open gave {type(selection).__name__}, expected a Selection"
        assert quota == QUOTA, "open must not change its quota"
    scores, decisions, groups = [], [], []
    _offer_nothing(selection, real)
    for chunk in range(CHUNKS):
        if not selection.shortfall():
            break
        verdicts, candidates, group = _candidates(real, chunk)
        before = verdicts.score.copy(), verdicts.decision.copy(), group.copy()
        with unchanged("offer", rule, candidates=candidates):
            selection.offer(verdicts, candidates, group, stream(chunk))
        after = verdicts.score, verdicts.decision, group
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True)), (
            "a rule must not change the verdicts or groups that it is offered"
        )
        scores, decisions = [*scores, *verdicts.score], [*decisions, *verdicts.decision]
        groups = [*groups, *group]
    counts, kept = selection.counts(), selection.kept()
    assert selection.shortfall() == 0, "12 samples of thousands of good candidates should be found"
    assert counts.generated == len(scores) == counts.accepted + counts.rejected + counts.abstained, (
        f"{len(scores)} candidates, counted {counts}"
    )
    assert counts.abstained == decisions.count(Decision.ABSTAIN), "an abstention is counted as one"
    assert counts.kept == len(kept) == 12, f"the quota is 12, counted {counts.kept} and kept {len(kept)}"
    assert np.array_equal(kept, np.unique(kept)), "kept are numbers of candidates, in increasing order"
    assert set(kept) <= set(selection.retained()), "what is kept must have been retained"
    assert {decisions[i] for i in kept} == {Decision.OPEN}, "rejected and abstained samples are not kept"
    assert [sum(groups[i] == g for i in kept) for g in QUOTA] == list(QUOTA.values()), "quota by group"
    _whatever_the_chunks(rule, real)
    if isinstance(rule, Pointwise | Ranked) and type(rule).open in (Pointwise.open, Ranked.open):
        _whatever_the_company(rule, real)


def _whatever_the_company(rule: Pointwise | Ranked, real: Samples) -> None:
    """Check that a candidate at the same place is decided or ranked the same."""
    verdicts, candidates, _ = _candidates(real, 0)

    def told(rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ranks or decisions of the candidates at ``rows``, shape (len(rows),)."""
        chosen, samples = Verdicts(verdicts.score[rows], verdicts.decision[rows]), candidates.select(rows)
        if isinstance(rule, Ranked):
            return np.asarray(rule.rank(chosen, samples, stream()), np.float64)
        return rule.decide(chosen, samples, stream()).decision.astype(np.float64)

    whole = told(np.arange(CHUNK))
    for company, rows, stays in in_company(CHUNK):
        assert np.array_equal(whole[stays], told(rows)[stays], equal_nan=True), (
            f"a decision must not depend on the other candidates of its chunk ({company})"
        )


def _whatever_the_chunks(rule: Acceptance, real: Samples) -> None:
    """Check that equal streams keep the same, and a rule without randomness the same for any chunks."""
    wholes = [_candidates(real, chunk) for chunk in range(40)]
    scores = np.concatenate([verdicts.score for verdicts, _, _ in wholes])
    decisions = np.concatenate([verdicts.decision for verdicts, _, _ in wholes])
    candidates = concat([samples for _, samples, _ in wholes])
    group = np.concatenate([group for _, _, group in wholes])

    def keeps(size: int) -> tuple[list[int], bool]:
        """Return the rows kept from chunks of ``size``, and whether the rule drew random numbers."""
        selection, draws = rule.open(dict(QUOTA), real, None), False
        for first in range(0, len(scores), size):
            rows = slice(first, first + size)
            chunk = Verdicts(scores[rows], decisions[rows])
            offer = partial(selection.offer, chunk, candidates.select(rows), group[rows])
            draws |= drawn(stream(first), offer)[1]
        return selection.kept().tolist(), draws

    kept, draws = keeps(CHUNK)
    assert kept == keeps(CHUNK)[0], "equal streams must keep the same candidates"
    if draws:
        return  # the random numbers of a candidate depend on its place in its chunk
    for size in (1, 50, len(scores)):
        assert kept == keeps(size)[0], (
            f"what is kept must not depend on the chunks: chunks of {CHUNK} and of {size} differ"
        )


def _candidates(real: Samples, chunk: int) -> tuple[Verdicts, Samples, NDArray[np.int64]]:
    rng = stream(chunk)
    group = rng.integers(2, size=CHUNK)
    decided = rng.choice([Decision.OPEN, Decision.REJECT, Decision.ABSTAIN], size=CHUNK, p=[0.8, 0.1, 0.1])
    score = np.where(decided == Decision.ABSTAIN, np.nan, rng.random(CHUNK))
    return Verdicts(score, decided), real.select(rng.integers(len(real), size=CHUNK)), group


def _offer_nothing(selection: Selection, real: Samples) -> None:
    before = selection.counts()
    selection.offer(Verdicts(np.empty(0)), real.select(slice(0)), np.empty(0, np.int64), stream())
    assert selection.counts() == before, "an empty chunk changes nothing"


@suite
def check_policy(policy: DataPolicy, start: Samples, kept: Sequence[Samples]) -> None:
    """Check that training sets depend only on the stream and contain only real and kept samples."""
    check_part(policy)
    assert not isinstance(kept, Samples), "kept is a sequence with the samples of each kept round: [samples]"
    assert kept, "this suite needs the samples of one kept round at least"
    for rounds in {1, len(kept)}:
        given = tuple(kept[:rounds])
        arguments = {"start": start, **{f"kept_{k}": samples for k, samples in enumerate(given)}}
        with unchanged("training_set", policy, **arguments):
            training = policy.training_set(start, given, stream())
        assert isinstance(training, Samples), f"training_set gave {type(training).__name__}, expected Samples"
        assert len(training) > 0, "a training set has one sample at least"
        assert training.same_as(policy.training_set(start, given, stream())), (
            "equal streams, equal training sets"
        )
        known = concat([start, *given])
        assert set(training) == set(known), f"columns {list(training)}, expected {list(known)}"
        names = list(known)
        unknown = set(contents(training, names)) - set(contents(known, names))
        assert not unknown, f"{len(unknown)} samples are an unknown sample: neither real nor kept"


@suite
def check_schedule(schedule: Schedule) -> None:
    """Check that every round asks for a positive integer, the same one each time."""
    check_part(schedule)
    rounds = (1, 2, 3, 40, 1_000)
    wanted = [schedule.wanted(round_) for round_ in rounds]
    for round_, n in zip(rounds, wanted, strict=True):
        assert type(n) is int, f"round {round_} wants {n!r}, not a whole number"
        assert n >= 1, f"round {round_} wants {n}"
    assert [schedule.wanted(round_) for round_ in rounds[::-1]] == wanted[::-1], (
        "what a round wants must not depend on what was asked before"
    )
