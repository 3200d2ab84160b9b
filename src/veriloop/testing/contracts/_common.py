"""Shared by the suites: their random streams, and checks of samples, arguments and errors."""

import functools
import pickle
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...parts import Part
from ...rng import Address
from ...samples import Samples, type_of

P = ParamSpec("P")
R = TypeVar("R")

N = 24
"""Number of samples in the suites: enough to detect a dependence, few enough for a slow model."""


def stream(chunk: int = 0) -> np.random.Generator:
    """Return one of the suites' random streams; equal numbers give equal streams."""
    return Address(20251016, "contract", chunk=chunk).rng()


def suite(check: Callable[P, R]) -> Callable[P, R]:
    """Make a suite raise only AssertionError, whatever the part under test raises."""

    @functools.wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        """Call the suite; turn any exception into an AssertionError that names the part."""
        try:
            return check(*args, **kwargs)
        except AssertionError:
            raise
        except Exception as e:
            part = type(args[0] if args else next(iter(kwargs.values()))).__name__
            raise AssertionError(f"{part} raised {type(e).__name__}: {e}") from e

    return checked


def rows_of(conditions: Samples | None, n: int = N) -> Samples | None:
    """Return ``n`` rows of the pool, repeated if necessary."""
    return None if conditions is None else conditions.select(np.arange(n) % len(conditions))


@contextmanager
def unchanged(method: str, part: Part | None = None, **arguments: Samples | None) -> Iterator[None]:
    """Check that the call of ``method`` in the block changes neither its part nor the given samples."""
    before = {name: samples.to_bytes() for name, samples in arguments.items() if samples is not None}
    whole = pickle.dumps(part)
    yield
    for name, content in before.items():
        samples = arguments[name]
        assert samples is not None
        assert samples.to_bytes() == content, f"{method} must not change its {name}"
    assert pickle.dumps(part) == whole, (
        f"{method} must not change {type(part).__name__}: a part is its configuration"
    )


def same_types(samples: Samples, like: Samples, what: str, names: Collection[str] | None = None) -> None:
    """Check that columns of ``samples`` match ``like``: text or not, number type, shape of a row."""
    for name in like if names is None else names:
        got, expected = type_of(samples[name]), type_of(like[name])
        assert got == expected, f"{what}: column {name!r} is {got}, expected {expected}"


def contents(samples: Samples, names: Collection[str]) -> list[bytes]:
    """Return each row's content in the columns ``names``, as bytes that are equal for equal rows."""
    columns = [samples[name] for name in names]

    def cell(value: object) -> bytes:
        """Return a value as bytes that start with their number."""
        raw = value.encode() if isinstance(value, str) else np.asarray(value).tobytes()
        return len(raw).to_bytes(8, "little") + raw

    return [b"".join(cell(column[i]) for column in columns) for i in range(len(samples))]


def no_pickles(directory: Path, saved: str) -> None:
    """Check that ``directory``, written by ``saved``, is not empty and contains no pickle."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files, f"{saved} wrote nothing: what is not saved is lost when a run is resumed"
    for path in files:
        content = path.read_bytes()
        # A pickle of protocol 2 and above, alone or in the archive that torch makes.
        alone = content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05" and content[-1:] == b"."
        pickled = alone or (content[:2] == b"PK" and b"data.pkl" in content[:2048])
        assert not pickled, f"{saved} wrote the pickle {path.name}: use safetensors, NPZ or JSON"


def saves_alike(directory: Path, save: Callable[[Path], object], saved: str) -> None:
    """Check that ``save`` writes the files in ``directory`` again byte for byte.

    An arbitrary order may be equal by chance, so it is tried several times.
    """
    for _ in range(6):
        with tempfile.TemporaryDirectory() as scratch:
            save(Path(scratch))
            first, second = _files(directory), _files(Path(scratch))
        differ = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
        assert not differ, f"{saved} must write equal bytes each time, and {', '.join(differ)} differs"


def _files(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def drawn(rng: np.random.Generator, call: Callable[[np.random.Generator], R]) -> tuple[R, bool]:
    """Return the result of ``call`` with ``rng``, and whether it used it or streams spawned from it."""

    def state() -> tuple[object, object]:
        """Return the state of ``rng`` and the number of its spawned streams."""
        bits = rng.bit_generator
        return bits.state, getattr(bits.seed_seq, "n_children_spawned", 0)

    before = state()
    result = call(rng)
    return result, state() != before


def in_company(n: int) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield sets of rows in which some rows keep their place and others are replaced; the size stays n.

    Yields:
        In words, the rows to take, and the places that still hold their own row.
    """
    places = np.arange(n)
    for half, stays in (("first", places[: n // 2]), ("last", places[n // 2 :])):
        for other in (stays[0], stays[-1]):
            rows = np.full(n, other)
            rows[stays] = stays
            yield f"with other rows next to the {half} {len(stays)}", rows, stays
