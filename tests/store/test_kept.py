"""What rounds kept: loaded once, held once, and joined as if all of it were joined at once."""

import numpy as np
import pytest

from veriloop.errors import ContractError
from veriloop.samples import Samples, concat
from veriloop.store.kept import KeptRounds, together

START = Samples(x=np.arange(4.0), text=["s"] * 4)


def piece(round_: int) -> Samples:
    # Another order of columns than the start's, as a generator may have.
    return Samples(text=[f"r{round_}"] * 3, x=100.0 * round_ + np.arange(3.0))


class Disk:
    """Rounds that can be loaded, and the numbers of those that were."""

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def load(self, round_: int) -> Samples:
        self.loaded.append(round_)
        return piece(round_)


def test_only_what_is_looked_at_is_loaded_and_only_once():
    disk = Disk()
    kept = KeptRounds(2, disk.load) + (piece(3),)
    assert len(kept) == 3
    assert kept[-1].same_as(piece(3))
    assert disk.loaded == []
    assert kept[-2].same_as(piece(2))
    assert kept[1].same_as(piece(2))
    assert disk.loaded == [2]
    assert [k.texts("text")[0] for k in kept] == ["r1", "r2", "r3"]
    assert [k.texts("text")[0] for k in kept[1:]] == ["r2", "r3"]
    with pytest.raises(IndexError):
        kept[3]


def test_joining_adds_to_what_is_joined_and_gives_the_bits_of_one_join():
    disk = Disk()
    kept = KeptRounds(1, disk.load)
    for round_ in range(2, 8):
        kept = kept + (piece(round_),)
        expected = concat([START, *map(piece, range(1, round_ + 1))])
        assert kept.after(START).same_as(expected)
        assert together(START, kept).same_as(together(START, list(kept)))
        kept = kept.settled(looks_back=True)
        assert all(k.same_as(piece(i)) for i, k in enumerate(kept, 1))
    assert disk.loaded == [1]


def test_joined_rounds_are_held_once():
    kept = KeptRounds() + (piece(1), piece(2))
    whole = kept.after(START)
    for round_ in kept:
        assert np.shares_memory(round_.array("x"), whole.array("x"))


def test_another_start_set_or_another_branch_is_joined_anew():
    kept = KeptRounds() + (piece(1),)
    kept.after(START)
    other = Samples(x=np.ones(2), text=["other"] * 2)
    assert kept.after(other).same_as(concat([other, piece(1)]))
    one, two = kept + (piece(2),), kept + (piece(3),)
    assert one.after(START).same_as(concat([START, piece(1), piece(2)]))
    assert two.after(START).same_as(concat([START, piece(1), piece(3)]))


@pytest.mark.parametrize("start", [np.arange(4), np.arange(4, dtype=np.float32)], ids=["int", "float32"])
def test_types_that_a_join_would_change_stay_those_of_the_rounds(start):
    start = Samples(x=start, text=["s"] * 4)
    kept = KeptRounds() + (piece(1),)
    for round_ in (2, 3):
        kept = kept + (piece(round_),)
        assert kept.after(start).same_as(concat([start, *map(piece, range(1, round_ + 1))]))
        assert kept[0].same_as(piece(1))


def test_the_order_in_memory_does_not_depend_on_how_often_was_joined():
    start = Samples(x=np.asfortranarray(np.arange(12.0).reshape(4, 3)))
    rounds = [Samples(x=np.asfortranarray(np.full((5, 3), float(i)))) for i in range(3)]
    kept = KeptRounds()
    for samples in rounds:
        kept = kept + (samples,)
        kept.after(start)
    for whole in (kept.after(start), concat([start, *rounds])):
        assert whole.array("x").flags.c_contiguous


def test_what_the_policy_did_not_look_at_is_let_go_where_it_can_be_loaded():
    disk = Disk()
    kept = KeptRounds(0, disk.load)
    for round_ in range(1, 7):
        kept = kept + (piece(round_),)
        assert [k.texts("text")[0] for k in kept[-2:]] == [f"r{i}" for i in (round_ - 1, round_) if i]
        kept = kept.settled(looks_back=True)
    assert disk.loaded == [], "the last two are handed on"
    assert kept[0].same_as(piece(1))
    assert disk.loaded == [1], "the others are not held"


def test_a_policy_that_does_not_look_back_has_nothing_held():
    kept = (KeptRounds() + (piece(1), piece(2))).settled(looks_back=False)
    assert len(kept) == 2
    with pytest.raises(ContractError, match=r"round 1, which this run does not hold\. Set looks_back"):
        kept[0]


def test_a_longer_one_takes_over_what_can_be_loaded_again():
    disk = Disk()
    kept = KeptRounds(1, disk.load)
    kept.after(START)
    longer = kept + (piece(2),)
    longer.after(START)
    assert disk.loaded == [1]
    assert kept[0].same_as(piece(1))
    assert disk.loaded == [1, 1]
