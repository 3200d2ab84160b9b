"""Rows of features, read in chunks: their mean, spread, and weighted sums over random blocks of rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Floats = NDArray[np.floating]

BLOCKS = 400
"""Number of random blocks of rows behind intervals; their widths are exact to 1 / sqrt(2 * 400)."""

_CHUNK = 1 << 22
"""Number of values in memory at a time, 32 MB."""

_CONSTANT = 1e-10
"""Spread, relative to the values, below which it is rounding."""


@runtime_checkable
class Source(Protocol):
    """An array of rows x features that may be on disk: it has a shape, and returns slices of rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and features."""
        ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return some of the rows."""
        ...


class Moments(NamedTuple):
    """Weighted sums of centred rows x_i.

    Attributes:
        sums: Sums of u_i x_i by column of weights and block, shape (c, blocks, d).
        weights: Sums of u_i, shape (c, blocks).
        outer: Sum of u_i x_i x_i^T with the first column of weights, shape (d, d).
    """

    sums: Floats
    weights: Floats
    outer: Floats


class Rows:
    """n rows of d features. Rows are centred on their mean wherever they are summed.

    The rows are assigned to `BLOCKS` blocks at random, so that neither their order nor the size of the chunks
    affects the spread of the blocks.

    Attributes:
        n: Number of rows.
        d: Number of features.
        names: Names of the features, for errors.
        mean: Mean, shape (d,).
        covariance: Covariance, divided by n and not by n - 1, shape (d, d).
        block: Block of each row, shape (n,).
        deviations: Sum of centred rows by block over n, shape (blocks, d).
        squares: Sum of their squares by block over n, shape (blocks, d).
    """

    def __init__(
        self, what: str, rows: ArrayLike | Source, names: Sequence[str] | None, rng: np.random.Generator
    ) -> None:
        """Read the rows twice.

        Args:
            what: Name of the rows in errors.
            rows: Rows, shape (n, d).
            names: Names of the features; their numbers when None.
            rng: Source of randomness for the blocks.

        Raises:
            DataError: Not two axes, fewer than two rows, no feature, or a value that is not finite.
        """
        self._source: Source = rows if isinstance(rows, Source) else np.asarray(rows)
        if len(self._source.shape) != 2 or self._source.shape[0] < 2 or not self._source.shape[1]:
            shape = " x ".join(map(str, self._source.shape))
            raise DataError(
                f"{what} rows", got=f"shape {shape}", expected="rows x features, two rows or more"
            )
        self.n, self.d = self._source.shape
        self.names = list(names) if names is not None else [str(j) for j in range(self.d)]
        self._what = what
        self.mean = np.zeros(self.d)
        self.mean = sum((x.sum(axis=0) for _, x in self._chunks()), np.zeros(self.d)) / self.n
        blocks = min(BLOCKS, self.n)
        self.block: NDArray[np.int16] = (rng.permutation(self.n) % blocks).astype(np.int16)
        self.covariance = np.zeros((self.d, self.d))
        self.deviations, self.squares = np.zeros((2, blocks, self.d))
        for rows_, x in self._chunks():
            deal = self._deal(rows_)
            self.covariance += x.T @ x / self.n
            self.deviations += deal(x) / self.n
            self.squares += deal(x**2) / self.n

    def check_varying(self) -> None:
        """Check that no feature is the same in all rows.

        Raises:
            DataError: A feature is the same in all rows.
        """
        scale = np.abs(self.mean) + np.sqrt(self.covariance.diagonal())
        constant = np.flatnonzero(np.sqrt(self.covariance.diagonal()) <= _CONSTANT * scale)
        if len(constant):
            shown = ", ".join(self.names[j] for j in constant[:5]) + (", ..." if len(constant) > 5 else "")
            raise DataError(
                f"{len(constant)} of {self.d} features are the same in all {self._what} rows",
                got=shown,
                fix="leave them out: nothing can be learned from them",
            )

    def project(self, vector: Floats) -> Floats:
        """Return the centred rows times ``vector``, shape (n,)."""
        found = np.empty(self.n)
        for rows, x in self._chunks():
            found[rows] = x @ vector
        return found

    def some(self, rows: NDArray[np.int64]) -> Floats:
        """Return these centred rows, given in rising order."""
        return np.concatenate(
            [x[rows[(rows >= at.start) & (rows < at.stop)] - at.start] for at, x in self._chunks()]
        )

    def moments(self, weights: Floats) -> Moments:
        """Return sums under each column of ``weights``, shape (c, n)."""
        c, blocks = len(weights), len(self.deviations)
        sums, totals = np.zeros((c, blocks, self.d)), np.zeros((c, blocks))
        outer = np.zeros((self.d, self.d))
        for rows, x in self._chunks():
            deal = self._deal(rows)
            for column in range(c):
                u = weights[column, rows]
                sums[column] += deal(x * u[:, None])
                totals[column] += np.bincount(self.block[rows], weights=u, minlength=blocks)
            some = np.flatnonzero(weights[0, rows])
            chosen = x[some]
            outer += (chosen * weights[0, rows][some, None]).T @ chosen
        return Moments(sums, totals, outer)

    def _deal(self, rows: slice) -> Callable[[Floats], Floats]:
        """Return a function that sums the rows of a chunk by block, shape (blocks, d)."""
        block = self.block[rows]
        order = np.argsort(block, kind="stable")
        starts = np.flatnonzero(np.diff(block[order], prepend=-1))

        def deal(x: Floats) -> Floats:
            """Sum the rows of ``x``, shape (n, d), by block, shape (blocks, d)."""
            sums = np.zeros_like(self.deviations)
            sums[block[order[starts]]] = np.add.reduceat(x[order], starts)
            return sums

        return deal

    def _chunks(self) -> Iterator[tuple[slice, Floats]]:
        size = max(1, _CHUNK // self.d)
        for start in range(0, self.n, size):
            rows = slice(start, min(start + size, self.n))
            x = np.asarray(self._source[rows])
            if x.dtype.kind not in "biuf":
                raise DataError(f"{self._what} features", got=f"values of {x.dtype}", expected="numbers")
            x = x.astype(np.float64)
            if not np.isfinite(x).all():
                row, column = np.argwhere(~np.isfinite(x))[0]
                raise DataError(
                    f"{self._what} row {start + row + 1}, feature {self.names[column]}",
                    got=float(x[row, column]),
                    expected="a finite number",
                    fix="leave out rows with missing values, or fill them",
                )
            x -= self.mean
            yield rows, x
