"""Judged candidates for display: kept ones, others, and abstentions."""

from dataclasses import dataclass

import numpy as np

from ..cards import RunCard
from ..samples import Samples
from ..store.folder import RunFolder
from ..store.reader import FATE, FATES, REASON, SCORE
from .names import MISSING, short
from .passages import shortened, texts_of
from .pictures import Picture, first_middle_last, pixels_of, sheet_of
from .summary import by_arm

OF_EACH = 4
"""Number of texts shown per outcome: half with the best scores, half with the worst."""


@dataclass(frozen=True)
class JudgedText:
    """A candidate's text with its verdict."""

    fate: str
    score: str
    prompt: str
    text: str
    reason: str


@dataclass(frozen=True)
class JudgedRound:
    """Some candidates of a round.

    Attributes:
        arm: Name of the arm.
        round: Round number.
        texts: Texts of each outcome, best first; empty if the data have no texts.
        sheets: Sheets of images for each outcome; empty if the data have no images.
    """

    arm: str
    round: int
    texts: list[JudgedText]
    sheets: list[Picture]


def judged(folder: RunFolder) -> list[JudgedRound]:
    """Return the first, middle and last round of every arm with a verifier; earlier versions stored none.

    Raises:
        CorruptFileError: A file of samples cannot be read.
    """
    cards, found = folder.manifest().cards, list[JudgedRound]()
    for arm, chain in by_arm(folder.records(), cards.arms).items():
        for round_ in first_middle_last([r.round for r in chain if r.round > 0]):
            some = folder.judged(round_, arm)
            if some is not None and len(some):
                found.append(JudgedRound(arm, round_, _texts(some, cards), _sheets(some, cards)))
    return found


def _texts(some: Samples, cards: RunCard) -> list[JudgedText]:
    written = next(iter(cards.data.named("completion")), None)
    prompt = next(iter(cards.data.named("prompt") + cards.data.named("messages")), None)
    if written is None or written not in some:
        return []
    fate, score, reasons = some.array(FATE), some.array(SCORE), some.texts(REASON)
    prompts = texts_of(some, prompt) if prompt and prompt in some else [""] * len(some)
    texts = texts_of(some, written)
    return [
        JudgedText(
            fate=FATES[number],
            score=short(float(score[row])) if np.isfinite(score[row]) else MISSING,
            prompt=shortened(prompts[row]),
            text=shortened(texts[row]),
            reason=reasons[row],
        )
        for number in range(len(FATES))
        for row in _ends(np.flatnonzero(fate == number).tolist())
    ]


def _ends(rows: list[int]) -> list[int]:
    """Return the first and the last of some rows."""
    half = OF_EACH // 2
    return rows if len(rows) <= OF_EACH else [*rows[:half], *rows[-half:]]


def _sheets(some: Samples, cards: RunCard) -> list[Picture]:
    pixels = pixels_of(some, cards)
    if pixels is None:
        return []
    largest, sheets = max(float(pixels.max()), 1e-12), list[Picture]()
    for number, fate in enumerate(FATES):
        rows = some.array(FATE) == number
        if rows.any():
            sheets.append(sheet_of(f"{fate}, best first", f"candidates, {fate}", pixels[rows], largest))
    return sheets
