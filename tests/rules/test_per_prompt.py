"""At most a few of each prompt, under any rule and in any chunks of whole prompts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.errors import ConfigError
from veriloop.rules.acceptance import AcceptAll, Acceptance, PerPrompt, Selection, Threshold, TopFraction
from veriloop.samples import Samples
from veriloop.verdicts import Decision, Verdicts

N = 4
"""Texts of each prompt."""

WORDS = ("one", "ONE ", "two", "three", "four")


def select(
    rule: Acceptance, quota: int, most: int, distinct: bool, scores: np.ndarray, texts: list[str], chunk: int
) -> tuple[Selection, PerPrompt]:
    """A selection that has seen the candidates in chunks of ``chunk`` prompts."""
    selection = rule.open({0: quota}, Samples(x=np.zeros(1)), None)
    per_prompt = PerPrompt(N, most, distinct, ["question"])
    selection.limit_prompts(per_prompt)
    questions = [str(i // N) for i in range(len(texts))]
    for first in range(0, len(texts), chunk * N):
        rows = slice(first, first + chunk * N)
        verdicts = Verdicts(scores[rows])
        samples = Samples(question=questions[rows], completion=texts[rows])
        selection.offer(verdicts, samples, np.zeros(len(verdicts), int), np.random.default_rng(0))
    return selection, per_prompt


PROMPTS = 6
SCORES = st.lists(st.sampled_from([0.0, 0.3, 0.6, 0.9]), min_size=N * PROMPTS, max_size=N * PROMPTS)
TEXTS = st.lists(st.sampled_from(WORDS), min_size=N * PROMPTS, max_size=N * PROMPTS)


def allowed(scores: np.ndarray, texts: list[str], most: int, distinct: bool, least: float) -> list[int]:
    """By the plainest way: of each prompt the best that may be kept."""
    found: list[int] = []
    for prompt in range(PROMPTS):
        seen: list[str] = []
        mine = [i for i in range(prompt * N, (prompt + 1) * N) if scores[i] >= least]
        for i in sorted(mine, key=lambda i: (-scores[i], i)):
            text = texts[i].strip().lower()
            if len(seen) < most and not (distinct and text in seen):
                found.append(i)
                seen.append(text)
    return sorted(found)


@given(scores=SCORES, texts=TEXTS, most=st.integers(1, N), distinct=st.booleans(), chunk=st.integers(1, 6))
def test_a_rule_that_accepts_keeps_the_first_of_what_is_left(
    scores: list[float], texts: list[str], most: int, distinct: bool, chunk: int
) -> None:
    array = np.array(scores)
    selection, per_prompt = select(Threshold(at=0.5), 7, most, distinct, array, texts, chunk)
    expected = allowed(array, texts, most, distinct, 0.5)
    assert selection.kept().tolist() == expected[:7]
    counts = selection.counts()
    assert counts.accepted == np.count_nonzero(array >= 0.5)
    judged, accepted = per_prompt.solved()
    assert judged.tolist() == [N] * PROMPTS
    assert accepted.tolist() == np.count_nonzero(array.reshape(-1, N) >= 0.5, axis=1).tolist()


@given(scores=SCORES, texts=TEXTS, most=st.integers(1, N), distinct=st.booleans(), chunk=st.integers(1, 6))
def test_a_rule_that_ranks_keeps_the_best_of_what_is_left(
    scores: list[float], texts: list[str], most: int, distinct: bool, chunk: int
) -> None:
    array, quota = np.array(scores), N * PROMPTS // 6
    selection, per_prompt = select(TopFraction(fraction=1 / 6), quota, most, distinct, array, texts, chunk)
    left = allowed(array, texts, most, distinct, -1)
    assert selection.kept().tolist() == sorted(sorted(left, key=lambda i: (-array[i], i))[:quota])
    assert len(per_prompt.solved()[0]) == 0, "a rank accepts no text"


@pytest.mark.parametrize(("rule", "first"), [(AcceptAll(), 20), (TopFraction(fraction=0.1), 100)])
def test_whole_prompts_are_asked_for(rule: Acceptance, first: int) -> None:
    selection = rule.open({0: 10}, Samples(x=np.zeros(1)), None)
    selection.limit_prompts(PerPrompt(4, 2, False, []))
    assert selection.shortfall() == first
    verdicts = Verdicts(np.ones(8), np.full(8, Decision.ACCEPT))
    selection.offer(verdicts, Samples(x=np.zeros(8)), np.zeros(8, int), np.random.default_rng(0))
    assert selection.counts().kept in (0, 4)
    assert selection.shortfall() % 4 == 0
    assert selection.shortfall() > 0


def test_nothing_more_is_asked_for_when_the_quota_is_full() -> None:
    texts = ["a", "b", "c", "d"] * 2
    for rule in (Threshold(at=0.5), TopFraction(fraction=0.25)):
        selection, _ = select(rule, 2, 1, False, np.ones(8), texts, 1)
        assert selection.shortfall() == 0
        assert selection.kept().tolist() == [0, 4]


def test_a_selection_of_another_kind_refuses() -> None:
    class Own(Selection):
        offer = shortfall = retained = kept = counts = None  # pyright: ignore[reportAssignmentType]

    with pytest.raises(ConfigError, match="samples_per_prompt needs an acceptance rule derived from"):
        Own({0: 1}).limit_prompts(PerPrompt(1, 1, False, []))


def test_a_copy_is_known_whatever_its_case_its_white_space_and_its_form() -> None:
    texts = ["Ångström one", "A\u030angstro\u0308m\tONE ", "ångström one!", "ﬁve", "five"]
    chooser = PerPrompt(5, 5, True, ["question"])
    samples = Samples(question=["q"] * 5, completion=texts, _cut=np.arange(5))
    assert chooser.choose(np.ones(5, bool), np.zeros(5), samples).tolist() == [True, False, True, True, False]
    assert chooser.copies == 2
