"""Looking into a round: what is stored, what a filter leaves, and what is drawn of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.cards import RunCard
from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.report.looking import (
    ALL,
    KEPT_ONLY,
    OTHERS,
    SOME,
    Candidates,
    Wanted,
    candidates_of,
    differences,
    look,
)
from veriloop.samples import Samples
from veriloop.schema import Completion, Prompt, Reference
from veriloop.store.folder import RunFolder
from veriloop.store.reader import FATES

TINY = "veriloop.testing.tiny"


def _run(folder: Path, **changes: Any) -> RunFolder:
    config = {
        "rounds": 1,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": {"kind": f"{TINY}:TinyVerifier", "abstain": 0.1},
        "acceptance": {"kind": "top_fraction", "fraction": 0.2},
        "schedule": {"kind": "constant", "n": 60},
        "balance": "label",
        "evaluation_samples": 1,
        "arms": ["verified", "unverified"],
    }
    run(plan_from({**config, **changes}), folder)
    return RunFolder(folder)


@pytest.mark.parametrize(
    ("settings", "stored"),
    [({"keep_candidates": True}, ALL), ({"keep_rejected": True}, OTHERS), ({}, KEPT_ONLY)],
)
def test_all_that_is_stored_is_found(tmp_path: Path, settings: dict, stored: str) -> None:
    folder = _run(tmp_path / "run", **settings)
    found = candidates_of(folder, 1, "verified")
    assert found is not None
    assert found.stored == stored
    record = next(r for r in folder.records() if (r.arm, r.round) == ("verified", 1))
    of = {fate: int((found.fate == number).sum()) for number, fate in enumerate(FATES)}
    assert of["kept"] == record.counts.kept
    if stored == ALL:
        assert of["abstained"] == record.counts.abstained > 0
    if settings:
        assert len(found.fate) == record.counts.generated
    kept = folder.kept(1, "verified").array("x")
    assert {tuple(x) for x in found.samples.array("x")[found.fate == 0].tolist()} == {
        tuple(x) for x in kept.tolist()
    }
    unverified = candidates_of(folder, 1, "unverified")
    assert unverified is not None
    assert unverified.stored == stored
    assert candidates_of(folder, 0, "verified") is None


def test_some_of_the_others_join_the_kept_ones(tmp_path: Path) -> None:
    folder = _run(tmp_path / "run")
    kept = folder.kept(1, "verified")
    others = kept.select(slice(3)).with_columns(
        _fate=np.array([0, 1, 2], np.int8), _score=np.array([9.0, -5.0, np.nan]), _reason=["", "odd", "blank"]
    )
    others.save(folder.round_directory(1, "verified") / "judged.npz")
    found = candidates_of(folder, 1, "verified")
    assert found is not None
    assert found.stored == SOME
    assert np.bincount(found.fate).tolist() == [60, 1, 1]
    assert found.reason[60:] == ["odd", "blank"]


def test_filters_order_and_pictures(tmp_path: Path) -> None:
    folder = _run(tmp_path / "run", keep_candidates=True)
    found, cards = candidates_of(folder, 1, "verified"), folder.manifest().cards
    assert found is not None
    all_ = look(found, cards, Wanted())
    assert all_.number == all_.of == len(found.fate)
    assert all_.labels == ["0", "1", "2"]
    assert sum(sum(bar.counts) for bar in all_.bars) == int(np.isfinite(found.score).sum())
    assert len(all_.points) == len(found.fate)
    assert all(0 <= p.x <= 1 and 0 <= p.y <= 1 for p in all_.points)
    numbers = [look(found, cards, Wanted(outcome=fate)).number for fate in FATES]
    assert numbers == [int((found.fate == number).sum()) for number in range(3)]
    of_label = look(found, cards, Wanted(label="2", outcome="kept"))
    assert of_label.number == 20
    assert {card.given["label"] for card in of_label.cards} == {"2"}
    assert all_.edge == found.score[found.fate == 0].min()
    assert all_.edge is not None
    above = look(found, cards, Wanted(low=all_.edge, order="worst"))
    assert above.number == int((found.score >= all_.edge).sum())
    assert above.bars[0].low == all_.edge
    near = look(found, cards, Wanted(order="edge"))
    assert near.cards[0].score == look(found, cards, Wanted(low=all_.edge, order="worst")).cards[0].score
    seen = [card for page in range(all_.pages) for card in look(found, cards, Wanted(page=page)).cards]
    assert len(seen) == all_.of
    assert (
        look(found, cards, Wanted(page=10**6)).cards == look(found, cards, Wanted(page=all_.pages - 1)).cards
    )
    assert look(found, cards, Wanted(low=1e9)).cards == []


def test_texts_are_searched_and_stand_beside_their_reference() -> None:
    columns = {"q": Prompt(), "a": Completion(), "real": Reference()}
    samples = Samples(q=["one", "two"], a=["a red cat", "the dog"], real=["a cat", "the dog"])
    found = Candidates(
        samples,
        np.array([0, 1], np.int8),
        np.array([np.nan, np.nan]),
        ["", "plain"],
        np.full((2, 2), -1),
        ALL,
    )
    cards = RunCard(columns=columns)
    (card,) = look(found, cards, Wanted(text="CAT")).cards
    assert card.given == {"q": "one"}
    assert card.made == {"a": [("same", "a"), ("added", " red"), ("same", " cat")]}
    shown = look(found, cards, Wanted())
    assert (shown.bars, shown.edge, shown.points) == ([], None, [])
    assert shown.cards[1].reason == "plain"


def test_differences_give_both_texts_back() -> None:
    text, reference = "The cat\n  sat on a mat.", "The dog sat on the mat."
    pieces = differences(text, reference)
    assert "".join(words for kind, words in pieces if kind != "missing") == text
    assert [words.strip() for kind, words in pieces if kind == "missing"] == ["dog", "the"]
    assert differences("", "a") == [("missing", "a")]
    assert differences("a", "") == [("added", "a")]
