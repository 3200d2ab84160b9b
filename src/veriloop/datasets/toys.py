"""Scikit-learn's toy data by name: small bundled tables, and generated shapes."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..rng import Address
from ..samples import Samples
from ..schema import Label, Number, Schema, Vector
from .array_file import row_keys
from .base import Dataset, RealData
from .held_out import Pool, Splits
from .images import LABEL

require("sklearn")

Brought = Literal["iris", "wine", "breast_cancer", "diabetes"]
Drawn = Literal["moons", "circles", "blobs", "swiss_roll", "s_curve"]

POINTS, TARGET = "x", "target"

_WIDTHS: dict[str, int] = {"moons": 2, "circles": 2, "blobs": 2, "swiss_roll": 3, "s_curve": 3}
_CLASSES: dict[str, int] = {"iris": 3, "wine": 3, "breast_cancer": 2, "moons": 2, "circles": 2}


class Toy(Dataset, Splits, frozen=True):
    """A toy data set of scikit-learn.

    ``iris``, ``wine``, ``breast_cancer`` and ``diabetes`` are real tables, with a column for each number and
    the class as ``label`` (for ``diabetes``, the number ``target``). ``moons``, ``circles``, ``blobs``,
    ``swiss_roll`` and ``s_curve`` are generated, with the same points for every seed: vectors ``x``, and the
    class as ``label`` except in the last two. The 8x8 digits have the kind ``digits``.

    Attributes:
        name: Name of the data set.
        samples: Number of points to generate. Not for the tables.
        noise: Standard deviation of the points around their shape, or within each of the ``blobs``. None:
            0.1, or 1 for ``blobs``.
        centers: Number of ``blobs``.
        labelled: Whether the model receives the class. Otherwise there is none.

    The other fields are those of `veriloop.datasets.held_out.Splits`.
    """

    name: Brought | Drawn
    samples: Annotated[int, Field(ge=3)] = 1_000
    noise: Annotated[float, Field(ge=0)] | None = None
    centers: Annotated[int, Field(ge=1)] = 3
    labelled: bool = True

    @override
    def schema(self) -> Schema:  # pyright: ignore[reportIncompatibleMethodOverride]  # pydantic's old one
        if self.name in _WIDTHS:
            columns: dict[str, Any] = {POINTS: Vector(p=_WIDTHS[self.name])}
        else:
            columns = dict.fromkeys(self._rows(), Number())
        classes = self.centers if self.name == "blobs" else _CLASSES.get(self.name)
        return Schema(columns | ({LABEL: Label(classes=classes)} if self.labelled and classes else {}))

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        if self.name not in _WIDTHS and (set_ := {"samples", "noise", "centers"} & self.model_fields_set):
            raise ConfigError(
                f"toy {self.name!r} is a fixed table",
                got=", ".join(sorted(set_)),
                expected=f"with {', '.join(_WIDTHS)} only",
                fix="leave it out",
            )
        self.check_sizes(len(self._rows()), None, 1, f"toy {self.name!r}")

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; ``seed`` only affects the choice and order of training rows."""
        rows = self._rows()
        label = LABEL if LABEL in self.schema() else None
        if label is None and LABEL in rows:
            rows = rows.only([name for name in rows if name != LABEL])
        pool = Pool(rows, row_keys(rows))
        return self.split(pool, None, None, label=label, seed=seed, where=f"toy {self.name!r}")

    def _rows(self) -> Samples:
        if self.name in _WIDTHS:
            x, label = self._drawn()
            return Samples(**{POINTS: x}, **({} if label is None else {LABEL: label.astype(np.int64)}))
        from sklearn import datasets

        loaded: Any = getattr(datasets, f"load_{self.name}")()
        names = [_plain(name) for name in loaded["feature_names"]]
        columns: dict[str, NDArray[Any]] = dict(zip(names, loaded["data"].T.copy(), strict=True))
        target = np.asarray(loaded["target"])
        if self.name in _CLASSES:
            return Samples(**columns, **({LABEL: target.astype(np.int64)} if self.labelled else {}))
        return Samples(**columns, **{TARGET: target.astype(np.float64)})

    def _drawn(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Generate the points and their classes, if they have any."""
        from sklearn import datasets

        # The address does not contain the run's seed: the same points for all.
        state = int(Address(seed=0, arm=f"toy {self.name}").rng().integers(2**31))
        noise = self.noise if self.noise is not None else 0.1
        draw: dict[str, Callable[[], Any]] = {
            "moons": lambda: datasets.make_moons(self.samples, noise=noise, random_state=state),
            "circles": lambda: datasets.make_circles(
                self.samples, noise=noise, factor=0.5, random_state=state
            ),
            "blobs": lambda: datasets.make_blobs(
                self.samples,
                centers=self.centers,
                cluster_std=1.0 if self.noise is None else self.noise,
                random_state=state,
            ),
            "swiss_roll": lambda: datasets.make_swiss_roll(self.samples, noise=noise, random_state=state),
            "s_curve": lambda: datasets.make_s_curve(self.samples, noise=noise, random_state=state),
        }
        x, label = draw[self.name]()[:2]
        classes = self.name in _CLASSES or self.name == "blobs"
        return np.asarray(x, np.float64), np.asarray(label) if classes and self.labelled else None


def _plain(name: str) -> str:
    """Return a column name without units and spaces: ``sepal length (cm)`` becomes ``sepal_length_cm``."""
    return "_".join(name.replace("(", "").replace(")", "").replace("/", " ").split())
