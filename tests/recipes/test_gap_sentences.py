"""Rows of gap sentences: what is taken out, what stays, and that none is padded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.recipes.gap_sentences import (
    LONGEST,
    SHORTEST,
    Layout,
    gap_rows,
    repeated_rows,
    sentences,
)

LAYOUT = Layout(before=[1, 2], between=[3], end=0, length=64)
ROOM = 60
"""Tokens of a row that are text or the sentence to write."""


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def article(*lengths: int, shared: int = 100) -> list[list[int]]:
    """Sentences of unique tokens, but for the token ``shared`` that begins each of them."""
    fresh = iter(range(1_000, 10_000))
    return [[shared, *(next(fresh) for _ in range(n - 1))] for n in lengths]


def test_sentences_end_where_a_capital_letter_follows():
    text = 'He paid £1.5m. "Why?" She asked Mr. smith again! Nobody knew.'
    assert sentences(text) == ["He paid £1.5m.", '"Why?"', "She asked Mr. smith again!", "Nobody knew."]


def test_the_most_central_sentence_is_taken_out_and_written_at_the_end():
    central = [7, 8, 9, 10, 11, 12, 13, 14]
    others = [[7, 8, *range(20, 32)], [9, 10, 11, *range(40, 56)], list(range(60, 85))]
    row = gap_rows([[others[0], central, *others[1:]]], LAYOUT, 0, 0.0, rng())[0].tolist()
    text = [t for sentence in others for t in sentence]
    assert row == [1, 2, *text[: ROOM - len(central)], 3, *central, 0]


def test_a_copied_sentence_stays_whole_in_the_text():
    rows = gap_rows([article(14, 8, 19, 25)], LAYOUT, 0, 1.0, rng()).tolist()
    for row in rows:
        between = row.index(3)
        gap = row[between + 1 : -1]
        text = row[2:between]
        assert any(text[i : i + len(gap)] == gap for i in range(len(text)))


def test_the_share_of_copied_rows_is_what_was_asked_for():
    rows = gap_rows([article(*[12] * 6)] * 2_000, LAYOUT, 0, 0.4, rng()).tolist()
    # All tokens of a sentence but its first one occur in no other.
    stays = [row[-2] in row[: row.index(3)] for row in rows]
    assert np.mean(stays) == pytest.approx(0.4, abs=4 * np.sqrt(0.4 * 0.6 / len(rows)))


def test_a_later_first_sentence_gives_other_rows():
    many = [article(*[12] * 12)]
    first, second = (gap_rows(many, LAYOUT, first, 0.0, rng()) for first in (0, 1))
    assert len(first) == 2
    assert not np.array_equal(first[0], second[0])


@pytest.mark.parametrize(
    "short", [[], article(10, 10), article(*[SHORTEST - 1] * 20), article(*[LONGEST + 1] * 3)]
)
def test_an_article_without_a_window_or_a_fitting_sentence_gives_no_row(short: list[list[int]]):
    assert gap_rows([short], LAYOUT, 0, 0.0, rng()).shape == (0, LAYOUT.length)


def test_a_repeated_row_begins_its_text_again_at_many_distances():
    tokens = [token for sentence in article(40, 50, 60, shared=1) for token in sentence]
    half, distances = ROOM // 2, set[int]()
    rows = repeated_rows([article(40, 50, 60, shared=1)] * 50, LAYOUT, 0, rng())
    assert rows.shape == (50 * (len(tokens) // half), LAYOUT.length)
    for i, row in enumerate(rows.tolist()):
        assert (row[:2], row[2 + half], row[-1]) == ([1, 2], 3, 0)
        text = row[2 : 2 + half] + row[3 + half : -1]
        begin = half * (i % (len(tokens) // half))
        distance = next(d for d in range(SHORTEST, half + 1) if text[d:] == text[:-d])
        assert text[:distance] == tokens[begin : begin + distance]
        distances.add(distance)
    assert distances == set(range(SHORTEST, half + 1))


def test_a_later_first_sentence_gives_other_repeated_rows():
    first, second = (repeated_rows([article(14, 21, 30)], LAYOUT, first, rng()) for first in (0, 1))
    assert (len(first), len(second)) == (2, 1)
    assert first[0, 3] != second[0, 3]


def test_an_article_too_short_to_repeat_gives_no_row():
    assert repeated_rows([article(14)], LAYOUT, 0, rng()).shape == (0, LAYOUT.length)


@given(
    st.lists(st.lists(st.integers(1, 30), max_size=12), max_size=4),
    st.integers(0, 3),
    st.floats(0, 1),
)
def test_rows_are_full_and_laid_out(lengths: list[list[int]], first: int, copied: float):
    rows = gap_rows([article(*own) for own in lengths], LAYOUT, first, copied, rng())
    assert rows.shape[1] == LAYOUT.length
    for row in rows.tolist():
        between = row.index(3)
        assert row[:2] == [1, 2]
        assert row[-1] == 0
        assert SHORTEST <= len(row) - 2 - between <= LONGEST
