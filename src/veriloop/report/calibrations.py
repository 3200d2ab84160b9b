"""Calibrations for display: a table of numbers, and a ROC curve."""

import math
from typing import NamedTuple

from pydantic import ValidationError

from ..advise.calibrated import FOLDER, Calibrated
from ..advise.calibration import Calibration
from ..advise.fate import Fate
from ..advise.intervals import Interval, Share
from ..errors import CorruptFileError
from ..store.folder import RunFolder
from .names import MISSING

DECIDED_BY = {
    "verifier": "The verifier decides itself.",
    "given": "Scores from the given threshold of {threshold:.4g} are accepted.",
    "chosen": "A threshold of {threshold:.4g} separates good from bad best. The error rates are cross-fitted:"
    " each sample is judged with a threshold chosen without it.",
}


class Line(NamedTuple):
    """A row of the table: what, its value, its 95 % interval, and the number of samples."""

    name: str
    value: str
    interval: str
    of: str


class Shown(NamedTuple):
    """A calibration on a page; ``id`` is that of its figure, empty if it has none."""

    id: str
    found: Calibrated
    lines: list[Line]
    remark: str


def calibrations(folder: RunFolder) -> list[Shown]:
    """Return the calibrations of a run written by ``veriloop calibrate``, by name.

    Raises:
        CorruptFileError: One of them cannot be read.
    """
    shown = []
    for number, path in enumerate(sorted((folder.path / FOLDER).glob("*.json"))):
        try:
            found = Calibrated.model_validate_json(folder.finding(path))
        except (CorruptFileError, ValidationError) as e:
            raise CorruptFileError(f"{path} cannot be read", fix="delete it, and calibrate again") from e
        has_curve = found.calibration is not None and bool(found.calibration.curve)
        shown.append(Shown(f"calibration-{number}" if has_curve else "", found, lines(found), remark(found)))
    return shown


def lines(found: Calibrated) -> list[Line]:
    """Return the numbers of a calibration as text."""
    rows: list[Line] = []
    if found.calibration is not None:
        rows += rates(found.calibration)
    for trait, preferred in found.preferences.items():
        rows.append(_line(f"correlation with {trait}", preferred.correlation, f"{preferred.samples:,}"))
    for place, share in found.positions.items():
        rows.append(_share(f"accuracy at {place}", share))
    for name, person in found.annotators.items():
        time = f", {person.seconds:.1f} s each" if math.isfinite(person.seconds) else ""
        rows.append(Line(f"{name}: verdicts{time}", f"{person.verdicts:,}", "", ""))
        rows.append(_share(f"{name}: good ones accepted", person.sensitivity))
        rows.append(_share(f"{name}: bad ones rejected", person.specificity))
        rows.append(_share(f"{name}: right in the first half", person.early))
        rows.append(_share(f"{name}: right in the second half", person.late))
        rows.append(_share(f"{name}: agrees with most others", person.with_others))
    if found.agreement is not None:
        seen = found.agreement
        rows.append(_line("Krippendorff's alpha", seen.alpha, f"{seen.units:,}"))
        rows += [_line(f"Cohen's kappa, {pair}", kappa, "") for pair, kappa in seen.kappa.items()]
        rows += [
            Line(f"accuracy of {name} (Dawid, Skene)", _percent(value), "", "")
            for name, value in seen.accuracy.items()
        ]
    return rows


def remark(found: Calibrated) -> str:
    """Describe how decisions were made, why samples were not judged, and the consequences."""
    calibration = found.calibration
    if calibration is None:
        return ""
    sentences = [DECIDED_BY[calibration.decided_by].format(threshold=calibration.threshold)]
    if calibration.decided_by != "verifier" and calibration.auc.high < 0.5:
        sentences.append("The score is inverted: known bad samples score higher than known good ones.")
    if calibration.abstentions:
        worst = "; ".join(
            f"{reason or 'no reason given'} ({n:,})" for reason, n in calibration.abstentions.items()
        )
        sentences.append(f"Abstained because: {worst}.")
    return " ".join([*sentences, _fate(calibration.fate)])


def rates(c: Calibration) -> list[Line]:
    """Return the numbers of a calibration as text."""
    limit = c.fate.noise_limit
    return [
        _share("right decisions", c.accuracy),
        _share("false accepts, of the bad", c.false_accept),
        _share("false rejects, of the good", c.false_reject),
        _line("area under the ROC curve", c.auc, ""),
        _share("abstained, of the good", c.abstained_good),
        _share("abstained, of the bad", c.abstained_bad),
        _line("J: share of good kept minus share of bad kept", c.fate.j, ""),
        _line("factor on the odds of good to bad, per round", c.fate.odds_factor, ""),
        Line("stops helping at label noise p*", _percent(limit.value), _between(limit), ""),
    ]


def _fate(found: Fate) -> str:
    if found.j.low > 0:
        limit = f"{_percent(found.noise_limit.value)} ({_between(found.noise_limit)})"
        return (
            "J is above 0: each round of retraining makes more samples like the known good. Most of the"
            f" kept are good while fewer than {limit} of the candidates are bad."
        )
    if found.j.high < 0:
        return (
            "J is below 0: it keeps bad samples rather than good ones, more so with each round of retraining."
        )
    return "J may be 0: on these known samples the verifier may be a coin toss."


def _share(name: str, share: Share) -> Line:
    interval = _between(share) if share.total else ""
    return Line(name, _percent(share.value), interval, f"{share.count:,} of {share.total:,}")


def _between(share: Interval) -> str:
    return f"{_percent(share.low)} to {_percent(share.high)}"


def _line(name: str, interval: Interval, of: str) -> Line:
    if math.isnan(interval.value):
        return Line(name, MISSING, "", of)
    around = "" if math.isnan(interval.low) else f"{_number(interval.low)} to {_number(interval.high)}"
    return Line(name, _number(interval.value), around, of)


def _number(value: float) -> str:
    if math.isinf(value):
        return "unbounded"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"


def _percent(share: float) -> str:
    return MISSING if math.isnan(share) else f"{share:.1%}"
