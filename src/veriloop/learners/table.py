"""A model of tables: numbers, vectors and categories together."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import logsumexp, softmax
from typing_extensions import override

from ..encoding import Encoding, TableColumns
from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..samples import Column, Samples
from ..schema import Schema
from ._distributions import draw_category, draw_normal
from ._numbers import Layout, finite
from ._table_mixture import Mixture, fitted
from .base import Learner

MODEL, ABOUT = "table.npz", "table.json"

Types = dict[str, tuple[str, tuple[int, ...]]]
"""For each numeric column, its dtype and the shape of one value."""


class TableGenerator(Generator):
    """Rows drawn from a mixture; for given categories, from the components that fit them.

    Args:
        mixture: Mixture over standardised numbers, and categories.
        encoding: Encoding of these columns.
        types: Types of the numeric columns.
        order: Names of all columns, in the order of rows.
        given: Names of the given columns.
    """

    def __init__(
        self,
        mixture: Mixture,
        encoding: Encoding,
        types: Types,
        order: tuple[str, ...],
        given: tuple[str, ...],
    ) -> None:
        self.mixture: Mixture = mixture
        self.encoding: Encoding = encoding
        self.types: Types = types
        self.order: tuple[str, ...] = order
        self.given: tuple[str, ...] = given

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if self.given and (condition is None or len(condition) != n):
            got = "none" if condition is None else len(condition)
            raise DataError(
                "conditions of a table", got=got, expected=f"{n} rows with {', '.join(self.given)}"
            )
        m = self.mixture
        known = [j for j, (name, _) in enumerate(self.encoding.categories) if name in self.given]
        codes = self._codes(condition, known, n)
        component = draw_category(softmax(m.log_joint(None, codes, known), axis=1), rng)
        columns = self._numbers(draw_normal(component, m.mean, np.linalg.cholesky(m.covariance), rng))
        for j, (name, values) in enumerate(self.encoding.categories):
            drawn = draw_category(m.shares[j][component], rng)
            if name not in self.given:
                columns[name] = _column(values, drawn)
        if condition is not None:
            columns |= dict(condition)
        return Samples(**{name: columns.pop(name) for name in self.order if name in columns}, **columns)

    def log_density(self, samples: Samples) -> NDArray[np.float64]:
        """Return the log density of each of n rows in nats, shape (n,), conditional on given columns.

        For integers, too, it is that of the normal distribution.
        """
        numbers = self.encoding.encode(samples)[:, : len(self.encoding.mean)]
        every = list(range(len(self.encoding.categories)))
        known = [j for j in every if self.encoding.categories[j][0] in self.given]
        codes = self._codes(samples, every, len(samples))
        joint = np.asarray(logsumexp(self.mixture.log_joint(numbers, codes), axis=1))
        conditions = np.asarray(logsumexp(self.mixture.log_joint(None, codes[:, known], known), axis=1))
        return joint - conditions - float(np.log(self.encoding.spread).sum())

    def _codes(self, rows: Samples | None, known: list[int], n: int) -> NDArray[np.int64]:
        """Return the categories ``known`` of rows as indices, shape (n, known)."""
        codes = np.zeros((n, len(known)), np.int64)
        for at, j in enumerate(known):
            assert rows is not None
            name, values = self.encoding.categories[j]
            column = rows[name]
            place = {value: i for i, value in enumerate(values)}
            for row, value in enumerate(column.tolist() if isinstance(column, np.ndarray) else column):
                if value not in place:
                    known_values = ", ".join(map(str, values))
                    raise DataError(
                        f"column {name!r}, row {row + 1}", got=value, expected=f"one of {known_values}"
                    )
                codes[row, at] = place[value]
        return codes

    def _numbers(self, standard: NDArray[np.float64]) -> dict[str, Column]:
        """Return numeric columns from standardised rows; integers are rounded."""
        rows = standard * np.array(self.encoding.spread) + np.array(self.encoding.mean)
        names = self.encoding.numbers
        kinds, shapes = zip(*(self.types[name] for name in names), strict=True) if names else ((), ())
        return dict(Layout(names, kinds, shapes).columns(rows))

    @override
    def save(self, directory: Path) -> None:
        m = self.mixture
        shares: dict[str, Any] = {f"share_{j}": share.T for j, share in enumerate(m.shares)}
        np.savez(directory / MODEL, weight=m.weight, mean=m.mean, covariance=m.covariance, **shares)
        about = {
            "encoding": self.encoding.dump(),
            "types": self.types,
            "order": self.order,
            "given": self.given,
        }
        (directory / ABOUT).write_text(json.dumps(about) + "\n")

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        try:
            about: dict[str, Any] = json.loads((directory / ABOUT).read_text())
            encoding = Encoding.of_dump(about["encoding"])
            with (directory / MODEL).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                shares = tuple(stored[f"share_{j}"].T for j in range(len(encoding.categories)))
                mixture = Mixture(stored["weight"], stored["mean"], stored["covariance"], shares)
            types = {name: (kind, tuple(shape)) for name, (kind, shape) in about["types"].items()}
            return cls(mixture, encoding, types, tuple(about["order"]), tuple(about["given"]))
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as e:
            raise CorruptFileError(f"model {directory} of a table cannot be read ({e})") from e


class TableMixture(Learner, frozen=True):
    """A mixture of ``components``: each has a normal distribution of the numbers, and one of each category.

    Numbers, vectors and categories are generated together; classes and categories may be given. Warm starts
    have no effect: EM starts with k-means on the round's own rows.

    Attributes:
        components: Number of components, limited by the number of distinct rows. More follow the data more
            closely; one is a single Gaussian with independent categories.
        steps: Largest number of EM steps.
        floor: Number added to the variance of every standardised number, so that no component shrinks to a
            point.
        table: Kinds of the columns; None for those of the data.
    """

    generator_type: ClassVar[type[Generator]] = TableGenerator

    components: Annotated[int, Field(ge=1)] = 10
    steps: Annotated[int, Field(ge=1)] = 100
    floor: Annotated[float, Field(gt=0)] = 1e-3
    table: TableColumns | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "learner 'table'"
        table = self.table or TableColumns.of(schema, me)
        labels = tuple(schema.named("label"))
        known = (*table.numbers, *table.categories, *labels)
        if other := [name for name in schema if name not in known]:
            raise ConfigError(
                f"{me} generates numbers, vectors and categories",
                got=schema.described(),
                expected=f"data without {', '.join(other)}",
                fix="leave such columns out with the data set's columns",
            )
        if numbers := [name for name in table.given if name in table.numbers]:
            raise ConfigError(
                f"{me} can be given classes and categories",
                got=f"given numbers {', '.join(numbers)}",
                fix="remove them from the data set's given",
            )
        return super().suited_to(schema).model_copy(update={"table": table})

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> TableGenerator:
        """Fit the mixture; see the base class.

        Raises:
            ConfigError: ``table`` is not set, see :meth:`suited_to`.
            DataError: There are no rows, or they do not match ``table``.
        """
        if self.table is None:
            fix = "use learner.suited_to(dataset.schema()), as a run does, or set table"
            raise ConfigError("the table model is not configured for its columns", fix=fix)
        if not len(samples):
            raise DataError("learner 'table': rows to train on", got=0, expected="at least one")
        table = self.table
        labels = () if table.label is None or table.label in table.categories else (table.label,)
        encoding = Encoding.learned(samples, table.numbers, (*table.categories, *labels))
        standard = encoding.encode(samples)[:, : len(encoding.mean)]
        finite(standard, "learner 'table'")
        sizes = tuple(len(values) for _, values in encoding.categories)
        codes = _codes_of(samples, encoding)
        mixture = fitted(standard, codes, sizes, self.components, rng, steps=self.steps, floor=self.floor)
        arrays = {name: samples.array(name) for name in table.numbers}
        types: Types = {name: (a.dtype.str, a.shape[1:]) for name, a in arrays.items()}
        return TableGenerator(mixture, encoding, types, tuple(samples), table.given)


def _codes_of(samples: Samples, encoding: Encoding) -> NDArray[np.int64]:
    """Return all categories of rows that the encoding was learned from, as indices, shape (n, categories)."""
    columns = [np.zeros((len(samples), 0), np.int64)]
    for name, values in encoding.categories:
        columns.append(np.searchsorted(np.array(values), np.asarray(samples[name]))[:, None])
    return np.concatenate(columns, axis=1)


def _column(values: tuple[str | int, ...], drawn: NDArray[np.int64]) -> Column:
    if values and isinstance(values[0], str):
        return [str(values[i]) for i in drawn]
    return np.array(values, np.int64)[drawn]
