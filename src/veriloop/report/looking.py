"""Look into a round: its candidates by outcome, label, text and score, with a histogram of the scores."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cards import RunCard
from ..nested import Nested
from ..samples import Samples, concat
from ..schema import Role, Schema, schema_of
from ..store.folder import RunFolder
from ..store.reader import FATE, FATES, REASON, SCORE
from ..verdicts import Decision
from .names import MISSING, short
from .passages import texts_of
from .pictures import Picture, pixels_of, sheet_of

ON_A_PAGE = {"images": 100, "texts": 20, "rows": 50}
"""Number of candidates shown at a time."""

MOST_POINTS = 2_000
"""Largest number of points in a scatter plot, evenly chosen."""

BINS = 30
_PLACES = ("_chunk", "_row")

ALL = "All candidates of the round are stored."
OTHERS = "All candidates of the round are stored, without the decisions of the verifier."
SOME = (
    "Of the candidates that were not kept, only the best and the worst of the first chunk are stored."
    " A plan with keep_candidates: true stores all."
)
KEPT_ONLY = "Only kept samples are stored. A plan with keep_candidates: true stores all candidates."

Order = Literal["best", "worst", "edge"]


@dataclass(frozen=True)
class Wanted:
    """Which candidates to show, and in which order.

    Attributes:
        outcome: One of `FATES`; "" for all.
        label: Text of a label or category; "" for all.
        text: Part of any text column, in any case; "" for all.
        low: Lowest score; None for no limit.
        high: Highest score; None for no limit.
        order: Best first, worst first, or those closest to the lowest kept score first.
        page: Number of the page, from 0.
    """

    outcome: str = ""
    label: str = ""
    text: str = ""
    low: float | None = None
    high: float | None = None
    order: Order = "best"
    page: int = 0


@dataclass(frozen=True)
class Candidates:
    """The stored candidates of a round.

    Attributes:
        samples: Content.
        fate: Outcome of each, an index into `FATES`.
        score: Scores; NaN without one.
        reason: Reasons of the verifier; "" for none.
        place: Chunk and row of each, shape (n, 2); -1 if unknown.
        stored: What is stored, in a sentence.
    """

    samples: Samples
    fate: NDArray[np.int8]
    score: NDArray[np.float64]
    reason: list[str]
    place: NDArray[np.int64]
    stored: str


class Bar(NamedTuple):
    """A bar of the histogram: its range of scores, and the number of candidates by outcome."""

    low: float
    high: float
    counts: tuple[int, ...]


class Card(NamedTuple):
    """One candidate in words.

    Attributes:
        fate: Outcome.
        score: Score as text.
        reason: Reason of the verifier.
        place: Chunk and row as text; "" if unknown.
        given: Columns that the model was given.
        made: Columns that it made, each as pieces: ``same``, ``added`` or ``missing`` next to the reference.
    """

    fate: str
    score: str
    reason: str
    place: str
    given: dict[str, str]
    made: dict[str, list[tuple[str, str]]]

    @property
    def compared(self) -> bool:
        """Whether it differs from a reference."""
        return any(kind != "same" for pieces in self.made.values() for kind, _ in pieces)


class Point(NamedTuple):
    """A point of a scatter plot, both coordinates between 0 and 1."""

    fate: int
    x: float
    y: float


@dataclass(frozen=True)
class Shown:
    """What a page shows of a round's candidates.

    Attributes:
        stored: What is stored, in a sentence.
        number: Number of candidates that match.
        of: Number of stored ones.
        pages: Number of pages.
        labels: Labels to choose from.
        bars: Histogram of the matching candidates' scores.
        edge: Lowest score of a kept one; None without scores.
        sheet: Images of this page; None without images.
        cards: Candidates of this page in words.
        texts: Whether the candidates have texts, so that each needs room.
        outcomes: Outcomes among the matching ones, as indices into `FATES`.
        points: Scatter plot of vectors of two numbers.
        ends: Ranges of both axes of that plot.
    """

    stored: str
    number: int
    of: int
    pages: int
    labels: list[str]
    bars: list[Bar]
    edge: float | None
    sheet: Picture | None
    cards: list[Card]
    texts: bool
    outcomes: list[int]
    points: list[Point]
    ends: tuple[str, str, str, str] | None


def candidates_of(folder: RunFolder, round_: int, arm: str) -> Candidates | None:
    """Return the stored candidates of a round; None if there are none.

    Raises:
        CorruptFileError: A file cannot be read or has changed.
    """
    if not (folder.round_directory(round_, arm) / "kept.npz").exists():
        return None
    kept = folder.kept_with_provenance(round_, arm)
    if whole := folder.candidates(round_, arm):
        return _whole(concat(whole), kept)
    found = _of(kept, 0, KEPT_ONLY)
    if (rejected := folder.rejected(round_, arm)) is not None:
        return _joined(found, _of(rejected, 1, OTHERS))
    judged = folder.judged(round_, arm)
    if judged is None or not (others := judged.array(FATE) > 0).any():
        return found
    some = judged.select(np.flatnonzero(others))
    return _joined(found, _of(some, some.array(FATE), SOME))


def _whole(whole: Samples, kept: Samples) -> Candidates:
    found = _of(whole, 1, ALL)
    chosen = {tuple(place) for place in _places(kept).tolist()}
    fate = np.array([0 if tuple(place) in chosen else 1 for place in found.place.tolist()], np.int8)
    fate[(whole.array("_decision") == Decision.ABSTAIN) & (fate == 1)] = 2
    return Candidates(found.samples, fate, found.score, found.reason, found.place, ALL)


def _of(samples: Samples, fate: int | NDArray, stored: str) -> Candidates:
    n = len(samples)
    return Candidates(
        samples.only([name for name in samples if not name.startswith("_")]),
        np.broadcast_to(np.asarray(fate, np.int8), n),
        np.asarray(samples[SCORE], np.float64) if SCORE in samples else np.full(n, np.nan),
        samples.texts(REASON) if REASON in samples else [""] * n,
        _places(samples),
        stored,
    )


def _places(samples: Samples) -> NDArray[np.int64]:
    columns = [samples.array(c) if c in samples else np.full(len(samples), -1) for c in _PLACES]
    return np.column_stack(columns).astype(np.int64)


def _joined(first: Candidates, second: Candidates) -> Candidates:
    names = [name for name in first.samples if name in second.samples]
    return Candidates(
        concat([first.samples.only(names), second.samples.only(names)]),
        np.concatenate([first.fate, second.fate]),
        np.concatenate([first.score, second.score]),
        [*first.reason, *second.reason],
        np.concatenate([first.place, second.place]),
        second.stored,
    )


def look(found: Candidates, cards: RunCard, wanted: Wanted) -> Shown:
    """Return what a page shows.

    Args:
        found: Candidates of a round.
        cards: Description of the run.
        wanted: Which of them.
    """
    schema = cards.data or schema_of(found.samples, None)
    labels = _labels(found.samples, schema)
    kept = found.score[(found.fate == 0) & np.isfinite(found.score)]
    edge = float(kept.min()) if len(kept) else None
    rows = _sorted(found, _matching(found, labels, wanted), wanted.order, edge)
    pixels = pixels_of(found.samples, cards)
    texts = any(isinstance(found.samples[name], list | Nested) for name in found.samples)
    size = ON_A_PAGE["images" if pixels is not None else "texts" if texts else "rows"]
    pages = max(1, -(-len(rows) // size))
    page = rows[min(wanted.page, pages - 1) * size :][:size]
    sheet = None
    if pixels is not None and len(page):
        sheet = sheet_of("", "candidates", pixels[page], max(float(pixels.max()), 1e-12))
    points, ends = _points(found, schema, rows)
    return Shown(
        stored=found.stored,
        number=len(rows),
        of=len(found.fate),
        pages=pages,
        labels=sorted(set(labels or ()), key=_by_number),
        bars=_histogram(found, rows),
        edge=edge,
        sheet=sheet,
        cards=[] if sheet else [_card(found, schema, row) for row in page.tolist()],
        texts=texts,
        outcomes=np.unique(found.fate[rows]).tolist(),
        points=points,
        ends=ends,
    )


def _labels(samples: Samples, schema: Schema) -> list[str] | None:
    roles: tuple[Role, ...] = ("label", "category")
    names = [name for role in roles for name in schema.named(role) if name in samples]
    return [str(value) for value in samples[names[0]]] if names else None


def _by_number(label: str) -> tuple[int, str]:
    return (int(label), "") if label.isdecimal() else (0, label)


def _matching(found: Candidates, labels: list[str] | None, wanted: Wanted) -> NDArray[np.int64]:
    keep = np.ones(len(found.fate), bool)
    if wanted.outcome:
        keep &= found.fate == FATES.index(wanted.outcome)
    if wanted.label and labels is not None:
        keep &= np.array([label == wanted.label for label in labels], bool)
    if wanted.text:
        part, has = wanted.text.casefold(), np.zeros(len(keep), bool)
        for name in found.samples:
            if isinstance(found.samples[name], list | Nested):
                has |= np.array([part in text.casefold() for text in texts_of(found.samples, name)], bool)
        keep &= has
    if wanted.low is not None:
        keep &= found.score >= wanted.low
    if wanted.high is not None:
        keep &= found.score <= wanted.high
    return np.flatnonzero(keep)


def _sorted(
    found: Candidates, rows: NDArray[np.int64], order: Order, edge: float | None
) -> NDArray[np.int64]:
    keys: dict[Order, Callable[[NDArray], NDArray]] = {
        "best": lambda score: -score,
        "worst": lambda score: score,
        "edge": lambda score: np.abs(score - (edge or 0.0)),
    }
    key = keys[order](found.score[rows])
    return rows[np.argsort(np.where(np.isnan(key), np.inf, key), kind="stable")]


def _histogram(found: Candidates, rows: NDArray[np.int64]) -> list[Bar]:
    rows = rows[np.isfinite(found.score[rows])]
    score = found.score[rows]
    if not len(rows) or score.min() == score.max():
        return []
    edges = np.linspace(score.min(), score.max(), BINS + 1)
    counts = [np.histogram(score[found.fate[rows] == fate], edges)[0] for fate in range(len(FATES))]
    return [
        Bar(float(edges[i]), float(edges[i + 1]), tuple(int(count[i]) for count in counts))
        for i in range(BINS)
    ]


def _card(found: Candidates, schema: Schema, row: int) -> Card:
    samples = found.samples
    one = samples.select(np.array([row]))
    references = [name for name in schema.named("reference") if name in one]
    reference = texts_of(one, references[0])[0] if references else ""
    given, made = dict[str, str](), dict[str, list[tuple[str, str]]]()
    for name in one:
        words = _words(one, name)
        if name in references:
            continue
        if name in schema and schema[name].role == "completion":
            made[name] = differences(words, reference) if reference else [("same", words)]
        elif name in schema and not schema[name].given:
            made[name] = [("same", words)]
        else:
            given[name] = words
    chunk, place = found.place[row].tolist()
    return Card(
        fate=FATES[found.fate[row]],
        score=short(float(found.score[row])) if np.isfinite(found.score[row]) else MISSING,
        reason=found.reason[row],
        place=f"chunk {chunk}, row {place}" if chunk >= 0 else "",
        given=given,
        made=made,
    )


def _words(one: Samples, name: str) -> str:
    column = one[name]
    if isinstance(column, list | Nested):
        return texts_of(one, name)[0]
    return ", ".join(f"{number:.4g}" for number in np.ravel(column)[:16].tolist())


def differences(text: str, reference: str) -> list[tuple[str, str]]:
    """Return ``text`` in pieces next to ``reference``: ``same``, ``added``, or ``missing`` from it."""
    ours, theirs = (re.findall(r"\s*\S+", words) for words in (text, reference))
    found: list[tuple[str, str]] = []
    bare = [[word.strip() for word in words] for words in (theirs, ours)]
    for kind, a, b, c, d in difflib.SequenceMatcher(None, *bare, autojunk=False).get_opcodes():
        if kind in ("delete", "replace"):
            found.append(("missing", "".join(theirs[a:b])))
        if kind in ("insert", "replace"):
            found.append(("added", "".join(ours[c:d])))
        if kind == "equal":
            found.append(("same", "".join(ours[c:d])))
    return found


def _points(
    found: Candidates, schema: Schema, rows: NDArray[np.int64]
) -> tuple[list[Point], tuple[str, str, str, str] | None]:
    numbers = _plane(found.samples, schema)
    if numbers is None or not len(rows):
        return [], None
    low, high = np.nanmin(numbers[rows], axis=0), np.nanmax(numbers[rows], axis=0)
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS)).astype(int)]
    places = (numbers[chosen] - low) / np.maximum(high - low, 1e-300)
    points = [
        Point(fate, x, y)
        for fate, (x, y) in zip(found.fate[chosen].tolist(), places.tolist(), strict=True)
        if x == x and y == y
    ]
    return points, (short(low[0]), short(high[0]), short(low[1]), short(high[1]))


def _plane(samples: Samples, schema: Schema) -> NDArray | None:
    """Return the vectors of two numbers that a model made, shape (n, 2); None if it made others."""
    made = [samples[name] for name in samples if not (name in schema and schema[name].given)]
    arrays = [x for x in made if isinstance(x, np.ndarray) and x.dtype.kind in "fiu"]
    vectors = [x for x in arrays if x.ndim == 2]
    if vectors:
        return vectors[0] if len(vectors) == 1 and vectors[0].shape[1] == 2 else None
    alone = [x for x in arrays if x.ndim == 1]
    return np.column_stack(alone) if len(alone) == len(made) == 2 else None
